package store

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Rows writes to the table.
type Rows interface {
	// Apply writes a batch in one transaction under the lease token; names are unique within it, replies in its order.
	// The outbox rows are those it committed. ErrFenced means that the lease is somebody else's.
	Apply(ctx context.Context, token int64, batch []messages.RowChange) ([]messages.RowReply, []messages.OutboxRow, error)
	// Acknowledge deletes outbox rows.
	Acknowledge(ctx context.Context, ids []int64) error
}

// Leases keeps the row that says who owns a host.
type Leases interface {
	Look(ctx context.Context) (messages.Lease, error)
	// Take takes the lease if it still is as seen; ErrLeaseMoved otherwise.
	Take(ctx context.Context, seen messages.Lease) (messages.Lease, error)
	// Beat moves it; ErrFenced if the token is not ours any more.
	Beat(ctx context.Context, token int64) error
	// Release gives it up, so that a successor need not wait.
	Release(ctx context.Context, token int64) error
}

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what the store needs. All fields are required.
type Config struct {
	Rows      Rows
	Leases    Leases
	Fleet     Teller
	Publisher Teller
	Pulse     Teller
	View      Teller
	BootID    string
	StateDir  string
	Jitter    func() float64
	// Deadline of one transaction. 0 means 10s: two statements' worth of waiting for a lock.
	Deadline time.Duration
}

// Store is the actor.
type Store struct {
	cfg     Config
	orders  *orders
	running []messages.RowChange // the batch at the database
	undone  map[string]uint64    // orders withdrawn while they were there, by decky
	acks    []int64
	busy    bool // something is at the database
	resting bool // the pause after a transaction, or a backoff
	fails   int

	gathering          bool // what is not urgent waits for company
	rowsRipe, acksRipe bool // and has waited long enough

	broken string // what the database last said; "" while it works
	unsent []any  // replies the fleet's full mailbox refused; nothing is written before they are told

	token  int64 // 0: not the owner
	watch  watch
	lease  messages.ComponentStatus // as last reported
	unlook func()                   // cancels the lease's timer

	open map[string]time.Time // statements the database has not answered, by what they are for: since when
}

// New returns the actor; give it to a supervise.Spec.
func New(cfg Config) *Store {
	if cfg.Deadline == 0 {
		cfg.Deadline = 10 * time.Second
	}
	return &Store{cfg: cfg, orders: newOrders(), open: map[string]time.Time{}}
}

// What comes back from the database.
type (
	applied struct {
		replies []messages.RowReply
		outbox  []messages.OutboxRow
		err     error
		took    time.Duration
	}
	acknowledged struct {
		ids  []int64
		err  error
		took time.Duration
	}
	looked struct {
		lease messages.Lease
		err   error
	}
	taken struct {
		lease messages.Lease
		err   error
	}
	beaten struct{ err error }
)

// Receive handles one message.
func (s *Store) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		if m.Incarnation > 1 {
			s.unsent = append(s.unsent, messages.StoreRestarted{})
			s.send(c)
			s.broken = "the store has just restarted" // so that the first success is told
		}
		s.look(c)
	case supervise.Stopping:
	case messages.RowChange:
		s.orders.put(m)
		s.next(c)
	case messages.WithdrawRow:
		s.withdraw(c, m)
	case messages.OutboxAcknowledged:
		s.acks = append(s.acks, m.IDs...)
		s.next(c)
	case messages.ReportsWanted:
		s.reportAll(c)
	case messages.GetQuiesced:
		c.Respond(s.waiting())
	case messages.GetStatementAge:
		c.Respond(messages.StatementAge{Age: s.oldest(c.Now()), Deadline: s.cfg.Deadline})
	case messages.OwnershipWanted:
		s.tellOwner(messages.OwnershipChanged{Owner: s.token != 0, Token: s.token})
	case messages.Tick:
		s.tick(c, m)
	default:
		s.answered(c, msg)
	}
}

func (s *Store) tick(c *supervise.Ctx, m messages.Tick) {
	switch m.Name {
	case "send":
		s.send(c)
		s.next(c)
	case "rested":
		s.resting = false
		s.next(c)
	case "gathered":
		s.gathering, s.rowsRipe, s.acksRipe = false, s.orders.len() > 0, len(s.acks) > 0
		s.next(c)
	case "lease":
		if s.token != 0 {
			s.beat(c)
			return
		}
		s.look(c)
	}
}

// waiting counts what is not done yet: orders, the batch at the database, outbox rows to be deleted.
func (s *Store) waiting() int64 {
	n := s.orders.len() + len(s.running) + len(s.acks)
	if s.busy {
		n++
	}
	return int64(n)
}

// answered handles what the database said.
func (s *Store) answered(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case applied:
		delete(s.open, "apply")
		s.applied(c, m)
	case acknowledged:
		delete(s.open, "acknowledge")
		s.acknowledged(c, m)
	case looked:
		delete(s.open, "lease")
		s.looked(c, m)
	case taken:
		delete(s.open, "lease")
		s.taken(c, m)
	case beaten:
		delete(s.open, "lease")
		s.beaten(c, m)
	}
}

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
	case rows+acks > 0 && !s.gathering:
		s.gathering = true
		c.After(company, messages.Tick{Name: "gathered"})
	}
}

// company is how long what is not urgent waits for more of its kind: acknowledgements, and changes of deckies that flap.
// Source: measured in a storm on 100 deckies, where each in a transaction of its own kept the database busy without rest.
const company = 25 * time.Millisecond

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
