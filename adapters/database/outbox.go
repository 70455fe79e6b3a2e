package database

import (
	"context"
	"database/sql"
	"slices"
	"strconv"
	"sync"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// maxAck is how many ids one DELETE names. Chosen: as many as the store acknowledges at once, so that it is one commit.
const maxAck = 2048

// fill knows the size of the outbox without asking: only this process adds to it. It also keeps the floor of the
// revisions.
type fill struct {
	mu     sync.Mutex
	loaded bool
	rows   int64
	bytes  int64
	floor  int64
}

// grown is what a transaction did to the outbox.
type grown struct{ rows, bytes, merged int64 }

// load asks once for each file.
func (f *fill) load(ctx context.Context, db *DB, q querier) error {
	f.mu.Lock()
	loaded := f.loaded
	f.mu.Unlock()
	if loaded {
		return nil
	}
	var n fill
	err := db.each(ctx, q, func(rows *sql.Rows) error { return rows.Scan(&n.rows, &n.bytes) },
		"SELECT COUNT(*), COALESCE(SUM(LENGTH(payload)), 0) FROM fleetd_outbox WHERE host_uuid = ?", db.cfg.HostUUID)
	if err != nil {
		return err
	}
	err = db.each(ctx, q, func(rows *sql.Rows) error {
		var v string
		if err := rows.Scan(&v); err != nil {
			return err
		}
		n.floor, err = strconv.ParseInt(v, 10, 64)
		return err
	}, "SELECT value FROM fleetd_meta WHERE name = ?", floorKey)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded, f.rows, f.bytes, f.floor = true, n.rows, n.bytes, n.floor
	return nil
}

func (f *fill) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded = false
}

func (f *fill) add(g grown) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rows, f.bytes = f.rows+g.rows, f.bytes+g.bytes
}

// remove takes n acknowledged rows of average size out.
func (f *fill) remove(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= f.rows {
		f.rows, f.bytes = 0, 0
		return
	}
	f.bytes -= f.bytes / f.rows * n
	f.rows -= n
}

func (f *fill) over(cfg Config) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rows >= cfg.OutboxRows || f.bytes >= cfg.OutboxBytes
}

func (f *fill) revFloor() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.floor
}

// outboxRows reads rows in the order of their commits. by is the dialect's byID or "".
func (db *DB) outboxRows(ctx context.Context, q querier, by, where string, args ...any) ([]messages.OutboxRow, error) {
	var out []messages.OutboxRow
	err := db.each(ctx, q, func(rows *sql.Rows) error {
		var r messages.OutboxRow
		err := rows.Scan(&r.ID, &r.EventID, &r.Name, &r.Rev, &r.Topic, &r.Payload)
		out = append(out, r)
		return err
	}, "SELECT id, event_id, name, rev, topic, payload FROM fleetd_outbox"+by+" WHERE "+where, args...)
	slices.SortFunc(out, func(a, b messages.OutboxRow) int { return int(a.ID - b.ID) })
	return out, err
}

// Pending gives at most limit transitions that wait for their sink, those with ids above after, by ascending id.
// Parked ones are left out.
func (db *DB) Pending(ctx context.Context, after int64, limit int) ([]messages.OutboxRow, error) {
	p, err := db.pools(false)
	if err != nil {
		return nil, err
	}
	rows, err := db.outboxRows(ctx, p.reader, db.d.byID, "host_uuid = ? AND id > ? AND parked IS NULL ORDER BY id LIMIT ?",
		db.cfg.HostUUID, after, limit)
	return rows, db.explain("read the outbox", err)
}

// Depth counts the transitions that wait, parked ones not among them.
func (db *DB) Depth(ctx context.Context) (int64, error) {
	p, err := db.pools(false)
	if err != nil {
		return 0, err
	}
	var n int64
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error { return rows.Scan(&n) },
		"SELECT COUNT(*) FROM fleetd_outbox WHERE host_uuid = ? AND parked IS NULL", db.cfg.HostUUID)
	return n, db.explain("count the outbox", err)
}

// Acknowledge deletes outbox rows by id. Ids that are not there are no error: a row may have been merged into a later
// one, or acknowledged before.
func (db *DB) Acknowledge(ctx context.Context, ids []int64) error {
	for chunk := range slices.Chunk(ids, maxAck) {
		p, err := db.pools(false)
		if err != nil {
			return err
		}
		crashpoint.At(crashpoint.Deleting)
		n, err := p.exec(ctx, db, "DELETE FROM fleetd_outbox"+db.d.byID+" WHERE host_uuid = ? AND id IN (?)", db.cfg.HostUUID, bun.List(chunk))
		if err != nil {
			return db.explain("acknowledge transitions", err)
		}
		crashpoint.At(crashpoint.Deleted)
		db.outbox.remove(n)
	}
	return nil
}
