package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// defaultInstall is where DECNET is installed unless told otherwise; its file may be about to appear there.
const defaultInstall = "/opt/decnet"

// why is the reason for refusing to make DECNET's table, the same in every case.
const why = "DECNET's start-up dies on a table it did not make (table fleet_deckies already exists)"

// refuseInstall keeps fleet_deckies out of files that are DECNET's, or would be once it starts.
func (db *DB) refuseInstall() error {
	if db.at.path == "" {
		return nil
	}
	dir := filepath.Dir(db.at.path)
	installs := append([]string{defaultInstall}, db.cfg.Installs...)
	if !slices.Contains(installs, dir) && !holdsDecnet(dir) {
		return nil
	}
	return db.refuse(fmt.Sprintf("make table fleet_deckies: %q is a DECNET install", dir))
}

// holdsDecnet looks for the Python package: DECNET keeps its database beside it.
func holdsDecnet(dir string) bool {
	for _, f := range []string{"decnet/__init__.py", "decnet/config.py"} {
		if _, err := os.Stat(filepath.Join(dir, f)); err == nil {
			return true
		}
	}
	return false
}

func (db *DB) refuse(what string) error {
	return &Error{Where: db.at.where, What: what, kind: kindSchema,
		Remedy: why + "; start DECNET once (`decnet init`), or give --create-schema a database of its own"}
}

// createFleet makes table and indexes as DECNET would, in a database that holds no table but ours.
func (db *DB) createFleet(ctx context.Context, p *pools) error {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	names, err := p.tableNames(ctx, db.d)
	if err != nil {
		return db.explain("list the tables", err)
	}
	for _, name := range names {
		if name == "fleet_deckies" {
			continue
		}
		if !strings.HasPrefix(name, "fleetd_") {
			return db.refuse(fmt.Sprintf("make table fleet_deckies: the database also holds table %q", clip(name, maxWord)))
		}
	}
	if slices.Contains(names, "fleet_deckies") {
		return nil
	}
	return db.refusedFleet(p.writer.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		for _, q := range db.d.fleet {
			if _, err := tx.ExecContext(ctx, q); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (db *DB) refusedFleet(err error) error {
	err = db.explain("make table fleet_deckies", err)
	var e *Error
	if errors.As(err, &e) && e.kind == kindDenied {
		e.SQL = db.d.fleet
	}
	return err
}

func (p *pools) tableNames(ctx context.Context, d *dialect) ([]string, error) {
	rows, err := p.writer.QueryContext(ctx, d.tables)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below has what went wrong
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// hasTable says whether a table is there. Where the catalogue shows all tables it is asked: a statement that names a
// missing one would end the transaction. Elsewhere, a missing table and one that may not be used are two errors.
func hasTable(ctx context.Context, q querier, d *dialect, name string) (bool, error) {
	query, args := d.exists, []any{name}
	if query == "" {
		query, args = peekAt(name), nil
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil && d.exists == "" && d.kind(err) == kindSchema {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }() // Err below has what went wrong
	found := rows.Next() || d.exists == ""
	return found, rows.Err()
}

// peekAt is a statement that reads nothing and fails where the table is missing or may not be read.
func peekAt(table string) string { return "SELECT 1 FROM " + table + " WHERE 1 = 0" }

func (db *DB) peek(ctx context.Context, q querier, table string) error {
	return db.each(ctx, q, func(*sql.Rows) error { return nil }, peekAt(table))
}
