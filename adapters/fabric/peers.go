package fabric

import (
	"cmp"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Peers lists all enrolled hosts by uuid.
func (h *Hub) Peers() []messages.Peer {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	out := make([]messages.Peer, 0, len(h.gate.seats))
	for _, s := range h.gate.seats {
		out = append(out, s.shown())
	}
	slices.SortFunc(out, func(a, b messages.Peer) int { return cmp.Compare(a.HostUUID, b.HostUUID) })
	return out
}

// shown is called under the gate's lock.
func (s *seat) shown() messages.Peer {
	p := s.peer
	p.Messages, p.Dropped = s.lane.taken.Load(), s.lane.dropped.Load()
	if last := s.lane.last.Load(); last != 0 {
		p.LastContact = messages.Moment{Time: time.Unix(0, last)}
	}
	return p
}

// came notes a worker's hello.
func (h *Hub) came(l *lane, v hello, now time.Time) {
	l.emit.Lock()
	defer l.emit.Unlock()
	if p, first := h.gate.greeted(l.host, v, now); first {
		h.cfg.Peer(messages.PeerEvent{HostUUID: l.host, Up: true, Peer: p})
	}
}

// gone notes the end of a connection, unless another has taken its place.
func (h *Hub) gone(cid uint64, why string) {
	s := h.gate.holder(cid)
	if s == nil {
		return
	}
	s.lane.emit.Lock()
	defer s.lane.emit.Unlock()
	s, was, is := h.gate.left(cid, h.cfg.Now())
	if !is {
		return
	}
	s.lane.calls.fail()
	if !was.up {
		return
	}
	h.gate.mu.Lock()
	p := s.shown()
	h.gate.mu.Unlock()
	h.cfg.Peer(messages.PeerEvent{HostUUID: p.HostUUID, Graceful: was.bye, Why: why, Peer: p})
}

// greeted notes what a worker says of itself; first: it was not up before.
func (g *gate) greeted(host string, v hello, now time.Time) (p messages.Peer, first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.seats[host]
	if s == nil || s.live.cid == 0 {
		return p, false // it has gone again
	}
	first = !s.live.up
	s.live.up = true
	s.peer.Connected, s.peer.Since = true, messages.Moment{Time: now}
	s.peer.Version, s.peer.Wire = quoted(v.Version), v.Wire
	return s.shown(), first
}

// goodbye notes that a worker will go on purpose.
func (g *gate) goodbye(host string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s := g.seats[host]; s != nil {
		s.live.bye = true
	}
}

func (g *gate) holder(cid uint64) *seat {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.byCID[cid]
}

func (g *gate) lanes() (all []*lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.seats {
		all = append(all, s.lane)
	}
	return all
}
