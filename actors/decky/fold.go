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
	pause    messages.PauseObserved
	rereadAt time.Time // file and table were both read by a look that began then

	seenRow bool   // a row was there before: bringing it back needs a settle
	twin    string // another host that has a row of this name; forgotten when the row's facts change
	notYet  time.Time
	// notYet is when the store may be asked again after it answered that an operation of DECNET is open.

	intent     intent    // what is wanted at the moment, and since when
	flight     *flight   // the order at the store; never changed in place
	lastCommit time.Time // of a state change
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

// flight is an order at the store that has not been answered.
type flight struct {
	change    messages.RowChange
	flips     int
	withdrawn bool
}

// fold takes one message in. It changes facts only; what follows from them is decide's.
func fold(o observations, msg any) observations {
	switch m := msg.(type) {
	case messages.DeclaredObserved:
		if o.declared.Presence != messages.Unknown { // what is heard first changes nothing
			o.cause = "file"
		}
		o.declared = m
	case messages.RecordedObserved:
		o = foldRow(o, m)
	case messages.RuntimeObserved:
		o.runtime, o.cause = m, "docker:"+m.Cause
	case messages.HoldsObserved:
		o.holds = m
	case messages.DeletePermitted:
		o.permit = m
	case messages.PauseObserved:
		o.pause = m
	case messages.RereadDone:
		o.rereadAt = m.At
	case messages.RowReply:
		o = foldReply(o, m)
	case messages.OrdersLost:
		o.flight = nil
	}
	return foldFlips(foldIntent(o))
}

func foldRow(o observations, m messages.RecordedObserved) observations {
	if o.recorded.Presence != messages.Unknown {
		o.cause = "database"
	}
	o.recorded, o.twin = m, ""
	if m.Presence == messages.Present {
		o.seenRow = true
	}
	return o
}

// heldRetry is how long a decky waits after the store found an open operation that no source has told of yet.
// Source: the table is probed every 2 s; by then the hold itself has arrived.
const heldRetry = 2 * time.Second

func foldReply(o observations, m messages.RowReply) observations {
	cause := o.cause
	if m.Outcome != messages.Withdrawn {
		o = foldRow(o, messages.RecordedObserved{Presence: m.Presence, Row: m.Row, ReadAt: m.At})
	}
	o.cause = cause
	f := o.flight
	if f == nil || f.change.Seq != m.Seq {
		return o
	}
	o.flight = nil
	switch m.Outcome {
	case messages.Committed:
		o = foldCommit(o, f, m)
	case messages.HeldBack:
		o.notYet = o.now.Add(heldRetry)
	case messages.Twinned:
		o.twin = m.Twin
	case messages.Refused, messages.Withdrawn:
	}
	return o
}

func foldCommit(o observations, f *flight, m messages.RowReply) observations {
	o.rev, o.changedAt, o.lastCause = m.Rev, m.At, f.change.Transition.Cause
	o.flips -= f.flips
	if f.change.Kind == messages.DeleteRow {
		o.seenRow = false
	}
	if f.change.Kind == messages.UpdateRow && f.change.SetState {
		o.lastCommit = o.now
	}
	return o
}

// foldIntent notes since when an insert or a delete has been wanted without a break.
func foldIntent(o observations) observations {
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
	return o
}

// foldFlips counts how often the containers' aggregate changed, so that a swallowed change is at least counted.
func foldFlips(o observations) observations {
	agg, known := observedState(o)
	if !known || agg == o.last {
		return o
	}
	if o.last != "" {
		o.flips++
	}
	o.last = agg
	return o
}

// observedState is the aggregate of the declared services, where anything is known about them.
func observedState(o observations) (messages.State, bool) {
	if !o.runtime.Known || o.runtime.Refused != "" || o.declared.Presence != messages.Present {
		return "", false
	}
	return aggregate(expected(o.declared.Entry.Services), o.runtime.Services)
}
