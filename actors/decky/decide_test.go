package decky

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// story builds observations by folding what was heard, a second apart.
func story(heard ...any) observations {
	o := observations{now: noon}
	for _, m := range heard {
		o = fold(o, m)
		o.now = o.now.Add(time.Second)
	}
	return o
}

func declared(services ...string) messages.DeclaredObserved {
	return messages.DeclaredObserved{Presence: messages.Present, Entry: messages.Declared{Name: "d1", IP: "10.0.0.1", Services: services, Digest: "a"}}
}

func row(state string, services ...string) messages.RecordedObserved {
	return messages.RecordedObserved{Presence: messages.Present, Row: messages.Recorded{Name: "d1", IP: "10.0.0.1", Services: services, State: state}}
}

func runs(states ...string) messages.RuntimeObserved {
	m := messages.RuntimeObserved{Known: true, Cause: "die"}
	for i := 0; i+1 < len(states); i += 2 {
		m.Services = append(m.Services, messages.ServiceSeen{ID: states[i], Service: states[i], State: states[i+1]})
	}
	return m
}

var (
	undeclared = messages.DeclaredObserved{Presence: messages.Absent}
	unrecorded = messages.RecordedObserved{Presence: messages.Absent}
	blind      = messages.RuntimeObserved{}
	granted    = messages.DeletePermitted{Granted: true}
)

func reread(after time.Duration) messages.RereadDone { return messages.RereadDone{At: noon.Add(after)} }

func TestDecide(t *testing.T) {
	for _, tc := range []struct {
		name   string
		heard  []any
		kind   messages.ChangeKind // 0: nothing is ordered
		state  messages.State
		reason string
	}{
		{"nothing is known", nil, 0, "", ReasonUnknownDeclared},
		{"the file is unknown", []any{row("running", "ssh"), runs("ssh", "exited")}, 0, "", ReasonUnknownDeclared},
		{"the table is unknown", []any{declared("ssh"), runs("ssh", "exited")}, 0, "", ReasonUnknownRecorded},
		{"declared, not recorded, runs", []any{declared("ssh"), unrecorded, runs("ssh", "running")}, messages.InsertRow, messages.Running, ReasonInsert},
		{"declared, not recorded, Docker unknown", []any{declared("ssh"), unrecorded, blind}, messages.InsertRow, messages.Pending, ReasonInsert},
		{"declared with a singleton only", []any{declared("sniffer"), unrecorded, runs()}, messages.InsertRow, messages.Pending, ReasonInsert},
		{"the row says running, the container is dead", []any{declared("ssh"), row("running", "ssh"), runs("ssh", "exited")}, messages.UpdateRow, messages.Failed, ReasonState},
		{"converged", []any{declared("ssh"), row("running", "ssh"), runs("ssh", "running")}, 0, "", ReasonConverged},
		{"Docker unknown, row known", []any{declared("ssh"), row("running", "ssh"), blind}, 0, "", ReasonUnknownObserved},
		{"any text in the state column is overwritten", []any{declared("ssh"), row("weird", "ssh"), runs("ssh", "running")}, messages.UpdateRow, messages.Running, ReasonState},
		{"services drifted, Docker unknown", []any{declared("http"), row("running", "ssh"), blind}, messages.UpdateRow, messages.Running, ReasonDrift},
		{"services in another order are no drift", []any{declared("b", "a"), row("running", "a", "b"), runs("a", "running", "b", "running")}, 0, "", ReasonConverged},
		{"neither file nor table", []any{undeclared, unrecorded}, 0, "", ReasonGone},
		{"a delete settles first", []any{undeclared, row("running", "ssh"), granted}, 0, "", ReasonSettling},
		{"a delete needs file and row read again", []any{undeclared, row("running", "ssh"), granted, blind, blind}, 0, "", ReasonSettling},
		{"a settled delete without permit is held", []any{undeclared, row("running", "ssh"), reread(time.Second), blind, blind}, 0, "", ReasonDelete},
		{"a settled, permitted delete", []any{undeclared, row("running", "ssh"), reread(time.Second), granted, blind}, messages.DeleteRow, messages.TornDown, ReasonDelete},
		{"a row that vanished settles before it is brought back", []any{declared("ssh"), row("running", "ssh"), unrecorded, runs()}, 0, "", ReasonSettling},
		{"a vanished row comes back after settle and reread", []any{declared("ssh"), row("running", "ssh"), unrecorded, runs(), reread(2 * time.Second), blind}, messages.InsertRow, messages.Pending, ReasonInsert},
		{"a container that could be another decky's", []any{declared("ssh"), row("running", "ssh"), messages.RuntimeObserved{Known: true, Refused: "a-b-c"}}, 0, "", ReasonAmbiguous},
		{"our own error text is cleared", []any{declared("ssh"), withError("fleetd: crash"), runs("ssh", "running")}, messages.UpdateRow, messages.Running, ReasonDrift},
		{"DECNET's error text stays", []any{declared("ssh"), withError("old error"), runs("ssh", "running")}, 0, "", ReasonConverged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := decide(story(tc.heard...), DefaultPolicy())
			if v.reason != tc.reason {
				t.Errorf("reason %q, want %q", v.reason, tc.reason)
			}
			switch {
			case tc.kind == 0 && v.want != nil:
				t.Errorf("orders %s %s, want nothing", v.want.Kind, v.want.State)
			case tc.kind != 0 && (v.want == nil || v.want.Kind != tc.kind || v.want.State != tc.state):
				t.Errorf("orders %+v, want %s %s", v.want, tc.kind, tc.state)
			}
		})
	}
}

