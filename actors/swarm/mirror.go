package swarm

import (
	"context"
	"errors"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// mirrorBatch bounds the transitions and rows of one transaction. Source: measured on SQLite, 250 new rows take 25 ms and
	// 250 changes of state 12; DECNET's own writers wait no longer than a batch.
	mirrorBatch = 512
	// mirrorDeadline bounds a transaction. Source: below the 30 s that a worker waits for its ack.
	mirrorDeadline = 20 * time.Second
	// restShare is the part of a transaction's length that the database is left alone after it, for DECNET's own writers.
	// Source: measured in a stream of 10,000 transitions a second, with which the hub keeps up: they wait 19 ms in the median, 110 at
	// p99, 230 at most. When a transaction took longer, 2 made the p99 106 ms, 1 made it 58 and a fifth less was committed, 4 made it 180.
	restShare = 2
	// minRest is the least pause after one. Source: that of the store.
	minRest = 2 * time.Millisecond
)

// Mirrored tells the members what is in the table now.
type Mirrored struct {
	HostUUID string
	Rows     []messages.MirrorRow
	Gone     []string
	Refused  []messages.ShipRefusal
}

// errNotOwner and errListing make a worker ship again.
var (
	errNotOwner = errors.New("this hub does not own its database: another process does, or none yet")
	errListing  = errors.New("a part of the listing is missing: begin it again")
)

// MirrorConfig is what the mirror needs. All fields are required.
type MirrorConfig struct {
	Rows      Mirrors
	Store     Teller // gets OwnershipWanted
	Publisher Teller // gets OutboxAppended
	View      Teller // gets OutboxAppended
	Members   Teller // gets Mirrored
}

// Mirror is the actor that writes what workers ship. It answers a messages.Delivery with a messages.Delivered, or an
// error that makes the worker ship again.
type Mirror struct {
	cfg     MirrorConfig
	known   bool
	token   int64
	queue   []waiting
	running []waiting
	busy    bool
	fails   int
	lists   map[string]*listing
}

// waiting is a delivery with whoever waits for its answer.
type waiting struct {
	c *supervise.Ctx
	d messages.Delivery
}

// listing gathers the names of one that comes in parts.
type listing struct {
	id    string
	next  int
	names map[string]bool
}

// NewMirror returns the actor; give it to a supervise.Spec.
func NewMirror(cfg MirrorConfig) *Mirror { return &Mirror{cfg: cfg, lists: map[string]*listing{}} }

type committed struct {
	out  []messages.Delivered
	held time.Duration
	err  error
}

// Receive handles one message.
func (m *Mirror) Receive(c *supervise.Ctx, msg any) {
	switch x := msg.(type) {
	case supervise.Started:
		m.ask(c)
	case messages.OwnershipChanged:
		m.known = true
		if m.token = 0; x.Owner {
			m.token = x.Token
		}
	case messages.Delivery:
		m.accept(c, x)
	case committed:
		m.committed(c, x)
	case messages.Tick:
		if x.Name == "ask" {
			m.ask(c)
			return
		}
		m.busy = false
	}
	m.next(c)
}

func (m *Mirror) ask(c *supervise.Ctx) {
	if !m.known {
		m.cfg.Store.Tell(messages.OwnershipWanted{})
		c.After(askEvery, messages.Tick{Name: "ask"})
	}
}

func (m *Mirror) accept(c *supervise.Ctx, d messages.Delivery) {
	if m.token == 0 {
		c.Respond(errNotOwner)
		return
	}
	if d.Batch.Slice != nil {
		var ok bool
		if d, ok = m.gather(d); !ok {
			c.Respond(errListing)
			return
		}
	}
	m.queue = append(m.queue, waiting{c, d})
}

// maxListed bounds the names of one listing. Source: twice what a state file can declare.
const maxListed = 1 << 17

