package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/integration/faultproxy"
)

// venom is text that would begin a line of its own, colour it, hide and reorder what is around it. Each source has its own word.
func venom(word string) string {
	return word + "\x1b[31m\x1b]0;owned\x07\r\nFORGED " + word + " \x00\x7f\u0085\u009b2J\u202e\u2066\u2028\u200b\ufeffend"
}

// unprintable is venom without control bytes, which names of deckies may not have.
func unprintable(word string) string { return word + "\u202e\u2066\u2028\u200b\ufeffend" }

// logShapes are what every line of a format looks like.
var logShapes = map[string]*regexp.Regexp{
	"json":    regexp.MustCompile(`^\{.*\}$`),
	"console": regexp.MustCompile(`^\d\d:\d\d:\d\d\.\d{3} [A-Z]{3} `),
	"rfc5424": regexp.MustCompile(`^<13\d>1 \d{4}-\d\d-\d\dT\S+ \S+ decnet-fleetd \d+ \S+ - `),
}

// TestWhatContainersRowsAndPeersSayIsInertInEveryLog: labels, names and states of containers, errors of the engine, rows and states of
// others, and messages of the bus come with control bytes, escape sequences and marks that reorder. In the log of the daemon each
// stays within its line and shows.
func TestWhatContainersRowsAndPeersSayIsInertInEveryLog(t *testing.T) {
	t.Parallel()
	for format, shape := range logShapes {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := poisoned(t)
			s.start("--log-format", format, "--log-level", "debug")
			s.speaksPoison()
			text := s.log()
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) })
				if at >= 0 || !shape.MatchString(line) || strings.HasPrefix(line, "FORGED") || format == "json" && !json.Valid([]byte(line)) {
					t.Errorf("a line of the log, harmful at %d: %q", at, line)
				}
			}
			for _, word := range []string{"Name", "Engine", "State", "Row", "Bus"} {
				if !regexp.MustCompile(word + `.*\\u202e`).MatchString(text) {
					t.Errorf("what %q said is not in the log, escaped", word)
				}
			}
		})
	}
}

// poisoned is a stage whose containers and entries are hostile.
func poisoned(t *testing.T) *poison {
	t.Helper()
	name := unprintable("Name")
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"), declare(name, "ssh"))
	sim := s.simulated(t, map[string]string{"d1-ssh": "running"})
	for i, labels := range []map[string]string{
		{"decnet.fleet.decky": name, "decnet.fleet.service_name": "ssh"},
		{"decnet.fleet.decky": "d1", "decnet.fleet.service_name": venom("Label")},
		{"decnet.fleet.decky": venom("Label"), "decnet.fleet.service_name": "ssh", "com.docker.compose.project": venom("Label")},
	} {
		_, err := sim.Create(dockersim.Spec{Name: fmt.Sprintf("hostile%d-", i) + venom("Container"), State: "running", Labels: labels, Image: venom("Image")})
		must(t, err)
	}
	must(t, os.Rename(s.path("docker.sock"), s.path("real-docker.sock")))
	way, err := faultproxy.Listen(t.Context(), "unix", s.path("docker.sock"), s.path("real-docker.sock"), nil)
	must(t, err)
	t.Cleanup(func() { _ = way.Close() })
	return &poison{s, sim, way, name}
}

type poison struct {
	*stage
	sim  *dockersim.Engine
	way  *faultproxy.Proxy // to the engine
	name string
}

// speaksPoison has every source say something that is logged.
func (p *poison) speaksPoison() {
	p.t.Helper()
	t := p.t
	p.reaches("d1", "running", soon)
	eventually(t, soon, func() error { return p.db.state(t, p.name, "running") })
	must(t, p.sim.Kill("hostile0-"+venom("Container")))
	eventually(t, soon, func() error { return p.db.state(t, p.name, "failed") })
	p.db.foreignState(t, "d1", strings.ReplaceAll(venom("State"), "\x00", "")) // a statement has none
	eventually(t, soon, func() error { return p.db.state(t, "d1", "running") })
	p.db.foreignInsert(t, "local", unprintable("Row"), "running")
	eventually(t, soon, func() error { return p.db.state(t, unprintable("Row"), "") })
	body, err := json.Marshal(map[string]string{"action": venom("Bus"), "requested_by": venom("Bus")})
	must(t, err)
	publish(t, p.path("bus.sock"), "system.reconciler.control", "control", string(body))
	must(t, p.sim.SetState("d1-ssh", venom("Containerstate")))
	answer, err := json.Marshal(map[string]string{"message": venom("Engine")})
	must(t, err)
	p.way.Set(faultproxy.Faults{Answer: fmt.Sprintf("HTTP/1.1 500 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		unprintable("Engine"), len(answer), answer)})
	p.way.Cut()
	eventually(t, soon, func() error { return unless(strings.Contains(p.log(), "Engine"), "the engine's answer is not logged") })
	eventually(t, soon, func() error { return unless(strings.Contains(p.log(), "Bus"), "the bus's message is not logged") })
	p.gap(calm)
}