func withError(text string) messages.RecordedObserved {
	m := row("running", "ssh")
	m.Row.LastError = text
	return m
}

func TestHoldsForbidWhatDECNETIsAbout(t *testing.T) {
	later := noon.Add(time.Hour)
	for _, tc := range []struct {
		name  string
		heard []any
		why   string // "": nothing is held
	}{
		{"a deploy holds a state change", []any{declared("ssh"), row("running", "ssh"), runs("ssh", "exited"), messages.HoldsObserved{Deploy: later}}, ReasonDeployOpen},
		{"a mutation holds a state change of its decky", []any{declared("ssh"), row("running", "ssh"), runs("ssh", "exited"), messages.HoldsObserved{Mutate: later}}, ReasonMutateOpen},
		{"a redeploy holds a state change", []any{declared("ssh"), row("running", "ssh"), runs(), messages.HoldsObserved{Redeploy: later}}, ReasonRedeploy},
		{"a deploy holds a delete", []any{undeclared, row("running", "ssh"), granted, messages.HoldsObserved{Deploy: later}}, ReasonDeployOpen},
		{"a redeploy does not hold a delete", []any{undeclared, row("running", "ssh"), reread(time.Second), granted, messages.HoldsObserved{Redeploy: later}}, ""},
		{"a deploy does not hold a first insert", []any{declared("ssh"), unrecorded, runs("ssh", "running"), messages.HoldsObserved{Deploy: later}}, ""},
		{"a deploy holds a row that vanished", []any{declared("ssh"), row("running", "ssh"), unrecorded, runs(), messages.HoldsObserved{Deploy: later}}, ReasonDeployOpen},
		{"a hold that is over holds nothing", []any{declared("ssh"), row("running", "ssh"), runs("ssh", "exited"), messages.HoldsObserved{Deploy: noon}}, ""},
		{"configuration is written during a deploy", []any{declared("http"), row("running", "ssh"), blind, messages.HoldsObserved{Deploy: later}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := decide(story(tc.heard...), DefaultPolicy())
			if got := heldWhy(v); got != tc.why {
				t.Errorf("held %q, want %q", got, tc.why)
			}
			if (v.want == nil) != (tc.why != "") {
				t.Errorf("orders %+v while held %q", v.want, tc.why)
			}
		})
	}
}

func heldWhy(v verdict) string {
	if v.held == nil {
		return ""
	}
	return v.held.Why
}

