package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// promtool is Prometheus' own judge of rules.
func promtool(t *testing.T, args ...string) error {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		lack(t, "promtool is not installed: `integration/services.sh tools` does that")
	}
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	return unless(err == nil, "promtool %v: %v\n%s", args, err, out)
}

// panels are the expressions of the dashboard.
func panels(t *testing.T) []string {
	t.Helper()
	raw, err := os.ReadFile("../deploy/grafana-dashboard.json")
	must(t, err)
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	must(t, json.Unmarshal(raw, &d))
	var all []string
	for _, p := range d.Panels {
		for _, x := range p.Targets {
			all = append(all, x.Expr)
		}
	}
	return all
}

// TestPrometheusTakesTheAlertsAndTheyFireWhenTheyShould: testdata/alerts_test.yml has a host that is well, on which no alert
// fires, and one on which each does, not before its time and with the words an operator reads.
func TestPrometheusTakesTheAlertsAndTheyFireWhenTheyShould(t *testing.T) {
	must(t, promtool(t, "check", "rules", "../deploy/alerts.yml"))
	must(t, promtool(t, "test", "rules", "testdata/alerts_test.yml"))
	alerts, err := os.ReadFile("../deploy/alerts.yml")
	must(t, err)
	tests, err := os.ReadFile("testdata/alerts_test.yml")
	must(t, err)
	for _, m := range regexp.MustCompile(`alert: (\w+)`).FindAllSubmatch(alerts, -1) {
		if n := bytes.Count(tests, append(m[1], '\x2c')) + bytes.Count(tests, append(m[1], '\n')) + bytes.Count(tests, append(m[1], '"')); n < 2 {
			t.Errorf("%s has no test of both kinds", m[1])
		}
	}
}

// TestPrometheusTakesEveryExpressionOfTheDashboard: as rules, with what Grafana puts in for its variables.
func TestPrometheusTakesEveryExpressionOfTheDashboard(t *testing.T) {
	all := panels(t)
	if len(all) < 12 {
		t.Fatalf("%d expressions", len(all))
	}
	type rule struct {
		Record string `json:"record"`
		Expr   string `json:"expr"`
	}
	var rules []rule
	for i, x := range all {
		x = strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h").Replace(x)
		rules = append(rules, rule{"panel:" + string(rune('a'+i/26)) + string(rune('a'+i%26)), x})
	}
	raw, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}}) // JSON is YAML
	must(t, err)
	path := t.TempDir() + "/dashboard.yml"
	must(t, os.WriteFile(path, raw, 0o600))
	must(t, promtool(t, "check", "rules", path))
}

// TestEverySeriesOfDashboardAndAlertsIsInAScrapeOfALiveDaemon: one that has seen a decky come, die and be restarted.
func TestEverySeriesOfDashboardAndAlertsIsInAScrapeOfALiveDaemon(t *testing.T) {
	s, sim := webStage(t, "web-01")
	must(t, sim.Kill("web-01-ssh"))
	s.reaches("web-01", "failed", soon)
	s.say(0, "restart", "web-01", "--yes") // restarts are counted from the first on
	alerts, err := os.ReadFile("../deploy/alerts.yml")
	must(t, err)
	asked := regexp.MustCompile(`\b(decnet_fleetd|process|go)_[a-z_]+`).FindAllString(strings.Join(panels(t), "\n")+string(alerts), -1)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	if len(asked) < 20 {
		t.Fatalf("only %v", asked)
	}
	eventually(t, prompt, func() error {
		code, text := s.get("/metrics")
		var missing []string
		for _, name := range asked {
			if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(text) {
				missing = append(missing, name)
			}
		}
		return unless(code == 200 && len(missing) == 0, "%d: a scrape lacks %v", code, missing)
	})
}
