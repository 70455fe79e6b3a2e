package database

import (
	"maps"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// event takes one shipped transition.
func (m *mirroring) event(i int, h *mirrored, origin string, e messages.Shipped, x meaning) {
	t, next, why := x.t, x.row, x.why
	have, k := h.now[e.Name], h.known[e.Name]
	s := sight{memo: k, queued: m.waiting[e.EventID], host: h.host, there: have.there, twin: m.twin(h.host, e.Name)}
	_, s.known = h.known[e.Name]
	s.same = have.sameAs(next.when(t, have), m.db.cfg.Digest)
	v := announce
	if why == "" {
		v, why = judgeShipped(origin, e, t, s)
	}
	switch {
	case why != "":
		m.refuse(i, e.EventID, e.Name, why)
		return
	case v == repeated:
		return
	case v == announce:
		if t.Transition == messages.TransitionInserted && s.known && have.there {
			t = insertedAgain(t, have)
		}
		k.rev, k.last = k.rev+1, e.EventID
		m.announceAs(i, h, retold(h.host, e, t, k.rev))
	}
	k.origin, k.originRev = origin, e.Rev
	next.cause = t.Cause
	m.put(i, h, e.Name, next, k)
}

// causeListed is the cause of what the hub finds out by comparing its table with a listing.
const causeListed = "resync"

// listed takes one row of a listing. The row is the host's word; that the table differs means that somebody else wrote
// it, or that a transition was lost with the host's own database.
func (m *mirroring) listed(i int, h *mirrored, name string, x meaning) {
	next, why := x.row, x.why
	have := h.now[name]
	if twin := m.twin(h.host, name); why == "" && !have.there && twin != "" {
		why = "another host has a decky of this name: " + twin
	}
	if why != "" {
		m.refuse(i, "", name, why)
		return
	}
	k, known := h.known[name]
	if have.sameAs(next, m.db.cfg.Digest) {
		if !known {
			m.put(i, h, name, have, k) // it is the host's from now on
		}
		return
	}
	t := messages.Transition{Name: name, State: next.state, Transition: messages.TransitionInserted, Cause: causeListed, ObservedAt: messages.Moment{Time: m.now}}
	if have.there {
		t = insertedAgain(t, have)
	}
	m.own(i, h, t, next, k)
}

// sweep removes what a whole listing no longer has, of the rows that the host reported once.
func (m *mirroring) sweep(i int, h *mirrored, keep map[string]bool) {
	for _, name := range slices.Sorted(maps.Keys(h.known)) {
		if !keep[name] && h.now[name].there {
			m.gone(i, h, name, causeListed)
		}
	}
}

// forget removes every row of a host that is enrolled no longer.
func (m *mirroring) forget(i int, h *mirrored, by string) {
	if !h.left {
		m.out[i].Err = messages.ErrEnrolled
		return
	}
	n := 0
	for _, name := range slices.Sorted(maps.Keys(h.now)) {
		if h.now[name].there {
			n++
			m.gone(i, h, name, "forgotten: "+by)
		}
	}
	if n == 0 {
		m.out[i].Err = messages.ErrNoSuchHost
	}
}

func (m *mirroring) gone(i int, h *mirrored, name, cause string) {
	t := messages.Transition{Name: name, State: string(messages.TornDown), Transition: messages.TransitionDeleted, PreviousState: h.now[name].state,
		Cause: clip(literal(cause), maxWord), ObservedAt: messages.Moment{Time: m.now}}
	m.own(i, h, t, mirrorState{}, h.known[name])
}

// own announces a change that the hub found out itself.
func (m *mirroring) own(i int, h *mirrored, t messages.Transition, next mirrorState, k memo) {
	k.rev++
	k.last = messages.NewEventID(m.now)
	t.HostUUID, t.Source, t.Rev, t.EventID = h.host, "fleet", k.rev, k.last
	m.announceAs(i, h, t)
	next.cause = t.Cause
	m.put(i, h, t.Name, next, k)
}

func (m *mirroring) announceAs(i int, h *mirrored, t messages.Transition) {
	m.writes.moves = append(m.writes.moves, move{t, laneOf(h.host, t.Name), t.Rev, t.EventID})
	m.waiting[t.EventID] = h.host
	m.at = append(m.at, i)
}

func (m *mirroring) put(i int, h *mirrored, name string, next mirrorState, k memo) {
	if next.there {
		m.twins[name] = h.host
	}
	h.now[name], h.known[name], h.touched[name], h.fresh[name] = next, k, i, true
}

// twin is another host that has a row of the name.
func (m *mirroring) twin(host, name string) string {
	if t := m.twins[name]; t != host {
		return t
	}
	return ""
}

func (m *mirroring) refuse(i int, event, name, why string) {
	m.out[i].Refused = append(m.out[i].Refused, messages.ShipRefusal{EventID: event, Name: name, Why: clip(why, maxText)})
}