// gather adds a part of a listing, and with the last one what is to stay.
func (m *Mirror) gather(d messages.Delivery) (messages.Delivery, bool) {
	s, l := d.Batch.Slice, m.lists[d.HostUUID]
	if s.Part == 0 {
		l = &listing{id: s.ID, names: map[string]bool{}}
		m.lists[d.HostUUID] = l
	}
	if l == nil || l.id != s.ID || l.next != s.Part || len(l.names)+len(s.Rows) > maxListed {
		delete(m.lists, d.HostUUID)
		return d, false
	}
	l.next++
	for _, r := range s.Rows {
		l.names[r.Name] = true
	}
	if s.Last {
		delete(m.lists, d.HostUUID)
		d.Keep = l.names
	}
	return d, true
}

// next puts as many deliveries as fit into one transaction.
func (m *Mirror) next(c *supervise.Ctx) {
	if m.busy || len(m.queue) == 0 {
		return
	}
	n, size := 0, 0
	for n < len(m.queue) && (n == 0 || size+weight(m.queue[n].d) <= mirrorBatch) {
		size += weight(m.queue[n].d)
		n++
	}
	m.running, m.queue, m.busy = m.queue[:n:n], m.queue[n:], true
	batch := make([]messages.Delivery, n)
	for i, w := range m.running {
		batch[i] = w.d
	}
	token, rows := m.token, m.cfg.Rows
	c.Go("mirror", func(ctx context.Context) {
		limited, cancel := context.WithTimeout(ctx, mirrorDeadline)
		defer cancel()
		out, held, err := rows.Mirror(limited, token, batch)
		c.After(0, committed{out, held, err})
	})
}

func weight(d messages.Delivery) int {
	n := 1 + len(d.Batch.Events)
	if d.Batch.Slice != nil {
		n += len(d.Batch.Slice.Rows)
	}
	return n
}

// committed answers everybody: only now may a worker forget what it shipped.
func (m *Mirror) committed(c *supervise.Ctx, x committed) {
	running := m.running
	m.running = nil
	if x.err != nil {
		m.failed(c, running, x.err)
		return
	}
	m.fails = 0
	var queued []messages.OutboxRow
	for i, d := range x.out {
		queued = append(queued, d.Queued...)
		if len(d.Rows)+len(d.Gone)+len(d.Refused) > 0 {
			m.cfg.Members.Tell(Mirrored{HostUUID: running[i].d.HostUUID, Rows: d.Rows, Gone: d.Gone, Refused: d.Refused}) // refused: it reads the table
		}
	}
	if len(queued) > 0 { // first, so that whoever hears an ack finds the publisher informed
		appended := messages.OutboxAppended{Rows: queued}
		m.cfg.Publisher.Tell(appended) // a full mailbox is no loss: the publisher reads on from the outbox itself
		m.cfg.View.Tell(appended)
	}
	for i, w := range running {
		if err := x.out[i].Err; err != nil && !w.d.Forget {
			c.Log().Error().Err(err).Str("host", w.d.HostUUID).Msg("what a worker ships cannot be mirrored: it ships it again")
			delete(m.lists, w.d.HostUUID)
		}
		w.c.Respond(x.out[i])
	}
	m.rest(c, max(x.held/restShare, minRest))
}

func (m *Mirror) failed(c *supervise.Ctx, running []waiting, err error) {
	if errors.Is(err, messages.ErrFenced) {
		m.token, m.known = 0, false
		m.ask(c)
	}
	c.Log().Warn().Err(err).Int("deliveries", len(running)).Msg("rows of workers cannot be mirrored: they ship them again")
	for _, w := range running {
		delete(m.lists, w.d.HostUUID)
		w.c.Respond(err)
	}
	m.rest(c, supervise.Retry(m.fails, 0.5, supervise.RetryFirst, supervise.RetryMost))
	m.fails++
}

func (m *Mirror) rest(c *supervise.Ctx, d time.Duration) { c.After(d, messages.Tick{Name: "rested"}) }
