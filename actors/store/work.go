package store

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// next puts the next piece of work to the database: one at a time, acknowledgements after rows.
func (s *Store) next(c *supervise.Ctx) {
	if s.token == 0 || s.busy || s.resting || len(s.unsent) > 0 {
		return
	}
	switch rows, acks := s.orders.len(), len(s.acks); {
	case s.orders.urgent > 0 || rows >= MaxBatch || rows > 0 && s.rowsRipe:
		s.rowsRipe = false
		s.apply(c)
	case acks >= maxAcks || acks > 0 && s.acksRipe:
		s.acksRipe = false
		s.acknowledge(c)
	default:
		s.gather(c, rows > 0, acks > 0)
	}
}

// gather has what is not urgent wait for more of its kind.
func (s *Store) gather(c *supervise.Ctx, rows, acks bool) {
	if rows && !s.gathering {
		s.gathering = true
		c.After(company, messages.Tick{Name: "gathered"})
	}
	if acks && !s.collecting {
		s.collecting = true
		c.After(ackCompany, messages.Tick{Name: "collected"})
	}
}

// company is how long changes of deckies that flap wait for more of their kind. Source: measured in a storm on 100 deckies,
// where it took the p99 of other deckies from 60 % above its rest to 29 %.
const company = 25 * time.Millisecond

// ackCompany is the same for acknowledgements: a row that is deleted late costs a repetition if we are killed, and each
// deletion is a commit that others wait for. Chosen: ten commits a second at most.
const ackCompany = 100 * time.Millisecond

func (s *Store) apply(c *supervise.Ctx) {
	batch, token := s.orders.take(), s.token
	if len(batch) == 0 {
		return
	}
	s.running = batch
	s.ask(c, "apply", func(ctx context.Context) any {
		began := c.Now()
		replies, outbox, err := s.cfg.Rows.Apply(ctx, token, batch)
		return applied{replies: replies, outbox: outbox, err: err, took: c.Now().Sub(began)}
	})
}

func (s *Store) applied(c *supervise.Ctx, m applied) {
	batch := s.running
	s.running = nil
	undone := s.undone
	s.undone = nil
	if m.err != nil {
		s.orders.putBack(s.stillWanted(batch, undone))
		s.send(c)
		s.failed(c, m.err)
		return
	}
	s.works(c)
	if len(m.outbox) > 0 { // first, so that whoever hears a reply finds the publisher informed
		appended := messages.OutboxAppended{Rows: m.outbox}
		s.cfg.Publisher.Tell(appended) // a full mailbox is no loss: the publisher reads on from the outbox itself
		s.cfg.View.Tell(appended)
	}
	for _, r := range m.replies {
		s.unsent = append(s.unsent, r)
	}
	s.send(c)
	s.rest(c, pause(m.took))
}

// resend is how long the store waits for a fleet whose mailbox is full. Chosen: nothing depends on it.
const resend = 10 * time.Millisecond

// send tells the fleet the replies in their order: a decky waits for each of them.
func (s *Store) send(c *supervise.Ctx) {
	for len(s.unsent) > 0 {
		if !s.cfg.Fleet.Tell(s.unsent[0]) {
			c.After(resend, messages.Tick{Name: "send"})
			return
		}
		s.unsent = s.unsent[1:]
	}
	s.unsent = nil
}

// maxAcks bounds one deletion from the outbox. Source: measured on SQLite, 512 take 20 ms and 2,048 take 25: most of it is the
// commit.
const maxAcks = 16 * MaxBatch

func (s *Store) acknowledge(c *supervise.Ctx) {
	ids := s.acks[:min(len(s.acks), maxAcks)]
	s.acks = s.acks[len(ids):]
	s.ask(c, "acknowledge", func(ctx context.Context) any {
		began := c.Now()
		err := s.cfg.Rows.Acknowledge(ctx, ids)
		return acknowledged{ids: ids, err: err, took: c.Now().Sub(began)}
	})
}

func (s *Store) acknowledged(c *supervise.Ctx, m acknowledged) {
	if m.err != nil {
		s.acks = append(m.ids, s.acks...)
		s.failed(c, m.err)
		return
	}
	s.works(c)
	s.rest(c, pause(m.took))
}

// ask runs one piece of work at the database and brings its answer back into the mailbox.
func (s *Store) ask(c *supervise.Ctx, name string, work func(ctx context.Context) any) {
	s.busy = true
	s.goAsk(c, name, work)
}

// goAsk does not count as busy: the lease goes its own way.
func (s *Store) goAsk(c *supervise.Ctx, name string, work func(ctx context.Context) any) {
	s.open[name] = c.Now()
	c.Go(name, func(ctx context.Context) {
		limited, cancel := context.WithTimeout(ctx, s.cfg.Deadline)
		defer cancel()
		c.After(0, work(limited)) // passes the mailbox's bound: an answer is never lost
	})
}

func (s *Store) rest(c *supervise.Ctx, d time.Duration) {
	s.busy, s.resting = false, true
	c.After(d, messages.Tick{Name: "rested"})
}