func TestConfigRidesAlongWithAStateChange(t *testing.T) {
	v := decide(story(declared("http"), row("running", "ssh"), runs("http", "exited")), DefaultPolicy())
	if v.want == nil || !v.want.SetState || !v.want.SetContent || v.want.Transition.Transition != messages.TransitionStateChanged {
		t.Fatalf("want one order for both, got %+v", v.want)
	}
	if len(v.want.Transition.Changed) != 1 || v.want.Transition.Changed[0] != "services" {
		t.Errorf("changed %v", v.want.Transition.Changed)
	}
}

func TestFlappingIsCommittedOnceASecondAndCounted(t *testing.T) {
	o := story(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
	v := decide(o, DefaultPolicy())
	if v.want.Patient {
		t.Error("the first change is to be written at once")
	}
	o.flight = &flight{change: *v.want, flips: o.flips}
	o = fold(o, messages.RowReply{Outcome: messages.Committed, Presence: messages.Present, Row: row("failed", "ssh").Row, Rev: 1, At: o.now})
	for _, state := range []string{"running", "exited", "running"} {
		o.now = o.now.Add(100 * time.Millisecond)
		o = fold(o, runs("ssh", state))
	}
	if v = decide(o, DefaultPolicy()); v.want != nil || v.reason != ReasonPaced || !v.wake.Equal(o.lastCommit.Add(time.Second)) {
		t.Fatalf("within a second: %+v", v)
	}
	o.now = v.wake
	if v = decide(o, DefaultPolicy()); v.want == nil || v.want.Transition.Coalesced != 2 || !v.want.Patient {
		t.Fatalf("after a second: %+v", v.want)
	}
	if o.now = o.now.Add(time.Second); decide(o, DefaultPolicy()).want.Patient {
		t.Error("after a rest several changes are to be written at once")
	}
}

func TestAFileRewrittenWithoutRestIsCommittedOnceASecond(t *testing.T) {
	o := story(declared("http"), row("running", "ssh"), runs("http", "running"))
	v := decide(o, DefaultPolicy())
	if v.want == nil || v.want.SetState {
		t.Fatalf("the first change is wanted at once, got %+v", v)
	}
	o.flight = &flight{change: *v.want}
	o.now = o.now.Add(10 * time.Millisecond)
	o = fold(o, messages.RowReply{Outcome: messages.Committed, Presence: messages.Present, Row: row("running", "http").Row, Rev: 1, At: o.now})
	o = fold(o, declared("http", "ssh"))
	o = fold(o, runs("http", "running", "ssh", "running"))
	if v = decide(o, DefaultPolicy()); v.want != nil || v.reason != ReasonPaced || !v.wake.Equal(o.lastDrift.Add(time.Second)) || !v.busy {
		t.Fatalf("within a second: %+v", v)
	}
	o.now = v.wake
	if v = decide(o, DefaultPolicy()); v.want == nil {
		t.Fatalf("after a second: %+v", v)
	}
}

func TestSteerReplacesAndTakesBack(t *testing.T) {
	a := messages.RowChange{Kind: messages.UpdateRow, Prev: "running", State: messages.Failed, SetState: true}
	b := a
	b.State = messages.Degraded
	for _, tc := range []struct {
		name   string
		flight *flight
		want   *messages.RowChange
		step   step
	}{
		{"nothing wanted, nothing under way", nil, nil, leave},
		{"a first order", nil, &a, send},
		{"the same is under way", &flight{change: a}, &a, leave},
		{"something better is wanted", &flight{change: a}, &b, send},
		{"nothing is wanted any more", &flight{change: a}, nil, takeBack},
		{"it is being taken back already", &flight{change: a, withdrawn: true}, nil, leave},
		{"wanted again while being taken back", &flight{change: a, withdrawn: true}, &a, send},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := steer(tc.flight, tc.want); got != tc.step {
				t.Errorf("%v, want %v", got, tc.step)
			}
		})
	}
}
