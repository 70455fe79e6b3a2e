package database

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/panics"
	"github.com/decnet/decnet-fleetd/messages"
)

// Mirror writes what workers shipped: rows, what was announced of them and the outbox become durable together or not at
// all, under the lease of our own host. Answers are in the order of the deliveries. What an earlier call committed is
// recognized and not repeated. Rows that a host never reported are left alone, and no row of another host is touched.
// held is how long others had to wait with their own writes. A delivery over which the program fails is answered with an
// Err, and shipped again. The error is messages.ErrFenced if another process took the lease; Retryable says whether to
// call again.
func (db *DB) Mirror(ctx context.Context, token int64, deliveries []messages.Delivery) (out []messages.Delivered, held time.Duration, err error) {
	if len(deliveries) == 0 {
		return nil, 0, nil
	}
	if db.cfg.Rehome == nil {
		return nil, 0, errors.New("database: Mirror needs Rehome")
	}
	out, held, err = db.mirror(ctx, token, deliveries, false)
	if kindOf(err) == kindDuplicate {
		out, held, err = db.mirror(ctx, token, deliveries, true)
	}
	k := kindOf(err)
	if k == kindDuplicate || k == kindValue {
		return db.mirrorApart(ctx, token, deliveries, err)
	}
	if k == kindBug {
		return db.mirrorEach(ctx, token, deliveries, err)
	}
	return out, held, err
}

// mirrorEach commits each delivery by itself, so that one over which the program fails costs no other host.
func (db *DB) mirrorEach(ctx context.Context, token int64, deliveries []messages.Delivery, why error) (out []messages.Delivered, held time.Duration, err error) {
	if len(deliveries) == 1 {
		return []messages.Delivered{{Err: why}}, 0, nil
	}
	for i := range deliveries {
		got, took, err := db.Mirror(ctx, token, deliveries[i:i+1])
		if err != nil {
			return nil, 0, err
		}
		out, held = append(out, got...), held+took
	}
	return out, held, nil
}

// mirrorApart finds the one transition or row that the database does not take, and refuses it.
func (db *DB) mirrorApart(ctx context.Context, token int64, deliveries []messages.Delivery, why error) (out []messages.Delivered, held time.Duration, err error) {
	out = make([]messages.Delivered, len(deliveries))
	for i, d := range deliveries {
		parts := apart(d)
		if len(deliveries) == 1 && len(parts) == 1 {
			out[0].Refused = refusalsOf(d, "the database refuses it: "+why.Error())
			return out, 0, nil
		}
		for _, part := range parts {
			got, took, err := db.Mirror(ctx, token, []messages.Delivery{part})
			if err != nil {
				return nil, 0, err
			}
			out[i], held = joined(out[i], got[0]), held+took
		}
	}
	return out, held, nil
}

// apart parts a delivery into single transitions and rows.
func apart(d messages.Delivery) (parts []messages.Delivery) {
	for i := range d.Batch.Events {
		one := messages.Delivery{HostUUID: d.HostUUID, Batch: messages.ShipBatch{Origin: d.Batch.Origin, Events: d.Batch.Events[i : i+1]}}
		parts = append(parts, one)
	}
	if s := d.Batch.Slice; s != nil {
		for i := range s.Rows {
			one := *s
			one.Rows = s.Rows[i : i+1]
			parts = append(parts, messages.Delivery{HostUUID: d.HostUUID, Batch: messages.ShipBatch{Origin: d.Batch.Origin, Slice: &one}})
		}
	}
	if d.Keep != nil || d.Forget {
		parts = append(parts, messages.Delivery{HostUUID: d.HostUUID, Keep: d.Keep, Forget: d.Forget, By: d.By})
	}
	return parts
}

func refusalsOf(d messages.Delivery, why string) (out []messages.ShipRefusal) {
	for _, e := range d.Batch.Events {
		out = append(out, messages.ShipRefusal{EventID: e.EventID, Name: e.Name, Why: clip(why, maxText)})
	}
	if s := d.Batch.Slice; s != nil {
		for _, r := range s.Rows {
			out = append(out, messages.ShipRefusal{Name: r.Name, Why: clip(why, maxText)})
		}
	}
	return out
}

