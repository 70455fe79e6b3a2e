package main

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/actors/publisher"
	"github.com/decnet/decnet-fleetd/actors/source"
	"github.com/decnet/decnet-fleetd/actors/store"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/metrics"
	"github.com/decnet/decnet-fleetd/messages"
)

// Everything is counted where it passes between actors and adapters: neither side knows of it.

// metered is an actor's code with a meter on it. It answers GetAlive in the actor's place.
type metered struct {
	inner supervise.Receiver
	meter *metrics.Meter
}

// Receive handles one message.
func (r metered) Receive(c *supervise.Ctx, msg any) {
	if _, is := msg.(messages.GetAlive); is {
		c.Respond(messages.Alive{})
		return
	}
	if !r.meter.Timed() {
		r.inner.Receive(c, msg)
		r.meter.Handled(msg)
		return
	}
	began := time.Now()
	r.inner.Receive(c, msg)
	r.meter.Took(time.Since(began))
	r.meter.Handled(msg)
}

// Snapshot is the actor's own.
func (r metered) Snapshot() string {
	if s, is := r.inner.(interface{ Snapshot() string }); is {
		return s.Snapshot()
	}
	return ""
}

// meter makes the meter of a kind of actor; nil without metrics.
func (p parts) meter(kind string) *metrics.Meter {
	if p.metrics == nil {
		return nil
	}
	return p.metrics.Meter(kind)
}

func onMeter(r supervise.Receiver, meter *metrics.Meter) supervise.Receiver {
	if meter == nil {
		return r
	}
	return metered{r, meter}
}

// metered puts a meter on an actor's code.
func (p parts) metered(kind string, produce func() supervise.Receiver) func() supervise.Receiver {
	meter := p.meter(kind)
	return func() supervise.Receiver { return onMeter(produce(), meter) }
}

// supervised counts what happens to actors.
func (p parts) supervised(e supervise.Event) {
	if p.metrics == nil {
		return
	}
	name := e.Kind + "/" + e.ID
	switch e.What {
	case supervise.EventRestarting, supervise.EventReplaced, supervise.EventQuarantined:
		p.metrics.Fell(name, e.What == supervise.EventReplaced, e.What == supervise.EventQuarantined)
	case supervise.EventStarted:
		if e.Incarnation > 1 {
			p.metrics.Rose(e.Kind, name)
		}
	case supervise.EventStopped:
		p.metrics.Ended(name)
	}
}

func (p parts) rows() store.Rows {
	if p.metrics == nil {
		return p.db
	}
	return meteredRows{p.db, p.metrics}
}

func (p parts) leases() store.Leases {
	if p.metrics == nil {
		return p.db
	}
	return meteredLeases{p.db, p.metrics}
}

func (p parts) outbox() publisher.Outbox {
	if p.metrics == nil {
		return p.db
	}
	return meteredOutbox{p.db, p.metrics}
}

func (p parts) links() publisher.Dialer {
	if p.metrics == nil {
		return p.dialer
	}
	return meteredDialer{p.dialer, p.metrics}
}

// told notes when a source answered. The engine's own counters know that better: it tells only what differs.
func (p parts) told(o source.Observer) source.Observer {
	if p.metrics == nil {
		return o
	}
	return meteredObserver{o, func(r messages.Reading) { p.answerTimes.note(r, p.metrics) }}
}

// call times one call to the database.
func call(m *metrics.Metrics, op string, do func() error) error {
	began := time.Now()
	err := do()
	m.Called(op, time.Since(began), database.Locked(err))
	return err
}

type meteredRows struct {
	store.Rows
	m *metrics.Metrics
}

// Apply counts what was committed.
func (r meteredRows) Apply(ctx context.Context, token int64, batch []messages.RowChange) (replies []messages.RowReply, queued []messages.OutboxRow, err error) {
	err = call(r.m, "apply", func() error {
		replies, queued, err = r.Rows.Apply(ctx, token, batch)
		return err
	})
	now := time.Now()
	for i := range replies {
		if i < len(batch) && replies[i].Outcome == messages.Committed {
			r.m.Committed(batch[i].Transition, now)
		}
	}
	for _, q := range queued {
		r.m.Queued(q.EventID, q.ID, now)
	}
	return replies, queued, err
}

