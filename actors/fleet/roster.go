package fleet

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// retell is how long the fleet waits before it tells again what a full mailbox refused. Chosen: a decky handles its
// 256 messages in far less.
const retell = 50 * time.Millisecond

// enrol returns the member of that name, made if need be.
func (f *Fleet) enrol(c *supervise.Ctx, name string) *member {
	if m := f.roll[name]; m != nil {
		return m
	}
	m := &member{declared: messages.DeclaredObserved{Presence: f.file.presence(name)}}
	if f.table {
		m.recorded.Presence = messages.Absent
	}
	f.roll[name] = m
	if f.open {
		f.hire(c, name, m)
	}
	return m
}

// hire starts a decky's actor, or finds it where an earlier incarnation of the fleet started it, and tells it everything
// known.
func (f *Fleet) hire(c *supervise.Ctx, name string, m *member) {
	if m.ref != nil {
		return
	}
	m.ref = c.Spawn(f.cfg.Child(name))
	m.broken = m.ref.Stats().State == supervise.Quarantined
	m.holds, m.pause = f.holdsOf(name), f.pauses.of(name)
	if f.again {
		f.tell(m, messages.OrdersLost{})
	}
	f.facts(m, name)
}

// everybody tells all deckies.
func (f *Fleet) everybody(c *supervise.Ctx, msg any) {
	for _, m := range f.roll {
		f.tell(m, msg)
	}
	f.mind(c)
}

// facts tells a decky everything known about it.
func (f *Fleet) facts(m *member, name string) {
	if m == nil {
		return
	}
	if m.reply != nil && m.ref.Tell(*m.reply) {
		m.reply = nil
	}
	m.untold = m.reply != nil
	f.refused = f.refused || m.untold
	told := messages.FactsTold{Pause: m.pause, Holds: m.holds, Permit: m.permit, Runtime: f.runtimeOf(name), Declared: m.declared, Recorded: m.recorded}
	for _, p := range f.passes {
		if p.marked[name] {
			told.Marks = append(told.Marks, messages.PassMark{Token: p.token})
		}
	}
	f.tell(m, told)
}

func (f *Fleet) runtimeOf(name string) messages.RuntimeObserved {
	if !f.docker {
		return messages.RuntimeObserved{}
	}
	o := f.seen.of(name)
	o.Cause, o.ReadAt = "list", f.readAt[messages.SourceObserved]
	return o
}

// tellAgain tells those everything whose mailbox was full.
func (f *Fleet) tellAgain(c *supervise.Ctx) {
	f.refused = false
	for name, m := range f.roll {
		if m.untold && !m.broken {
			m.untold = false
			f.tell(m, messages.OrdersLost{}) // whatever was refused, an answer may have been among it
			f.facts(m, name)
		}
	}
	f.mind(c)
}

// tell passes a message on; whoever's mailbox is full hears everything again.
func (f *Fleet) tell(m *member, msg any) {
	if m.ref != nil && !m.ref.Tell(msg) {
		m.untold, f.refused = true, true
	}
}

// mind sets a timer if somebody's mailbox was full.
func (f *Fleet) mind(c *supervise.Ctx) {
	if f.refused && !f.untold {
		f.untold = true
		c.After(retell, messages.Tick{Name: "untold"})
	}
}

// retire ends the actor of a decky that neither file nor table know. Whoever changed his mind meanwhile stays.
func (f *Fleet) retire(c *supervise.Ctx, name string) {
	m := f.roll[name]
	if m == nil || m.declared.Presence != messages.Absent || m.recorded.Presence != messages.Absent {
		return
	}
	delete(f.roll, name)
	if m.ref != nil {
		c.Retire(m.ref)
	}
	f.cfg.View.Tell(messages.DeckyGone{Name: name})
	delete(f.wave.wanting, name)
	f.dropMark(c, name)
	f.stale = true
	f.soon(c)
}

// reattribute judges the unlabelled containers anew after a name or a service came or went.
func (f *Fleet) reattribute() {
	f.stale = false
	if !f.docker {
		return
	}
	told := map[string]bool{}
	for _, name := range f.seen.again(f.roll) {
		if m := f.roll[name]; m != nil && !told[name] {
			told[name] = true
			o := f.seen.of(name)
			o.ReadAt = f.readAt[messages.SourceObserved]
			f.tell(m, o)
		}
	}
}

// recovered: a decky that asks for its facts lives, whatever was last heard of it.
func (f *Fleet) recovered(name string) {
	if m := f.roll[name]; m != nil && m.broken {
		m.broken = false
		f.cfg.View.Tell(messages.DeckyCrashed{Name: name, Reason: "tried again, and it runs"})
	}
}

// crashed orders the row of a decky in quarantine to say so. The row's state stays: nothing is known against it.
func (f *Fleet) crashed(c *supervise.Ctx, d messages.DeckyCrashed) {
	m := f.roll[d.Name]
	if m == nil {
		return
	}
	m.broken = d.Quarantined
	if !d.Quarantined || m.recorded.Presence != messages.Present || m.pause.Paused {
		return
	}
	state, cause := m.recorded.Row.State, "crash"
	if d.Ordered {
		cause = "control"
	}
	f.cfg.Store.Tell(messages.RowChange{Name: d.Name, Kind: messages.UpdateRow, Prev: state, State: messages.State(state),
		SetLastError: true, LastError: "fleetd: quarantined: " + d.Reason, EventID: f.cfg.NewID(),
		Transition: messages.Transition{HostUUID: f.cfg.HostUUID, Name: d.Name, State: state, Source: "fleet",
			Transition: messages.TransitionQuarantined, Cause: cause, ObservedAt: messages.Moment{Time: c.Now()}}})
}
