package integration

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// say runs a verb that must end with a code, and gives what it said.
func (s *stage) say(code int, verb ...string) string {
	s.t.Helper()
	out, got := s.command(verb...)
	if got != code {
		s.t.Fatalf("%v: exit code %d, not %d: %s", verb, got, code, out)
	}
	return out
}

// why is what inspect tells of a decky.
type why struct {
	Decky struct {
		State, Reason string
		Paused        bool
		Held          *struct{ What, Why string }
	}
	Facts []struct {
		Source, Presence, Detail string
		Epoch                    uint64
		Age                      float64 `json:"age_seconds"`
	}
	Decisions []struct{ Reason, Action string }
	Crashes   []struct{ Reason string }
}

func (s *stage) inspect(name string) (w why) {
	s.t.Helper()
	must(s.t, json.Unmarshal([]byte(s.say(0, "inspect", name, "--json")), &w))
	return w
}

// TestAPauseSurvivesARestartAndAResumeCatchesUp: nothing is written or announced about a paused decky, by the next life
// of the daemon and by a single pass either, and what is there now is when it is resumed.
func TestAPauseSurvivesARestartAndAResumeCatchesUp(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "held", 2, "ssh")...)
	s.say(2, "pause", "held-01")
	s.say(0, "pause", "held-01", "--yes", "--reason", "ticket 4711", "--wait")
	e.kill(t, "held-01-ssh")
	e.kill(t, "held-02-ssh")
	s.reaches("held-02", "failed", prompt)
	s.quiet("held-01", calm)
	eventually(t, prompt, func() error {
		w := s.inspect("held-01")
		return unless(w.Decky.Paused && w.Decky.State == "running" && w.Decky.Held != nil && strings.HasSuffix(w.Decky.Held.Why, ": ticket 4711") &&
			len(w.Facts) == 3 && strings.Contains(w.Facts[2].Detail, "ssh exited") && w.Facts[2].Epoch > 0 && len(w.Decisions) > 1, "inspect: %+v", w)
	})
	s.terminate()
	s.say(0, "reconcile", "--once")
	s.start()
	s.quiet("held-01", calm)
	if out := s.say(0, "status"); !strings.Contains(out, "paused: held-01 since ") {
		t.Error(out)
	}
	s.say(0, "resume", "held-01", "--yes")
	s.reaches("held-01", "failed", prompt)
	s.consistent("held-01", "held-02")

	var audit struct {
		Items []struct{ Verb, Target, Result, Reason, Via string }
	}
	must(t, json.Unmarshal([]byte(s.say(0, "audit", "--json")), &audit))
	if a := audit.Items; len(a) != 2 || a[0].Verb != "resume" || a[1].Verb != "pause" || a[1].Reason != "ticket 4711" || a[1].Result != "done" || a[1].Via != "cli" {
		t.Errorf("%+v", a)
	}
	if info, err := os.Stat(s.path("state/audit.jsonl")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v %v", info, err)
	}
}

// TestDrillsEndAsTheySay: a decky in quarantine keeps its row, a released one catches up, and what crashed is remembered
// by the next life of the daemon.
func TestDrillsEndAsTheySay(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "drill", 2, "ssh")...)
	s.say(0, "restart", "drill-02", "--yes", "--wait", "--reason", "drill")
	s.say(0, "kill", "drill-02", "--yes", "--wait")
	s.say(8, "release", "drill-01", "--yes")
	s.say(0, "quarantine", "drill-01", "--yes", "--reason", "drill")
	eventually(t, prompt, func() error {
		last := s.sub.last(t, "drill-01").payload
		return errors.Join(s.db.state(t, "drill-01", "running"), unless(last.Transition == "quarantined", "last event %q", last.Transition))
	})
	e.kill(t, "drill-01-ssh")
	s.quiet("drill-01", calm)
	s.say(0, "release", "drill-01", "--yes", "--wait")
	s.reaches("drill-01", "failed", prompt)
	e.kill(t, "drill-02-ssh")
	s.reaches("drill-02", "failed", prompt)
	s.consistent("drill-01", "drill-02")
	s.terminate()
	s.start()
	out := s.say(0, "crashes", "-o", "jsonl")
	for _, reason := range []string{"restart by root: drill", "kill by root", "quarantine by root: drill"} {
		if !strings.Contains(out, `"reason":"`+reason+`"`) {
			t.Errorf("%q is forgotten: %s", reason, out)
		}
	}
	if w := s.inspect("drill-01"); len(w.Crashes) != 1 {
		t.Errorf("%+v", w.Crashes)
	}
}

// TestATapShowsADeathAsItIsHandled: and costs nothing when it has ended.
func TestATapShowsADeathAsItIsHandled(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "tapped", 1, "ssh")...)
	heard := make(chan string, 1)
	go func() {
		out, _ := s.command("tap", "tapped-01", "--match", "type:RuntimeObserved summary:exited", "--count", "1", "--for", "20s", "-o", "jsonl")
		heard <- out
	}()
	eventually(t, prompt, func() error {
		out, _ := s.command("audit", "-o", "name")
		return unless(strings.TrimSpace(out) != "", "no tap yet")
	})
	e.kill(t, "tapped-01-ssh")
	s.reaches("tapped-01", "failed", prompt)
	if out := <-heard; !strings.Contains(out, `"type":"messages.RuntimeObserved"`) || !strings.HasSuffix(strings.TrimSpace(out), `{"kind":"end","dropped":0}`) {
		t.Error(out)
	}
}
