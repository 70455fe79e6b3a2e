package swarm

import (
	"cmp"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// list is everybody, the hub among them, by name.
func (m *Members) list(now time.Time) []messages.Member {
	self := m.cfg.Self
	self.Deckies, self.Health, self.Paused = m.cfg.Own()
	self.Status, self.LastContact = messages.MemberUp, messages.Moment{Time: now}
	out := []messages.Member{self}
	for host, x := range m.all {
		p := x.peer
		out = append(out, messages.Member{HostUUID: host, Name: nameOf(host, x), Role: "worker", Status: cmp.Or(x.status, messages.MemberNever), Since: x.since, LastContact: p.LastContact,
			Address: p.Remote, Deckies: len(m.roster.rows[host]), Lag: x.beat.Pending, Version: p.Version, Skewed: p.Version != "" && p.Version != self.Version,
			Wire: p.Wire, CertExpires: p.CertExpires, SkewSeconds: x.skew, Health: x.beat.Health, Paused: x.beat.Paused, Dropped: p.Dropped, Refused: x.refused, Why: x.why})
	}
	slices.SortFunc(out, func(a, b messages.Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.HostUUID, b.HostUUID))
	})
	return out
}
