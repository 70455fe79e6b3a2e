package database

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"

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
	done   []string // events that an earlier attempt committed: the answer has their outbox rows too
}

// move is a transition whose payload is made when it is known what it replaces.
type move struct {
	of  messages.Transition
	key string // of its lane in the outbox: the decky's name, with the host's before it where that is not ours
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
	w.moves = append(w.moves, move{t, c.Name, rev, c.EventID})
}

// write sends one statement for each kind of change, whatever the size of the batch.
func (a *attempt) write(ctx context.Context) error {
	w := a.writes
	if len(w.insert) > 0 {
		if err := a.insert(ctx, a.tx.NewInsert().Model(&w.insert)); err != nil {
			return err
		}
	}
	if err := a.update(ctx, w.update); err != nil {
		return err
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
	if err := a.enqueue(ctx); err != nil {
		return err
	}
	return a.readQueued(ctx)
}

// update writes the rows of each shape. Most changes are of the state alone: they need no row sent, only its name.
func (a *attempt) update(ctx context.Context, shapes map[shape][]deckyRow) error {
	for s, rows := range shapes {
		var err error
		if s == (shape{state: true}) {
			err = a.flip(ctx, rows)
		} else {
			err = a.upsert(ctx, a.tx.NewInsert().Model(&rows), s.columns())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// flip sets states: one statement for each state.
func (a *attempt) flip(ctx context.Context, rows []deckyRow) error {
	names := map[string][]string{}
	for _, r := range rows {
		names[r.State] = append(names[r.State], r.Name)
	}
	for state, list := range names {
		_, err := a.exec(ctx, "UPDATE fleet_deckies SET state = ?, last_seen = ?, updated_at = ? WHERE host_uuid = ? AND name IN (?)",
			state, a.stamp, a.stamp, a.db.cfg.HostUUID, bun.List(list))
		if err != nil {
			return err
		}
	}
	return nil
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
		m.of.Coalesced += merged[m.key]
		payload, err := m.of.JSON()
		if err != nil {
			return err
		}
		out = append(out, outboxRow{EventID: m.id, HostUUID: a.db.cfg.HostUUID, Name: m.key, Rev: m.rev,
			Topic: messages.StateTopic(m.of.HostUUID, m.of.Name), Payload: payload, CreatedAt: a.stamp})
		a.queued = append(a.queued, messages.OutboxRow{EventID: m.id, Name: m.key, Rev: m.rev, Topic: out[len(out)-1].Topic, Payload: payload})
		a.grown.rows++
		a.grown.bytes += int64(len(payload))
	}
	return a.queue(ctx, out)
}

// queue inserts rows into the outbox and finds the ids that they were given. The engine gives ids back in no order that is
// promised, so each comes with its event; MySQL gives none back.
func (a *attempt) queue(ctx context.Context, out []outboxRow) error {
	q := a.tx.NewInsert().Model(&out).ExcludeColumn("id")
	if !a.db.d.returns {
		if err := a.insert(ctx, q.Returning("NULL")); err != nil {
			return err
		}
		return a.readIDs(ctx)
	}
	if err := a.insert(ctx, q.Returning("id, event_id")); err != nil {
		return err
	}
	ids := make(map[string]int64, len(out))
	for _, r := range out {
		ids[r.EventID] = r.ID
	}
	for i := range a.queued {
		a.queued[i].ID = ids[a.queued[i].EventID]
	}
	return nil
}

// mergeOlder removes what waits of the deckies of this batch and counts it, together with what that had replaced.
func (a *attempt) mergeOlder(ctx context.Context) (map[string]int, error) {
	names := make([]string, 0, len(a.writes.moves))
	for _, m := range a.writes.moves {
		names = append(names, m.key)
	}
	older, err := a.db.outboxRows(ctx, a.tx, "", "host_uuid = ? AND name IN (?)", a.db.cfg.HostUUID, bun.List(names))
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
		a.queued = append(a.queued, messages.OutboxRow{EventID: m.id, Name: m.key, Rev: m.rev,
			Topic: messages.StateTopic(m.of.HostUUID, m.of.Name), Payload: payload})
	}
	return nil
}

// readQueued adds the outbox rows of an earlier attempt, and puts all in the order of their ids.
func (a *attempt) readQueued(ctx context.Context) error {
	if len(a.writes.done) > 0 {
		done, err := a.db.outboxRows(ctx, a.tx, "", "event_id IN (?)", bun.List(a.writes.done))
		if err != nil {
			return err
		}
		a.queued = append(a.queued, done...)
	}
	slices.SortFunc(a.queued, func(x, y messages.OutboxRow) int { return cmp.Compare(x.ID, y.ID) })
	return nil
}

func (a *attempt) readIDs(ctx context.Context) error {
	at := make(map[string]int, len(a.queued))
	names := make([]string, len(a.queued))
	for i, r := range a.queued {
		at[r.EventID], names[i] = i, r.EventID
	}
	return a.db.each(ctx, a.tx, func(rows *sql.Rows) error {
		var id int64
		var event string
		if err := rows.Scan(&id, &event); err != nil {
			return err
		}
		if i, ours := at[event]; ours {
			a.queued[i].ID = id
		}
		return nil
	}, "SELECT id, event_id FROM fleetd_outbox WHERE event_id IN (?)", bun.List(names))
}
