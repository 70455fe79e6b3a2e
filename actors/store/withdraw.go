package store

import (
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// withdraw takes an order back. One that is at the database may be done already: if it is not, it is not tried again.
func (s *Store) withdraw(c *supervise.Ctx, m messages.WithdrawRow) {
	if s.orders.withdraw(m.Name, m.Seq) {
		s.unsent = append(s.unsent, messages.RowReply{Name: m.Name, Seq: m.Seq, Outcome: messages.Withdrawn})
		s.send(c)
		return
	}
	if s.undone == nil {
		s.undone = map[string]uint64{}
	}
	s.undone[m.Name] = m.Seq
}

// stillWanted drops from a batch that failed what was withdrawn meanwhile, and answers that.
func (s *Store) stillWanted(batch []messages.RowChange, undone map[string]uint64) []messages.RowChange {
	kept := batch[:0:0]
	for _, x := range batch {
		if seq, taken := undone[x.Name]; taken && seq == x.Seq {
			s.unsent = append(s.unsent, messages.RowReply{Name: x.Name, Seq: x.Seq, Outcome: messages.Withdrawn})
			continue
		}
		kept = append(kept, x)
	}
	return kept
}
