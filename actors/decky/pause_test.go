package decky

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

var byAlice = messages.PauseObserved{Paused: true, Why: "paused by alice: drill"}

func TestAPausedDeckyObservesButOrdersNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		heard []any
		what  string
	}{
		"an insert": {[]any{declared("ssh"), unrecorded, runs("ssh", "running")}, "insert"},
		"a delete":  {[]any{row("running", "ssh"), undeclared, granted, reread(2 * time.Second), reread(3 * time.Second)}, "delete"},
		"a state":   {[]any{declared("ssh"), row("running", "ssh"), runs("ssh", "exited")}, "state_changed"},
		"a drift":   {[]any{declared("ssh", "http"), row("running", "ssh"), blind}, "config_changed"},
	} {
		o := story(append(slices.Clone(tc.heard), byAlice)...)
		o.now = o.now.Add(10 * time.Second)
		if v := decide(fold(o, messages.PauseObserved{}), DefaultPolicy()); v.want == nil {
			t.Errorf("%s: nothing would be ordered without the pause: %+v", name, v)
		}
		v := decide(o, DefaultPolicy())
		if v.want != nil || v.reason != ReasonPaused || v.held == nil || v.held.What != tc.what || v.held.Why != byAlice.Why {
			t.Errorf("%s: %+v, held %+v", name, v, v.held)
		}
	}
	o := story(declared("ssh"), row("running", "ssh"), runs("ssh", "running"), byAlice)
	if v := decide(o, DefaultPolicy()); v.reason != ReasonConverged || v.held != nil || v.state != messages.Running {
		t.Errorf("converged: %+v", v)
	}
}

func TestAResumedDeckyDecidesAsIfItHadNeverBeenPaused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := fold(anyStory(t), messages.PauseObserved{})
		again := fold(fold(o, byAlice), messages.PauseObserved{})
		if a, b := decide(o, DefaultPolicy()), decide(again, DefaultPolicy()); a.reason != b.reason || (a.want == nil) != (b.want == nil) {
			t.Fatalf("%+v, then %+v", a, b)
		}
	})
}

func TestStoryOfAPause(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
		p.say(byAlice) // the order that is at the store is taken back
		p.wait(time.Minute)
		p.say(messages.PauseObserved{})
		p.say(runs("ssh", "running"))
		p.transcript("0.0s update running→failed state_changed", "0.0s withdraw", "60.0s update running→failed state_changed", "60.0s withdraw")
	})
}

func TestADeckySaysWhatItDecidedAndWhy(t *testing.T) {
	o := story(declared("ssh", "http"), row("running", "ssh"), runs("ssh", "exited"), byAlice)
	d := &Decky{name: "d1", cfg: &Config{}, o: o, v: decide(o, DefaultPolicy())}
	got := d.decision()
	if got.Reason != ReasonPaused || got.State != "failed" || got.Held == nil || got.Cause != "docker:die" || !got.At.Equal(o.now) {
		t.Errorf("%+v", got)
	}
	if s := d.status(); !s.Paused || !slices.Equal(s.Drift, []string{"services"}) {
		t.Errorf("%+v", s)
	}
}
