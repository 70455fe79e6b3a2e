package decky

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Replayed is what this program concludes from what a decky was seen to know.
type Replayed struct {
	State  string `json:"state"` // of the containers; "" if unknown
	Reason string `json:"reason"`
	Action string `json:"action,omitempty"` // insert, delete, state_changed, config_changed; "" nothing
	// Untold: the reason then rests on a time or on others' doing, which a status does not have. Only the state can be
	// compared.
	Untold bool `json:"untold"`
	Same   bool `json:"same"` // as then
}

// Replay decides again, with nothing but the facts that a status has: no clock but now, no operation of DECNET in
// progress, nothing that has to settle.
func Replay(d messages.DeckyStatus, now time.Time) Replayed {
	p := DefaultPolicy()
	o := observations{now: now, declared: messages.DeclaredObserved{Presence: presenceOf(d.Declared)},
		recorded: messages.RecordedObserved{Presence: presenceOf(d.Recorded)},
		runtime:  messages.RuntimeObserved{Known: d.Observed != messages.Unknown.String(), Services: d.Services, Base: d.Base},
		permit:   messages.DeletePermitted{Granted: true}}
	o.declared.Entry = messages.Declared{Name: d.Name, IP: d.IP, Services: d.Expected}
	o.recorded.Row = rowOf(d)
	if d.Paused {
		o.pause = ReasonPaused
		if d.Held != nil {
			o.pause = d.Held.Why
		}
	}
	v := decide(o, p)
	r := Replayed{State: string(v.state), Reason: v.reason, Action: v.action(), Untold: untold(d)}
	r.Same = r.State == d.Aggregate && (r.Untold || r.Reason == d.Reason)
	return r
}

// rowOf is a row that differs from the file in the columns that a status says drifted.
func rowOf(d messages.DeckyStatus) messages.Recorded {
	r := messages.Recorded{Name: d.Name, IP: d.IP, Services: d.Expected, State: d.State, HasConfig: true}
	for _, column := range d.Drift {
		switch column {
		case "services":
			r.Services = append(slices.Clone(r.Services), "\x00")
		case "decky_config":
			r.Digest = "\x00"
		case "decky_ip":
			r.IP += "\x00"
		case "last_error":
			r.LastError = ownError
		}
	}
	return r
}

func presenceOf(word string) messages.Presence {
	for _, p := range []messages.Presence{messages.Absent, messages.Present} {
		if p.String() == word {
			return p
		}
	}
	return messages.Unknown
}

// untold says whether a status does not have what its reason rests on.
func untold(d messages.DeckyStatus) bool {
	if d.Phase == "quarantined" { // why it crashed
		return true
	}
	return slices.ContainsFunc([]string{ReasonSettling, ReasonPaced, ReasonVanishing, ReasonDeployOpen, ReasonMutateOpen, ReasonRedeploy, ReasonGuard,
		ReasonMixed, ReasonUnwritable, ReasonTwin, ReasonAmbiguous}, func(reason string) bool { return strings.HasPrefix(cmp.Or(d.Reason, "-"), reason) })
}
