package database

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// stampLayout is how DECNET's SQLite columns hold a time: UTC, always six digits, no zone. The other engines take the
// same text.
const stampLayout = "2006-01-02 15:04:05.000000"

// readLayout reads any number of digits after the second.
const readLayout = "2006-01-02 15:04:05"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each runs a query under the deadline of a statement and calls scan for every row.
func (db *DB) each(ctx context.Context, q querier, scan func(*sql.Rows) error, query string, args ...any) error {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err below has what went wrong
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// scanRaw reads rawColumns. The bytes hold until the next row.
func scanRaw(rows *sql.Rows, r *raw) error {
	var host, name, services, config, ip, state, lastError sql.RawBytes
	var hasConfig int64
	err := rows.Scan(&host, &name, &services, &config, &ip, &state, &lastError, &hasConfig)
	*r = raw{host: host, name: name, services: services, config: config, ip: ip, state: state, lastError: lastError,
		hasConfig: hasConfig != 0}
	return err
}

// lifecycleTable is where DECNET keeps its operations.
const lifecycleTable = "decky_lifecycle"

// maxHolds bounds the open operations that are looked at: the youngest ones hold.
const maxHolds = 1024

// holds reads the operations DECNET has open on this host. The table may be absent: then there are none.
func (db *DB) holds(ctx context.Context, q querier, now time.Time) ([]messages.Hold, error) {
	if there, err := db.hasLifecycle(ctx, q); err != nil || !there {
		return nil, err
	}
	var holds []messages.Hold
	err := db.each(ctx, q, func(rows *sql.Rows) error {
		var id, name, operation, updated, started sql.RawBytes
		if err := rows.Scan(&id, &name, &operation, &updated, &started); err != nil {
			return err
		}
		holds = append(holds, messages.Hold{ID: clip(string(id), maxWord), Decky: clip(string(name), maxName),
			Operation: string(operation), Until: db.until(now, string(updated), string(started))})
		return nil
	}, "SELECT SUBSTR(id, 1, 255), SUBSTR(decky_name, 1, 128), operation, CAST(updated_at AS "+db.d.text+"), "+
		"CAST(started_at AS "+db.d.text+") FROM decky_lifecycle WHERE status IN ('pending', 'running') "+
		"AND operation IN ('deploy', 'mutate') AND (host_uuid IS NULL OR host_uuid = '' OR host_uuid = ?) "+
		"ORDER BY updated_at DESC, id LIMIT ?", db.cfg.HostUUID, maxHolds)
	if err != nil && strings.Contains(err.Error(), "decky_lifecycle") {
		db.lifecycle.Store(false) // somebody dropped it: look again next time
	}
	return holds, err
}

func (db *DB) hasLifecycle(ctx context.Context, q querier) (bool, error) {
	if db.lifecycle.Load() {
		return true, nil
	}
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	there, err := hasTable(ctx, q, db.d, lifecycleTable)
	if there {
		db.lifecycle.Store(true)
	}
	return there, err
}

// until is when an operation stops holding. A time that cannot be read, or lies further ahead than a clock can be
// wrong, holds nothing: it would hold for ever.
func (db *DB) until(now time.Time, updated, started string) time.Time {
	at, err := time.Parse(readLayout, updated)
	if err != nil {
		at, err = time.Parse(readLayout, started)
	}
	if err != nil || at.After(now.Add(db.cfg.Hold)) {
		return time.Time{}
	}
	return at.Add(db.cfg.Hold)
}
