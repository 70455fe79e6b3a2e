package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// named is every series a scrape of a full registry has, with those of a histogram.
func named(t *testing.T) map[string]bool {
	t.Helper()
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	for _, f := range families {
		out[f.GetName()] = true
		if f.GetType().String() == "HISTOGRAM" {
			for _, end := range []string{"_bucket", "_sum", "_count"} {
				out[f.GetName()+end] = true
			}
		}
	}
	return out
}

var series = regexp.MustCompile(`\b(decnet_fleetd|process|go)_[a-z0-9_]+`)

func TestDashboardAndAlertsAskOnlyForSeriesThatExist(t *testing.T) {
	known := named(t)
	for file, least := range map[string]int{"grafana-dashboard.json": 15, "alerts.yml": 10} {
		raw, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(string(raw), `"decnet-fleetd"`, "")
		asked := series.FindAllString(text, -1)
		slices.Sort(asked)
		asked = slices.Compact(asked)
		if len(asked) < least {
			t.Errorf("%s asks for %d series only: %v", file, len(asked), asked)
		}
		for _, name := range asked {
			if !known[name] {
				t.Errorf("%s asks for %s, which no scrape has", file, name)
			}
		}
	}
}

func TestTheDashboardIsWhole(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(raw, &d); err != nil || len(d.Panels) < 12 {
		t.Fatalf("%v: %d panels", err, len(d.Panels))
	}
	for _, p := range d.Panels {
		for _, x := range p.Targets {
			if strings.Count(x.Expr, "(") != strings.Count(x.Expr, ")") || x.Expr == "" {
				t.Errorf("%s: %q", p.Title, x.Expr)
			}
		}
	}
}
