package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestTheConsoleShowsTheActorsAndTheMemoryOfThisProcess: the tree has every actor that must be there, below its group or
// kind, in the terminal's words and on the page; memory is the kernel's number.
func TestTheConsoleShowsTheActorsAndTheMemoryOfThisProcess(t *testing.T) {
	s, sim := webStage(t, "web-02", "web-01")
	tree := s.say(0, "actors", "--tree")
	for _, want := range []string{`(?m)^decky\n  decky/web-01 .*\n  decky/web-02 `, `(?m)^delivery/publisher\n  publisher/publisher `, `(?m)^delivery/store\n  store/store `,
		`(?m)^sources/fleet\n  fleet/fleet `, `(?m)^sources/source\n  source/`, `(?m)^  source/declared `, `(?m)^  source/observed `, `(?m)^  source/recorded `, `(?m)^view\n  view/view `} {
		if !regexp.MustCompile(want).MatchString(tree) {
			t.Errorf("the tree lacks %s:\n%s", want, tree)
		}
	}
	_, page := s.get("/actors")
	for _, want := range []string{`href="/actors/store/store"`, `href="/actors/source/observed"`, "web-01", "restart together"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page of actors lacks %s", want)
		}
	}
	must(t, sim.Kill("web-02-ssh"))
	s.reaches("web-02", "failed", soon)
	eventually(t, prompt, func() error { // an actor's counters are its own
		var a struct {
			Actor struct {
				State    string
				In, Done int64
			}
		}
		_, text := s.get("/v1/actors/decky/web-02")
		err := json.Unmarshal([]byte(text), &a)
		return unless(err == nil && a.Actor.State == "running" && a.Actor.In > 0 && a.Actor.Done == a.Actor.In, "%s", text)
	})

	var rt struct {
		RSS        uint64 `json:"rss_bytes"`
		Goroutines int    `json:"goroutines"`
	}
	_, text := s.get("/v1/runtime")
	must(t, json.Unmarshal([]byte(text), &rt))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.daemon.cmd.Process.Pid))
	must(t, err)
	kib, err := strconv.ParseUint(regexp.MustCompile(`VmRSS:\s+(\d+)`).FindStringSubmatch(string(status))[1], 10, 64)
	must(t, err)
	if r := float64(rt.RSS) / float64(kib<<10); r < 0.5 || r > 2 || rt.Goroutines < 10 {
		t.Errorf("the console shows %d bytes and %d goroutines, the kernel %d KiB", rt.RSS, rt.Goroutines, kib)
	}
}

// TestAfterAReloadTheConsoleShowsWhatIsInForce: what a running daemon can change, and not what needs a restart.
func TestAfterAReloadTheConsoleShowsWhatIsInForce(t *testing.T) {
	s, _ := webStage(t, "web-01")
	in := func() map[string]string {
		_, text := s.get("/v1/config")
		var all struct {
			Items []struct{ Key, Value, Source string }
		}
		must(t, json.Unmarshal([]byte(text), &all))
		out := map[string]string{}
		for _, x := range all.Items {
			out[x.Key] = x.Value + " from " + x.Source
		}
		return out
	}
	if before := in(); before["interval"] != "30s from default" || !strings.HasPrefix(before["host-uuid"], "local ") || !strings.HasPrefix(before["admins"], " ") {
		t.Fatalf("%v", before)
	}
	must(t, os.WriteFile(s.path(".env.local"), []byte("FLEETD_INTERVAL=17s\nFLEETD_ADMINS=nobody\n"), 0o600))
	if out := s.say(0, "reload"); !strings.Contains(out, "interval") || !strings.Contains(out, "admins") {
		t.Errorf("reload: %s", out)
	}
	after := in()
	if !strings.HasPrefix(after["interval"], "17s from .env.local ") || !strings.HasPrefix(after["admins"], " ") {
		t.Errorf("after a reload: interval %q, admins %q", after["interval"], after["admins"])
	}
}
