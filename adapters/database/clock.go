package database

import (
	"context"
	"database/sql"
	"strings"
	"time"
)

// Skew is how far the clock of the database's server is ahead of ours, negative if it is behind; 0 for SQLite, which has
// none of its own. Half of the time the question took is the error. Nothing depends on it: leases count beats, and the
// times in rows are those of whoever wrote them.
func (db *DB) Skew(ctx context.Context) (time.Duration, error) {
	if db.d.clock == "" {
		return 0, nil
	}
	p, err := db.pools(false)
	if err != nil {
		return 0, err
	}
	// The first question may have to connect, which would count as half a skew.
	var micros int64
	var asked, answered time.Time
	for range 2 {
		asked = db.cfg.Now()
		err = db.each(ctx, p.reader, func(rows *sql.Rows) error { return rows.Scan(&micros) }, db.d.clock)
		answered = db.cfg.Now()
		if err != nil {
			return 0, db.explain("ask for the time", err)
		}
	}
	return time.UnixMicro(micros).Sub(asked.Add(answered.Sub(asked) / 2)), nil
}

// Narrow says where text that DECNET allows cannot be stored; "" where all can. DECNET itself would fail there too.
func (db *DB) Narrow(ctx context.Context) (string, error) {
	if db.d.narrow == "" {
		return "", nil
	}
	p, err := db.pools(false)
	if err != nil {
		return "", err
	}
	var found []string
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var one string
		err := rows.Scan(&one)
		found = append(found, clip(one, maxWord))
		return err
	}, db.d.narrow)
	return strings.Join(found, ", "), db.explain("ask for the encoding", err)
}
