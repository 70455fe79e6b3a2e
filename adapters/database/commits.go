package database

import (
	"context"
	"database/sql"
	"time"
)

// commits says how far the others have come: a number that moves whenever another connection than our writer commits. The
// zero value is no answer; it is the same as nothing, not even as itself.
type commits struct {
	of *pools // the number belongs to one connection
	at int64
}

// same says that nobody else has committed in between.
func (c commits) same(d commits) bool { return c.of != nil && c.of == d.of && c.at == d.at }

// commitsPatience is how long the writing connection may be busy before the table is asked instead. Chosen: several
// batches.
const commitsPatience = 50 * time.Millisecond

// foreign asks SQLite what has been committed to the file by anybody but our writer. It costs a look at the log's index,
// where counting rows reads the whole table. No answer is no fault: then there are other signs.
func (db *DB) foreign(ctx context.Context, p *pools) commits {
	if db.d.commits == "" {
		return commits{}
	}
	ctx, cancel := context.WithTimeout(ctx, commitsPatience)
	defer cancel()
	c := commits{of: p}
	err := db.each(ctx, p.writer, func(rows *sql.Rows) error { return rows.Scan(&c.at) }, db.d.commits)
	if err != nil {
		return commits{}
	}
	return c
}
