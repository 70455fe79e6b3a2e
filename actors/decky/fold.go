package decky

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// observations is everything a decky knows. The zero value knows nothing.
type observations struct {
	now      time.Time
	declared messages.DeclaredObserved
	recorded messages.RecordedObserved
	runtime  messages.RuntimeObserved
	holds    messages.HoldsObserved
	permit   messages.DeletePermitted
	pause    string    // why the row is not to be written; "": it is
	rereadAt time.Time // file and table were both read by a look that began then

	seenRow bool   // a row was there before: bringing it back needs a settle
	twin    string // another host that has a row of this name; forgotten when the row's facts change
	notYet  time.Time
	// notYet is when the store may be asked again after it answered that an operation of DECNET is open.

	mixedSince time.Time // since when the containers fit neither list of services; zero: they do fit
	refused    *refusal  // what the database last refused of this decky alone; never changed in place
	intent     intent    // what is wanted at the moment, and since when
	flight     *flight   // the order at the store; never changed in place
	lastCommit time.Time // of a state change
	lastDrift  time.Time // commit of a change of other columns alone
	lastFlip   time.Time // when the aggregate last changed
	flips      int       // changes of the aggregate since the last commit
	last       messages.State
	rev        int64
	changedAt  time.Time
	cause      string // of the last fact that changed
	lastCause  string // of the last transition
}

// intent is a wish to insert or to delete that has to last before it is acted upon.
type intent struct {
	kind  messages.ChangeKind // 0: none
	since time.Time
}

// refusal is why the database would not write a change although it writes others.
type refusal struct {
	why string
	at  time.Time
}

// flight is an order at the store that has not been answered.
type flight struct {
	change    messages.RowChange
	flips     int
	withdrawn bool
}

// fold takes one message in. It changes facts only; what follows from them is decide's.
//
// The steps take a pointer to its own copy: by value each would copy a kilobyte, and ten thousand deckies grow their
// stacks for it at every burst.
func fold(o observations, msg any) observations {
	switch m := msg.(type) {
	case messages.FactsTold:
		o.holds, o.permit, o.pause = m.Holds, m.Permit, pausedBy(m.Pause)
		foldRuntime(&o, m.Runtime)
		foldEntry(&o, m.Declared)
		foldRow(&o, m.Recorded)
	case messages.DeclaredObserved:
		foldEntry(&o, m)
	case messages.RecordedObserved:
		foldRow(&o, m)
	case messages.RuntimeObserved:
		foldRuntime(&o, m)
	case messages.HoldsObserved:
		o.holds = m
	case messages.DeletePermitted:
		o.permit = m
	case messages.PauseObserved:
		o.pause = pausedBy(m)
	case messages.RereadDone:
		o.rereadAt = m.At
	case messages.RowReply:
		foldReply(&o, m)
	case messages.OrdersLost:
		o.flight = nil
	}
	foldMixed(&o)
	foldIntent(&o)
	foldFlips(&o)
	return o
}

func foldEntry(o *observations, m messages.DeclaredObserved) {
	if o.declared.Presence != messages.Unknown { // what is heard first changes nothing
		o.cause = "file"
	}
	o.declared = m
}

func foldRuntime(o *observations, m messages.RuntimeObserved) {
	o.runtime, o.cause = m, "docker:"+m.Cause
}

func foldRow(o *observations, m messages.RecordedObserved) {
	if o.recorded.Presence != messages.Unknown {
		o.cause = "database"
	}
	o.recorded, o.twin = m, ""
	if m.Presence == messages.Present {
		o.seenRow = true
	}
}

// heldRetry is how long a decky waits after the store found an open operation that no source has told of yet.
// Source: the table is probed every 2 s; by then the hold itself has arrived.
const heldRetry = 2 * time.Second

func foldReply(o *observations, m messages.RowReply) {
	cause := o.cause
	if m.Outcome != messages.Withdrawn && m.Outcome != messages.Unwritable {
		foldRow(o, messages.RecordedObserved{Presence: m.Presence, Row: m.Row, ReadAt: m.At})
	}
	o.cause = cause
	f := o.flight
	if f == nil || f.change.Seq != m.Seq {
		return
	}
	o.flight = nil
	switch m.Outcome {
	case messages.Committed:
		foldCommit(o, f, m)
	case messages.HeldBack:
		o.notYet = o.now.Add(heldRetry)
	case messages.Twinned:
		o.twin = m.Twin
	case messages.Unwritable:
		o.refused = &refusal{why: m.Why, at: o.now}
	case messages.Refused, messages.Withdrawn:
	}
}

func foldCommit(o *observations, f *flight, m messages.RowReply) {
	o.rev, o.changedAt, o.lastCause = m.Rev, m.At, f.change.Transition.Cause
	o.flips -= f.flips
	if f.change.Kind == messages.DeleteRow {
		o.seenRow = false
	}
	switch {
	case f.change.Kind != messages.UpdateRow:
	case f.change.SetState:
		o.lastCommit = o.now
	default:
		o.lastDrift = o.now
	}
}

// foldIntent notes since when an insert or a delete has been wanted without a break.
func foldIntent(o *observations) {
	var want messages.ChangeKind
	switch d, r := o.declared.Presence, o.recorded.Presence; {
	case d == messages.Present && r == messages.Absent:
		want = messages.InsertRow
	case d == messages.Absent && r == messages.Present:
		want = messages.DeleteRow
	}
	if want != o.intent.kind {
		o.intent = intent{kind: want, since: o.now}
	}
}

// foldFlips counts how often the containers' aggregate changed, so that a swallowed change is at least counted.
func foldFlips(o *observations) {
	agg, known := observedState(o)
	if !known || agg == o.last {
		return
	}
	if o.last != "" {
		o.flips++
		o.lastFlip = o.now
	}
	o.last = agg
}

// observedState is the aggregate of the declared services, where anything is known about them.
func observedState(o *observations) (messages.State, bool) {
	if !o.runtime.Known || o.runtime.Refused != "" || o.declared.Presence != messages.Present {
		return "", false
	}
	entry, mixed := arbitrate(o)
	if mixed {
		return "", false
	}
	return aggregate(expected(entry.Services), o.runtime.Services)
}
