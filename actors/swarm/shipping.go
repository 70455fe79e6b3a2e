package swarm

import (
	"context"
	"errors"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// errand is what one round is to do; it is a value, so that the goroutine shares nothing with the actor.
type errand struct {
	origin string
	after  int64
	limit  int
	list   bool // ship all rows, if nothing else waits
	id     string
}

// shipped is what a round came to.
type shipped struct {
	origin string
	ids    []int64 // that the hub has
	single *messages.Shipped
	more   bool // the outbox may have more
	listed bool
	ack    messages.ShipAck
	err    error
}

// next begins a round if there is one to make.
func (s *Shipper) next(c *supervise.Ctx) {
	if s.busy || s.wait != nil || !s.owner || s.link.Phase != messages.LinkConnected || len(s.acks) > ackLimit {
		return
	}
	list := !s.listed && s.cfg.Whole()
	if !s.behind && !list {
		if !s.listed {
			s.again(c, askEvery)
		}
		return
	}
	s.busy, s.behind = true, false
	e := errand{origin: s.origin, after: s.upTo, limit: shipLimit, list: list, id: s.cfg.NewID()}
	if s.apart > 0 {
		e.limit = 1
	}
	table, hub := s.cfg.Table, s.cfg.Hub
	c.Go("ship", func(ctx context.Context) { c.After(0, e.run(ctx, table, hub)) })
}

// run makes one round.
func (e errand) run(ctx context.Context, table Table, hub Hub) (r shipped) {
	if r.origin = e.origin; r.origin == "" {
		if r.origin, r.err = table.Origin(ctx); r.err != nil {
			return r
		}
	}
	events, err := table.Shippable(ctx, e.after, e.limit)
	if r.err = err; err != nil {
		return r
	}
	if len(events) == 0 {
		e.runList(ctx, table, hub, &r)
		return r
	}
	r.more = len(events) == e.limit
	if len(events) == 1 {
		r.single = &events[0]
	}
	if r.ack, r.err = hub.Ship(ctx, messages.ShipBatch{Origin: r.origin, Events: events}); r.err == nil {
		for _, x := range events {
			r.ids = append(r.ids, x.ID)
		}
	}
	return r
}

func (e errand) runList(ctx context.Context, table Table, hub Hub, r *shipped) {
	if !e.list {
		return
	}
	rows, caughtUp, err := table.Slice(ctx, e.after)
	if r.err = err; err != nil {
		return
	}
	if r.more = !caughtUp; !caughtUp {
		return
	}
	r.ack, r.err = hub.Ship(ctx, messages.ShipBatch{Origin: r.origin, Slice: &messages.Slice{ID: e.id, Last: true, Rows: rows}})
	r.listed = r.err == nil || errors.Is(r.err, messages.ErrShipNever)
}

func (s *Shipper) shipped(c *supervise.Ctx, m shipped) {
	s.busy, s.origin = false, m.origin
	s.behind = s.behind || m.more
	s.listed = s.listed || m.listed
	switch {
	case m.err == nil:
		s.took(c, m)
	case errors.Is(m.err, messages.ErrShipNever):
		s.never(c, m)
	default:
		s.failed(c, m.err)
	}
}

func (s *Shipper) took(c *supervise.Ctx, m shipped) {
	s.fails = 0
	s.report.works(c)
	if n := len(m.ids); n > 0 {
		s.upTo = m.ids[n-1]
		s.acks = append(s.acks, m.ids...)
		s.apart = max(0, s.apart-n)
		s.report.due = true
		s.tellStore(c)
	}
	for _, r := range m.ack.Refused[:min(len(m.ack.Refused), maxTold)] {
		s.refused(c, r)
	}
	s.report.refused += int64(max(0, len(m.ack.Refused)-maxTold))
}

// maxTold bounds what is told of one answer. Chosen: a screenful; the hub's audit counts the rest.
const maxTold = 16

// never: the hub will not take a batch. Shipped one by one, only what it is about is given up.
func (s *Shipper) never(c *supervise.Ctx, m shipped) {
	s.behind = true
	if m.listed {
		s.refused(c, messages.ShipRefusal{Name: "*", Why: m.err.Error()})
		return
	}
	if m.single == nil {
		s.apart = shipLimit
		return
	}
	s.refused(c, messages.ShipRefusal{EventID: m.single.EventID, Name: m.single.Name, Why: m.err.Error()})
	m.ids, m.ack = []int64{m.single.ID}, messages.ShipAck{}
	s.took(c, m)
}

// refused tells what the hub will never take. The row here stays as it is.
func (s *Shipper) refused(c *supervise.Ctx, r messages.ShipRefusal) {
	s.report.refused++
	c.Log().Error().Str("decky", r.Name).Str("event_id", r.EventID).Str("reason", r.Why).Msg("the hub refuses a transition")
	s.cfg.View.Tell(messages.EventHappened{Event: messages.Event{At: messages.Moment{Time: c.Now()}, Type: "refused", Target: r.Name, Cause: r.Why}})
}

func (s *Shipper) failed(c *supervise.Ctx, err error) {
	s.behind = true
	if !errors.Is(err, messages.ErrHubAway) {
		s.report.failed(c, err)
	}
	s.again(c, supervise.Retry(s.fails, s.cfg.Jitter(), supervise.RetryFirst, supervise.RetryMost))
	s.fails++
}

func (s *Shipper) again(c *supervise.Ctx, d time.Duration) {
	if s.wait == nil {
		s.wait = c.After(d, messages.Tick{Name: "again"})
	}
}