func joined(a, b messages.Delivered) messages.Delivered {
	return messages.Delivered{Refused: append(a.Refused, b.Refused...), Rows: append(a.Rows, b.Rows...), Gone: append(a.Gone, b.Gone...),
		Queued: append(a.Queued, b.Queued...), Err: errors.Join(a.Err, b.Err)}
}

// mirroring is one transaction of Mirror.
type mirroring struct {
	*attempt
	wary    bool
	hosts   map[string]*mirrored
	order   []string          // of the hosts
	waiting map[string]string // events that wait in the outbox: whose they are
	twins   map[string]string // names that are to be new: another host that has a row of it
	at      []int             // by move: the delivery it is of
	out     []messages.Delivered
}

// mirror is one transaction. A wary one believes no event to be new because its revision is: somebody uses the ids of others.
func (db *DB) mirror(ctx context.Context, token int64, deliveries []messages.Delivery, wary bool) (out []messages.Delivered, held time.Duration, err error) {
	var m *mirroring
	defer func() {
		if why := recover(); why != nil {
			e := &Error{Where: db.at.where, What: fmt.Sprintf("mirror rows of workers: panic at %s: %v", panics.Site(), why), kind: kindBug}
			db.advise(e)
			err = e
		}
	}()
	understood := db.understood(deliveries) // before the transaction: DECNET's writers wait as long as it runs
	a, err := db.durably(ctx, "mirror rows of workers", func(ctx context.Context, a *attempt) error {
		m = &mirroring{attempt: a, wary: wary, hosts: map[string]*mirrored{}, out: make([]messages.Delivered, len(deliveries))}
		return m.run(ctx, token, deliveries, understood)
	})
	if err != nil {
		return nil, 0, err
	}
	m.distribute()
	return m.out, a.held, nil
}

func (m *mirroring) run(ctx context.Context, token int64, deliveries []messages.Delivery, understood []sense) error {
	if err := m.fence(ctx, token); err != nil {
		return err
	}
	if err := m.db.outbox.load(ctx, m.db, m.tx); err != nil {
		return err
	}
	if err := m.readAll(ctx, deliveries); err != nil {
		return err
	}
	for i, d := range deliveries {
		m.take(i, d, understood[i])
	}
	return m.writeAll(ctx)
}

// take judges one delivery. A host that is our own here has no business to ship.
func (m *mirroring) take(i int, d messages.Delivery, x sense) {
	if d.HostUUID == m.db.cfg.HostUUID {
		m.out[i].Refused = refusalsOf(d, "the hub's own rows are nobody else's to write")
		return
	}
	h := m.hosts[d.HostUUID]
	if d.Forget {
		m.forget(i, h, d.By)
		return
	}
	for n, e := range d.Batch.Events {
		m.event(i, h, d.Batch.Origin, e, x.events[n])
	}
	if s := d.Batch.Slice; s != nil {
		for n, r := range s.Rows {
			m.listed(i, h, r.Name, x.rows[n])
		}
	}
	if d.Keep != nil {
		m.sweep(i, h, d.Keep)
	}
}

// distribute gives every delivery the outbox rows of its own transitions.
func (m *mirroring) distribute() {
	at := make(map[string]int, len(m.at))
	for n, mv := range m.writes.moves {
		at[mv.id] = m.at[n]
	}
	for _, q := range m.queued {
		i := at[q.EventID]
		m.out[i].Queued = append(m.out[i].Queued, q)
	}
	for _, host := range m.order {
		h := m.hosts[host]
		for _, name := range slices.Sorted(maps.Keys(h.touched)) {
			i := h.touched[name]
			if now := h.now[name]; now.there {
				m.out[i].Rows = append(m.out[i].Rows, now.shown(host, name, h.known[name], m.now))
			} else {
				m.out[i].Gone = append(m.out[i].Gone, name)
			}
		}
	}
}

// laneOf is the key of a worker's decky in the outbox: two hosts may have one name, where somebody else wrote the rows.
func laneOf(host, name string) string { return fmt.Sprintf("%s:%s", host, name) }
