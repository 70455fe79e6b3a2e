package decky

import (
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestAReplayConcludesWhatTheDeckyConcluded(t *testing.T) {
	sees := func(states ...string) (out []messages.ServiceSeen) {
		for i, s := range states {
			out = append(out, messages.ServiceSeen{Service: []string{"ssh", "http"}[i], State: s})
		}
		return out
	}
	all := messages.DeckyStatus{Name: "d", Declared: "present", Recorded: "present", Observed: "present", State: "running", Aggregate: "running",
		Expected: []string{"http", "ssh"}, Services: sees("running", "running"), Reason: ReasonConverged}
	for name, tt := range map[string]struct {
		change func(d *messages.DeckyStatus)
		want   Replayed
	}{
		"converged": {func(*messages.DeckyStatus) {}, Replayed{State: "running", Reason: ReasonConverged, Same: true}},
		"a service died": {func(d *messages.DeckyStatus) {
			d.Services, d.Aggregate, d.Reason = sees("running", "exited"), "degraded", ReasonState
		}, Replayed{State: "degraded", Reason: ReasonState, Action: "state_changed", Same: true}},
		"Docker was down": {func(d *messages.DeckyStatus) {
			d.Observed, d.Services, d.Aggregate, d.Reason = "unknown", nil, "", ReasonUnknownObserved
		},
			Replayed{Reason: ReasonUnknownObserved, Same: true}},
		"the file was unknown": {func(d *messages.DeckyStatus) {
			d.Declared, d.Aggregate, d.Reason = "unknown", "", ReasonUnknownDeclared
		},
			Replayed{Reason: ReasonUnknownDeclared, Same: true}},
		"no row": {func(d *messages.DeckyStatus) { d.Recorded, d.State, d.Reason = "absent", "", ReasonInsert },
			Replayed{State: "running", Reason: ReasonInsert, Action: "insert", Same: true}},
		"only in the table, and guarded": {func(d *messages.DeckyStatus) {
			d.Declared, d.Aggregate, d.Reason, d.Held = "absent", "", "waits", &messages.Held{What: "delete", Why: ReasonGuard}
			d.Reason = ReasonGuard
		}, Replayed{Reason: ReasonDelete, Action: "delete", Untold: true, Same: true}},
		"drifted": {func(d *messages.DeckyStatus) { d.Drift, d.Reason = []string{"decky_ip"}, ReasonDrift },
			Replayed{State: "running", Reason: ReasonDrift, Action: "config_changed", Same: true}},
		"paused": {func(d *messages.DeckyStatus) {
			d.Services, d.Aggregate, d.Reason, d.Paused = sees("exited", "exited"), "failed", ReasonPaused, true
		}, Replayed{State: "failed", Reason: ReasonPaused, Same: true}},
		"nothing expected": {func(d *messages.DeckyStatus) { d.Expected, d.Aggregate, d.Reason = nil, "", ReasonNothingExpected },
			Replayed{Reason: ReasonNothingExpected, Same: true}},
		"another state than its containers had": {func(d *messages.DeckyStatus) { d.Aggregate = "failed" },
			Replayed{State: "running", Reason: ReasonConverged}},
		"another reason": {func(d *messages.DeckyStatus) { d.Reason = ReasonDrift }, Replayed{State: "running", Reason: ReasonConverged}},
		"quarantined": {func(d *messages.DeckyStatus) { d.Phase, d.Reason = "quarantined", "index out of range" },
			Replayed{State: "running", Reason: ReasonConverged, Untold: true, Same: true}},
	} {
		d := all
		tt.change(&d)
		if got := Replay(d, time.Unix(1e9, 0)); got != tt.want {
			t.Errorf("%s: %+v\nwant %+v", name, got, tt.want)
		}
	}
}
