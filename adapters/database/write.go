package database

import (
	"context"
	"encoding/json"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// writes are the rows that the statements of a transaction carry.
type writes struct {
	insert []deckyRow
	update map[shape][]deckyRow
	gone   []string
	revs   []revRow
	moves  []move
	events []string // whose outbox rows the answer has
}

// move is a transition whose payload is made when it is known what it replaces.
type move struct {
	of  messages.Transition
	rev int64
	id  string
}

// plan adds a change that is to be written.
func (a *attempt) plan(c messages.RowChange, have found, rev int64) {
	w := &a.writes
	switch c.Kind {
	case messages.InsertRow:
		w.insert = append(w.insert, a.row(c))
	case messages.UpdateRow:
		if w.update == nil {
			w.update = map[shape][]deckyRow{}
		}
		s := shapeOf(c, have.row.HasConfig)
		w.update[s] = append(w.update[s], a.row(c))
	case messages.DeleteRow:
		w.gone = append(w.gone, c.Name)
	}
	t := c.Transition
	t.HostUUID, t.Name, t.Source, t.Rev, t.EventID = a.db.cfg.HostUUID, c.Name, "fleet", rev, c.EventID
	w.revs = append(w.revs, revRow{HostUUID: t.HostUUID, Name: c.Name, Rev: rev, LastEventID: c.EventID})
	w.moves = append(w.moves, move{t, rev, c.EventID})
	w.events = append(w.events, c.EventID)
}

// write sends one statement for each kind of change, whatever the size of the batch.
func (a *attempt) write(ctx context.Context) error {
	w := a.writes
	if len(w.insert) > 0 {
		if err := a.insert(ctx, a.tx.NewInsert().Model(&w.insert)); err != nil {
			return err
		}
	}
	for s, rows := range w.update {
		if err := a.upsert(ctx, a.tx.NewInsert().Model(&rows), s.columns()); err != nil {
			return err
		}
	}
	if len(w.gone) > 0 {
		_, err := a.exec(ctx, "DELETE FROM fleet_deckies WHERE host_uuid = ? AND name IN (?)", a.db.cfg.HostUUID, bun.List(w.gone))
		if err != nil {
			return err
		}
	}
	if len(w.revs) > 0 {
		if err := a.upsert(ctx, a.tx.NewInsert().Model(&w.revs), []string{"rev", "last_event_id"}); err != nil {
			return err
		}
	}
	if !a.db.cfg.Queue {
		return a.announce()
	}
	if len(w.events) == 0 {
		return nil
	}
	if err := a.enqueue(ctx); err != nil {
		return err
	}
	return a.readQueued(ctx)
}

func (a *attempt) insert(ctx context.Context, q *bun.InsertQuery) error {
	ctx, cancel := a.db.bounded(ctx)
	defer cancel()
	_, err := q.Exec(ctx)
	return err
}

// upsert is how a batch of updates is one statement on every engine.
func (a *attempt) upsert(ctx context.Context, q *bun.InsertQuery, columns []string) error {
	q = q.On(a.db.d.upsert("host_uuid, name"))
	for _, c := range columns {
		q = q.Set(a.db.d.incoming(c))
	}
	return a.insert(ctx, q)
}

// enqueue adds the transitions to the outbox. Above its bound each replaces what still waits of the same decky and
// says how many that were: the latest is never lost.
func (a *attempt) enqueue(ctx context.Context) error {
	moves := a.writes.moves
	if len(moves) == 0 {
		return nil
	}
	var merged map[string]int
	if a.db.outbox.over(a.db.cfg) {
		var err error
		if merged, err = a.mergeOlder(ctx); err != nil {
			return err
		}
	}
	out := make([]outboxRow, 0, len(moves))
	for _, m := range moves {
		m.of.Coalesced += merged[m.of.Name]
		payload, err := m.of.JSON()
		if err != nil {
			return err
		}
		out = append(out, outboxRow{EventID: m.id, HostUUID: m.of.HostUUID, Name: m.of.Name, Rev: m.rev,
			Topic: messages.StateTopic(m.of.HostUUID, m.of.Name), Payload: payload, CreatedAt: a.stamp})
		a.grown.rows++
		a.grown.bytes += int64(len(payload))
	}
	// Returning: without it bun asks for every generated id back, in no order that is promised.
	return a.insert(ctx, a.tx.NewInsert().Model(&out).ExcludeColumn("id").Returning("NULL"))
}

// mergeOlder removes what waits of the deckies of this batch and counts it, together with what that had replaced.
func (a *attempt) mergeOlder(ctx context.Context) (map[string]int, error) {
	names := make([]string, 0, len(a.writes.moves))
	for _, m := range a.writes.moves {
		names = append(names, m.of.Name)
	}
	older, err := a.db.outboxRows(ctx, a.tx, "host_uuid = ? AND name IN (?)", a.db.cfg.HostUUID, bun.List(names))
	if err != nil || len(older) == 0 {
		return nil, err
	}
	merged := map[string]int{}
	for _, r := range older {
		var was struct{ Coalesced int }
		_ = json.Unmarshal([]byte(r.Payload), &was) // ours; were it not, it counts as one
		merged[r.Name] += 1 + was.Coalesced
		a.grown.bytes -= int64(len(r.Payload))
	}
	a.grown.merged += int64(len(older))
	a.grown.rows -= int64(len(older))
	_, err = a.exec(ctx, "DELETE FROM fleetd_outbox WHERE host_uuid = ? AND name IN (?)", a.db.cfg.HostUUID, bun.List(names))
	return merged, err
}

// announce answers the transitions of a host without a bus: nothing is queued, but the console shows them.
func (a *attempt) announce() error {
	for _, m := range a.writes.moves {
		payload, err := m.of.JSON()
		if err != nil {
			return err
		}
		a.queued = append(a.queued, messages.OutboxRow{EventID: m.id, Name: m.of.Name, Rev: m.rev,
			Topic: messages.StateTopic(m.of.HostUUID, m.of.Name), Payload: payload})
	}
	return nil
}

// readQueued reads the outbox rows of the batch with the ids they were given.
func (a *attempt) readQueued(ctx context.Context) error {
	var err error
	a.queued, err = a.db.outboxRows(ctx, a.tx, "event_id IN (?)", bun.List(a.writes.events))
	return err
}
