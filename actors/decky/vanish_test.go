package decky

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestWhatVanishesMustStayAwayForAWhileAndWhatDiesIsNewsAtOnce(t *testing.T) {
	for _, tc := range []struct {
		name  string
		first messages.RuntimeObserved
		then  messages.RuntimeObserved
		after time.Duration
		want  messages.State // "": nothing is ordered yet
	}{
		{"a death", runs("ssh", "running", "http", "running"), runs("ssh", "exited", "http", "running"), 0, messages.Degraded},
		{"all of them removed", runs("ssh", "running", "http", "running"), runs(), 0, ""},
		{"all of them removed, two seconds later", runs("ssh", "running", "http", "running"), runs(), 2 * time.Second, messages.TornDown},
		{"one removed", runs("ssh", "running", "http", "running"), runs("http", "running"), 1999 * time.Millisecond, ""},
		{"one made anew and not started", runs("ssh", "running", "http", "running"), runs("ssh", "created", "http", "running"), 0, ""},
		{"paused", runs("ssh", "running", "http", "running"), runs("ssh", "paused", "http", "running"), 0, messages.Degraded},
	} {
		o := story(declared("ssh", "http"), row("running", "ssh", "http"), tc.first)
		o = fold(o, tc.then)
		o.now = o.now.Add(tc.after)
		v := decide(o, DefaultPolicy())
		switch {
		case tc.want == "" && (v.want != nil || v.reason != ReasonVanishing || !v.busy || !v.wake.Equal(o.lastFlip.Add(2*time.Second))):
			t.Errorf("%s: %+v", tc.name, v)
		case tc.want != "" && (v.want == nil || v.want.State != tc.want):
			t.Errorf("%s: %+v", tc.name, v)
		}
	}
}

func TestAContainerRemadeAtOnceIsNoNews(t *testing.T) {
	o := story(declared("ssh"), row("running", "ssh"), runs("ssh", "running"))
	for _, step := range []messages.RuntimeObserved{runs(), runs("ssh", "created"), runs("ssh", "running")} {
		o = fold(o, step)
		if v := decide(o, DefaultPolicy()); v.want != nil {
			t.Fatalf("%+v", v)
		}
		o.now = o.now.Add(300 * time.Millisecond)
	}
}

func TestWhatIsMissingFromTheStartIsNoChange(t *testing.T) {
	o := story(declared("ssh"), row("running", "ssh"), runs())
	if v := decide(o, DefaultPolicy()); v.want == nil || v.want.State != messages.TornDown {
		t.Errorf("%+v", v)
	}
}

func TestAfterTheFirstStartOnlyDeckiesThatComposeHasNotComeToAreHeld(t *testing.T) {
	for name, tc := range map[string]struct {
		seen messages.RuntimeObserved
		want messages.State
	}{
		"it has not come to it":         {runs(), ""},
		"it has made them, not started": {runs("ssh", "created", "http", "created"), ""},
		"one died since":                {runs("ssh", "exited", "http", "running"), messages.Degraded},
	} {
		o := story(declared("ssh", "http"), row("running", "ssh", "http"), runs("ssh", "running", "http", "running"),
			messages.HoldsObserved{Remake: noon.Add(time.Minute)}, tc.seen)
		o.now = noon.Add(30 * time.Second)
		v := decide(o, DefaultPolicy())
		switch {
		case tc.want == "" && (v.want != nil || v.reason != ReasonRedeploy || !v.wake.Equal(noon.Add(time.Minute))):
			t.Errorf("%s: %+v", name, v)
		case tc.want != "" && (v.want == nil || v.want.State != tc.want):
			t.Errorf("%s: %+v", name, v)
		}
		if o.now = noon.Add(time.Minute); decide(o, DefaultPolicy()).want == nil {
			t.Errorf("%s: held for ever", name)
		}
	}
}
