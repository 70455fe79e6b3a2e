package decky

import (
	"github.com/decnet/decnet-fleetd/messages"
)

// ownError begins every last_error that fleetd wrote: no other text is ever cleared.
const ownError = "fleetd:"

func insert(o *observations, state messages.State) *messages.RowChange {
	c := order(o, messages.InsertRow, messages.TransitionInserted, state)
	c.Transition.Cause = "file"
	c.Vanished = o.seenRow
	return content(c, o)
}

func remove(o *observations) *messages.RowChange {
	c := order(o, messages.DeleteRow, messages.TransitionDeleted, messages.TornDown)
	c.Transition.Cause = "file"
	c.Prev = o.recorded.Row.State
	return c
}

// update writes state, configuration or both in one step, so that row and event never differ.
func update(o *observations, state messages.State, setState bool, changed columns) *messages.RowChange {
	prev := o.recorded.Row.State
	transition := messages.TransitionStateChanged
	if !setState {
		transition, state = messages.TransitionConfigChanged, messages.State(prev)
	}
	c := order(o, messages.UpdateRow, transition, state)
	c.Prev, c.SetState = prev, setState
	c.SetLastError = changed&columnLastError != 0
	c.Transition.Changed = changed.names()
	if setState {
		c.Transition.PreviousState = prev
		c.Transition.Coalesced = max(0, o.flips-1)
	}
	if changed&^columnLastError != 0 {
		return content(c, o)
	}
	return c
}

func order(o *observations, kind messages.ChangeKind, transition string, state messages.State) *messages.RowChange {
	at := o.now
	if e := o.runtime.EventAt; transition == messages.TransitionStateChanged && !e.IsZero() && e.After(o.lastCommit) {
		at = e
	}
	return &messages.RowChange{Kind: kind, State: state, Transition: messages.Transition{
		State: string(state), Transition: transition, Source: "fleet", Cause: o.cause, ObservedAt: messages.Moment{Time: at}}}
}

func content(c *messages.RowChange, o *observations) *messages.RowChange {
	d := &o.declared.Entry
	c.SetContent, c.ServicesJSON, c.ConfigJSON, c.IP = true, d.ServicesJSON, d.ConfigJSON, d.IP
	c.Services, c.Digest, c.LastMutated = d.Services, d.Digest, d.LastMutated
	return c
}

// sameOrder says whether the order at the store already does what is wanted now.
func sameOrder(a, b messages.RowChange) bool {
	return a.Kind == b.Kind && a.Prev == b.Prev && a.State == b.State && a.SetState == b.SetState &&
		a.SetContent == b.SetContent && a.ServicesJSON == b.ServicesJSON && a.ConfigJSON == b.ConfigJSON && a.IP == b.IP &&
		a.SetLastError == b.SetLastError && a.Vanished == b.Vanished
}

// step is what to do about the order at the store.
type step uint8

const (
	leave step = iota
	send
	takeBack
)

// steer compares what is wanted with what is under way. An order is superseded by a better one, and taken back when
// nothing is wanted any more: an hour without database must not end in an hour-old write.
func steer(f *flight, want *messages.RowChange) step {
	switch {
	case want == nil && f == nil:
		return leave
	case want == nil && f.withdrawn:
		return leave
	case want == nil:
		return takeBack
	case f == nil || f.withdrawn || !sameOrder(f.change, *want):
		return send
	}
	return leave
}
