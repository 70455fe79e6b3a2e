package decky

import (
	"cmp"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Policy holds the times a decky goes by. Its zero value waits for nothing: start from DefaultPolicy.
type Policy struct {
	// Settle is how long an insert after vanish and a delete must be wanted without a break. 2s: DECNET tears
	// down row before file, and writes row before file, within milliseconds; two seconds cover a slow disk.
	Settle time.Duration
	// CommitEvery is the shortest time between two state changes, and between two changes of other columns alone: a file
	// that is rewritten without rest costs one commit a second. 1s: consumers follow a flapping container
	// at that rate without drowning.
	CommitEvery time.Duration
	// Vanish is how long a new state must last that comes from containers that are missing or were never started. 2s, as
	// the settle: compose removes and remakes single containers in less, a redeploy shows its pattern within it, and
	// nobody waits for the news that he removed a container himself. What dies is news at once.
	Vanish time.Duration
	// TwinRetry is how often a change is tried again that another host's row of the same name forbade, or that the
	// database refused. 30s, the interval of the audit.
	TwinRetry time.Duration
	// DryRun orders nothing: what would be ordered is the plan.
	DryRun bool
}

// DefaultPolicy returns the policy of the daemon.
func DefaultPolicy() Policy {
	return Policy{Settle: 2 * time.Second, CommitEvery: time.Second, Vanish: 2 * time.Second, TwinRetry: 30 * time.Second}
}

// Reasons, the same words in logs, reports and tests.
const (
	ReasonUnknownDeclared = "what the file says is unknown"
	ReasonUnknownRecorded = "what the table says is unknown"
	ReasonUnknownObserved = "what Docker says is unknown"
	ReasonAmbiguous       = "a container could be another decky's"
	ReasonConverged       = "converged"
	ReasonNothingExpected = "no service that has a container"
	ReasonGone            = "neither file nor table know it"
	ReasonInsert          = "declared, not recorded"
	ReasonDelete          = "recorded, not declared"
	ReasonState           = "containers differ from the row"
	ReasonDrift           = "configuration differs from the file"
	ReasonSettling        = "must last before it is acted upon"
	ReasonPaced           = "changed less than a second ago"
	ReasonVanishing       = "containers are missing: they may be about to come back"
	ReasonDeployOpen      = "a deploy of DECNET is in progress"
	ReasonMutateOpen      = "a mutation of DECNET is in progress"
	ReasonRedeploy        = "many containers vanished at once"
	ReasonGuard           = "waits for the mass-deletion guard"
	ReasonMixed           = "containers fit neither the file's services nor those of DECNET's deployment"
	ReasonUnwritable      = "the database refuses it: "
	ReasonTwin            = "another host has a row of this name: "
	ReasonPaused          = "paused by an operator"
)

// verdict is what decide came to: the state of the containers, why it acts or does not, what is held.
type verdict struct {
	state   messages.State // "" if unknown
	reason  string
	held    *messages.Held
	want    *messages.RowChange // what would be ordered, or is on its way
	wake    time.Time           // look again then, even if nothing is heard; zero: no need
	reread  bool                // file and table should be read once more
	retire  bool
	busy    bool    // it will go on by itself shortly
	differs columns // from the file
}

// decide chooses from everything known. Same observations, same verdict.
func decide(o observations, p Policy) verdict {
	v := conclude(&o, p)
	switch {
	case v.want == nil:
	case o.pause != "":
		v.held = &messages.Held{What: v.action(), Why: o.pause}
		v.reason, v.want = ReasonPaused, nil
	case o.refused != nil && o.now.Before(o.refused.at.Add(p.TwinRetry)):
		what := v.want.Kind.String()
		v.want, v.busy = nil, false
		v = hold(v, what, ReasonUnwritable+o.refused.why, o.refused.at.Add(p.TwinRetry))
	}
	return v
}

// pausedBy is why a row is not to be written; "" if it is.
func pausedBy(m messages.PauseObserved) string {
	if !m.Paused {
		return ""
	}
	return cmp.Or(m.Why, ReasonPaused)
}

// action is the word for what is wanted; "" for nothing.
func (v verdict) action() string {
	switch {
	case v.want == nil:
		return ""
	case v.want.Kind == messages.UpdateRow:
		return v.want.Transition.Transition
	}
	return v.want.Kind.String()
}

// conclude chooses as if nothing were paused or refused. It may change its caller's own copy of the facts only.
func conclude(o *observations, p Policy) verdict {
	switch d, r := o.declared.Presence, o.recorded.Presence; {
	case d == messages.Unknown:
		return verdict{reason: ReasonUnknownDeclared}
	case r == messages.Unknown:
		return verdict{reason: ReasonUnknownRecorded}
	case d == messages.Present && r == messages.Absent:
		return decideInsert(o, p)
	case d == messages.Absent && r == messages.Present:
		return decideDelete(o, p)
	case d == messages.Absent:
		return verdict{reason: ReasonGone, retire: o.flight == nil}
	}
	return decideUpdate(o, p)
}

func decideInsert(o *observations, p Policy) verdict {
	state, known := observedState(o)
	v := verdict{state: state, reason: ReasonInsert}
	if ready := o.recorded.ReadAt.Add(p.TwinRetry); o.twin != "" && o.now.Before(ready) {
		v.held, v.wake = &messages.Held{What: "insert", Why: ReasonTwin + o.twin}, ready
		return v
	}
	if o.seenRow {
		if why, until := holdOf(o); why != "" {
			return hold(v, "insert", why, until)
		}
		if !settled(o, p) {
			return settling(v, o, p)
		}
	}
	if !known {
		state = messages.Pending
	}
	entry, _ := arbitrate(o)
	o.declared.Entry = *entry
	v.want = insert(o, state)
	return v
}

func decideDelete(o *observations, p Policy) verdict {
	v := verdict{reason: ReasonDelete}
	if why, until := holdOf(o); why != "" {
		return hold(v, "delete", why, until)
	}
	if !settled(o, p) {
		return settling(v, o, p)
	}
	if !o.permit.Granted {
		v.held = &messages.Held{What: "delete", Why: o.permit.Why, Hash: o.permit.Hash}
		v.busy = o.permit.Why == ""
		if v.busy {
			v.held.Why = ReasonGuard
		}
		return v
	}
	v.want = remove(o)
	return v
}

func decideUpdate(o *observations, p Policy) verdict {
	state, known := observedState(o)
	entry, mixed := arbitrate(o)
	if mixed {
		return hold(verdict{}, "state_changed", ReasonMixed, o.mixedSince.Add(mixedHold))
	}
	o.declared.Entry = *entry
	v := verdict{state: state, reason: quietReason(o, known)}
	v.differs = drift(o)
	setState := known && string(state) != o.recorded.Row.State
	if setState {
		v.reason = ReasonState
		if why, until := stateHold(o); why != "" {
			v, setState = hold(v, "state_changed", why, until), false
		} else if why, ready := notYetNews(o, p); why != "" {
			v.reason, v.wake, v.busy = why, ready, true
			return v
		}
	}
	if ready := o.lastDrift.Add(p.CommitEvery); v.differs != 0 && !setState && o.now.Before(ready) {
		v.reason, v.wake, v.busy = ReasonPaced, ready, true
		return v
	}
	if setState || v.differs != 0 {
		v.want = update(o, state, setState, v.differs)
		v.want.Patient = flaps(o, p)
		if !setState && v.held == nil {
			v.reason = ReasonDrift
		}
	}
	return v
}

// notYetNews says why a change of state is not announced yet, and when it will be.
func notYetNews(o *observations, p Policy) (why string, ready time.Time) {
	if ready = o.lastCommit.Add(p.CommitEvery); o.now.Before(ready) {
		return ReasonPaced, ready
	}
	if ready = o.lastFlip.Add(p.Vanish); o.now.Before(ready) && vanishing(o) {
		return ReasonVanishing, ready
	}
	return "", time.Time{}
}

// flaps: it swallowed changes, and its last commit was about one pace ago.
func flaps(o *observations, p Policy) bool {
	return o.flips > 1 && o.now.Before(o.lastCommit.Add(2*p.CommitEvery))
}

// vanishing says whether an expected service has no container, or one that was never started: what compose leaves while
// it is at work.
func vanishing(o *observations) bool {
	entry, _ := arbitrate(o)
	for _, svc := range expected(entry.Services) {
		if state, there := best(svc, o.runtime.Services); !there || state == "created" {
			return true
		}
	}
	return false
}

func quietReason(o *observations, known bool) string {
	switch {
	case known:
		return ReasonConverged
	case !o.runtime.Known:
		return ReasonUnknownObserved
	case o.runtime.Refused != "":
		return ReasonAmbiguous
	}
	return ReasonNothingExpected
}

// settled says whether the intent has lasted, and file and row have both been read again since it arose.
func settled(o *observations, p Policy) bool {
	return !o.now.Before(o.intent.since.Add(p.Settle)) && !o.rereadAt.Before(o.intent.since)
}

func settling(v verdict, o *observations, p Policy) verdict {
	v.busy, v.reason = true, ReasonSettling
	v.reread = o.rereadAt.Before(o.intent.since)
	if due := o.intent.since.Add(p.Settle); o.now.Before(due) {
		v.wake = due
	}
	return v
}

// holdOf names the operation of DECNET that forbids taking rows away, bringing them back and changing states.
func holdOf(o *observations) (why string, until time.Time) {
	switch {
	case o.now.Before(o.holds.Deploy):
		return ReasonDeployOpen, o.holds.Deploy
	case o.now.Before(o.holds.Mutate):
		return ReasonMutateOpen, o.holds.Mutate
	case o.now.Before(o.notYet):
		return ReasonDeployOpen, o.notYet
	}
	return "", time.Time{}
}

func stateHold(o *observations) (why string, until time.Time) {
	switch why, until = holdOf(o); {
	case why != "":
		return why, until
	case o.now.Before(o.holds.Redeploy):
		return ReasonRedeploy, o.holds.Redeploy
	case o.now.Before(o.holds.Remake) && vanishing(o):
		return ReasonRedeploy, o.holds.Remake
	}
	return "", time.Time{}
}

func hold(v verdict, what, why string, until time.Time) verdict {
	v.held = &messages.Held{What: what, Why: why, Until: messages.Moment{Time: until}}
	v.reason, v.wake = why, until
	return v
}
