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

	gathering, collecting bool // changes, acknowledgements wait for company
	rowsRipe, acksRipe    bool // and have waited long enough

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
	case messages.GetQuiesced: // somebody waits for the end: nothing waits for company
		s.acksRipe = len(s.acks) > 0
		s.next(c)
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
		s.gathering, s.rowsRipe = false, s.orders.len() > 0
		s.next(c)
	case "collected":
		s.collecting, s.acksRipe = false, len(s.acks) > 0
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
