package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// originKey is where a worker's database keeps what tells it from an earlier one.
const originKey = "origin"

// Origin tells this database from any other that the same host had before: revisions begin anew with it. It is made at
// the first call.
func (db *DB) Origin(ctx context.Context) (string, error) {
	p, err := db.pools(false)
	if err != nil {
		return "", err
	}
	v, err := p.meta(ctx, db, originKey)
	if err != nil || v != "" {
		return v, db.explain("read the origin", err)
	}
	v = messages.NewEventID(db.cfg.Now())
	return v, db.setMeta(ctx, p, originKey, v)
}

// Shippable gives at most limit transitions with ids above after, ascending, each with its row as it is now. Parked ones
// are among them: what a bus does not take is no matter of the hub's.
func (db *DB) Shippable(ctx context.Context, after int64, limit int) ([]messages.Shipped, error) {
	tx, done, err := db.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	events, err := db.outboxRows(ctx, tx, db.d.byID, "host_uuid = ? AND id > ? ORDER BY id LIMIT ?", db.cfg.HostUUID, after, limit)
	if err != nil || len(events) == 0 {
		return nil, db.explain("read the outbox", err)
	}
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Name
	}
	rows, err := db.shipRows(ctx, tx, " AND name IN (?)", bun.List(names))
	if err != nil {
		return nil, db.explain("read rows to ship", err)
	}
	at := make(map[string]*messages.ShippedRow, len(rows))
	for i := range rows {
		at[rows[i].Name] = &rows[i]
	}
	out := make([]messages.Shipped, len(events))
	for i, e := range events {
		out[i] = messages.Shipped{ID: e.ID, EventID: e.EventID, Name: e.Name, Rev: e.Rev, Payload: json.RawMessage(e.Payload), Row: at[e.Name]}
	}
	return out, nil
}

// Slice gives all rows, if nothing above after waits to be shipped: a listing that overtakes a transition would tell of
// it twice.
func (db *DB) Slice(ctx context.Context, after int64) (rows []messages.ShippedRow, caughtUp bool, err error) {
	tx, done, err := db.snapshot(ctx)
	if err != nil {
		return nil, false, err
	}
	defer done()
	waiting := int64(0)
	err = db.each(ctx, tx, func(r *sql.Rows) error { return r.Scan(&waiting) },
		"SELECT COUNT(*) FROM fleetd_outbox"+db.d.byID+" WHERE host_uuid = ? AND id > ?", db.cfg.HostUUID, after)
	if err != nil || waiting > 0 {
		return nil, false, db.explain("count the outbox", err)
	}
	rows, err = db.shipRows(ctx, tx, "")
	return rows, err == nil, db.explain("read all rows to ship", err)
}

// snapshot begins a transaction that sees one state of the database. done ends it.
func (db *DB) snapshot(ctx context.Context) (bun.Tx, func(), error) {
	p, err := db.pools(false)
	if err != nil {
		return bun.Tx{}, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, txLimit*db.cfg.Timeout)
	tx, err := p.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		cancel()
		return tx, nil, db.explain("read a snapshot", err)
	}
	return tx, func() { rollback(tx); cancel() }, nil
}

func (db *DB) shipRows(ctx context.Context, q querier, also string, args ...any) (out []messages.ShippedRow, err error) {
	text := db.d.text
	err = db.each(ctx, q, func(rows *sql.Rows) error {
		var r messages.ShippedRow
		var seen, updated sql.NullString
		err := rows.Scan(&r.Name, &r.ServicesJSON, &r.ConfigJSON, &r.IP, &r.State, &r.LastError, &seen, &updated)
		r.LastSeen, r.UpdatedAt = momentOf(seen), momentOf(updated)
		if checkName(r.Name) == "" && json.Valid([]byte(r.ServicesJSON)) { // anything else is not ours, and the hub would not take it
			out = append(out, r)
		}
		return err
	}, "SELECT name, services, decky_config, decky_ip, state, last_error, CAST(last_seen AS "+text+"), CAST(updated_at AS "+text+") "+
		"FROM fleet_deckies WHERE host_uuid = ?"+also+" ORDER BY name", slices.Concat([]any{db.cfg.HostUUID}, args)...)
	return out, err
}

func momentOf(s sql.NullString) messages.Moment {
	at, err := time.Parse(readLayout, s.String)
	if !s.Valid || err != nil {
		return messages.Moment{}
	}
	return messages.Moment{Time: at}
}

// words reads one column of text.
func (db *DB) words(ctx context.Context, q querier, query string, args ...any) (out []string, err error) {
	err = db.each(ctx, q, func(rows *sql.Rows) error {
		var one string
		err := rows.Scan(&one)
		out = append(out, one)
		return err
	}, query, args...)
	return out, err
}