// Acknowledge deletes outbox rows.
func (r meteredRows) Acknowledge(ctx context.Context, ids []int64) error {
	return call(r.m, "acknowledge", func() error { return r.Rows.Acknowledge(ctx, ids) })
}

type meteredLeases struct {
	store.Leases
	m *metrics.Metrics
}

// Look reads the lease.
func (l meteredLeases) Look(ctx context.Context) (found messages.Lease, err error) {
	err = call(l.m, "lease_look", func() error { found, err = l.Leases.Look(ctx); return err })
	return found, err
}

// Take takes the lease.
func (l meteredLeases) Take(ctx context.Context, seen messages.Lease) (taken messages.Lease, err error) {
	err = call(l.m, "lease_take", func() error { taken, err = l.Leases.Take(ctx, seen); return err })
	return taken, err
}

// Beat moves the lease.
func (l meteredLeases) Beat(ctx context.Context, token int64) error {
	return call(l.m, "lease_beat", func() error { return l.Leases.Beat(ctx, token) })
}

type meteredOutbox struct {
	publisher.Outbox
	m *metrics.Metrics
}

// Pending also learns the age of rows that an earlier process queued: from the moment they were observed.
func (o meteredOutbox) Pending(ctx context.Context, after int64, limit int) (rows []messages.OutboxRow, err error) {
	err = call(o.m, "outbox_read", func() error { rows, err = o.Outbox.Pending(ctx, after, limit); return err })
	for _, r := range rows {
		if at, ok := observedAt(r.Payload); ok {
			o.m.Queued(r.EventID, r.ID, at) // one of our own is known already, and keeps its time
		}
	}
	return rows, err
}

// Depth counts the outbox.
func (o meteredOutbox) Depth(ctx context.Context) (n int64, err error) {
	err = call(o.m, "outbox_depth", func() error { n, err = o.Outbox.Depth(ctx); return err })
	return n, err
}

// Park gives a row up.
func (o meteredOutbox) Park(ctx context.Context, id int64, why string) error {
	err := call(o.m, "outbox_park", func() error { return o.Outbox.Park(ctx, id, why) })
	if err == nil {
		o.m.Parked(id)
	}
	return err
}

type meteredDialer struct {
	publisher.Dialer
	m *metrics.Metrics
}

// Dial listens to the echoes.
func (d meteredDialer) Dial(ctx context.Context, spawn func(func()), on func(messages.LinkEvent)) (publisher.Link, error) {
	return d.Dialer.Dial(ctx, spawn, func(e messages.LinkEvent) {
		if m, is := e.(messages.Echoed); is {
			now := time.Now()
			for _, id := range m.EventIDs {
				d.m.Echoed(id, now)
			}
		}
		on(e)
	})
}

// meteredObserver notes when a source answered, and times the complete reads of the table.
type meteredObserver struct {
	source.Observer
	told func(messages.Reading)
}

// Observe passes readings on.
func (o meteredObserver) Observe(ctx context.Context, spawn func(func()), poke <-chan struct{}, emit func(messages.Reading)) {
	o.Observer.Observe(ctx, spawn, poke, func(r messages.Reading) {
		o.told(r)
		emit(r)
	})
}

// answerTimes are when sources last answered.
type answerTimes struct{ file, database atomic.Int64 }

func (a *answerTimes) note(r messages.Reading, m *metrics.Metrics) {
	now := time.Now()
	switch r := r.(type) {
	case messages.DeclaredRead:
		a.file.Store(now.UnixNano())
	case messages.RecordedRead:
		a.database.Store(now.UnixNano())
		m.Called("read", now.Sub(r.ReadAt), false)
	case messages.SourceFailed, messages.RuntimeRead, messages.RuntimeHinted:
	}
}

func (a *answerTimes) times() map[string]time.Time {
	out := map[string]time.Time{}
	for name, v := range map[string]*atomic.Int64{"file": &a.file, "database": &a.database} {
		if n := v.Load(); n != 0 {
			out[name] = time.Unix(0, n)
		}
	}
	return out
}

// observedAt reads the moment out of a payload of our own.
func observedAt(payload string) (time.Time, bool) {
	var t struct {
		ObservedAt messages.Moment `json:"observed_at"`
	}
	err := json.Unmarshal([]byte(payload), &t)
	return t.ObservedAt.Time, err == nil && !t.ObservedAt.IsZero()
}
