// Package witness watches the table from outside: a process of its own that reads the SQLite file as any other reader
// does and says when it first saw what was committed. Its times are upper bounds: a commit is seen at the next look.
package witness

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // registers the driver
)

// Sight is one line of what a witness writes: a row that is new, changed or gone, or how many rows have which state.
type Sight struct {
	At     int64          `json:"at"` // when the read that found it had ended, nanoseconds since the epoch
	Name   string         `json:"name,omitempty"`
	State  string         `json:"state,omitempty"` // "" for a row that is gone
	Stamp  string         `json:"stamp,omitempty"` // the row's updated_at
	States map[string]int `json:"states,omitempty"`
}

// Open opens the file for reading, on one connection.
func Open(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+
		"?mode=rw&_pragma=query_only(1)&_pragma=busy_timeout(1000)")
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// Watch looks every so often whether anything was committed, and tells of it until ctx ends: row by row, or only how
// many rows have which state, which costs little however many there are.
func Watch(ctx context.Context, path string, every time.Duration, rows bool, w io.Writer) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // only read
	eye := &eye{db: db, out: json.NewEncoder(w), known: map[string]string{}}
	look := eye.states
	if rows {
		look = eye.rows
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		changed, err := eye.changed(ctx)
		if err == nil && changed {
			err = look(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type eye struct {
	db      *sql.DB
	out     *json.Encoder
	version int64
	known   map[string]string // updated_at by name
	latest  string
}

// changed asks for the counter that every commit of another connection moves; it costs no read of the table.
func (e *eye) changed(ctx context.Context) (bool, error) {
	var v int64
	if err := e.db.QueryRowContext(ctx, "PRAGMA data_version").Scan(&v); err != nil {
		return false, fmt.Errorf("look for commits: %w", err)
	}
	changed := v != e.version
	e.version = v
	return changed, nil
}

// states counts by the index on state alone.
func (e *eye) states(ctx context.Context) error {
	s := Sight{States: map[string]int{}}
	err := each(ctx, e.db, "SELECT state, COUNT(*) FROM fleet_deckies GROUP BY state", func(r *sql.Rows) error {
		var state string
		var n int
		err := r.Scan(&state, &n)
		s.States[state] = n
		return err
	})
	if err != nil {
		return err
	}
	s.At = time.Now().UnixNano()
	return e.out.Encode(s)
}

// rows tells of the rows that changed since the last look, and of those that are gone.
func (e *eye) rows(ctx context.Context) error {
	tx, err := e.db.BeginTx(ctx, nil) // both reads see one state of the table
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // only read
	var found []Sight
	// The casts keep the driver from making times of the stored text.
	err = each(ctx, tx, "SELECT name, state, CAST(updated_at AS TEXT) FROM fleet_deckies WHERE updated_at >= ?",
		func(r *sql.Rows) error {
			var s Sight
			err := r.Scan(&s.Name, &s.State, &s.Stamp)
			if e.known[s.Name] != s.Stamp {
				found = append(found, s)
			}
			return err
		}, e.latest)
	if err != nil {
		return err
	}
	gone, err := e.gone(ctx, tx, found)
	if err != nil {
		return err
	}
	at := time.Now().UnixNano()
	for _, s := range append(found, gone...) {
		s.At = at
		e.known[s.Name] = s.Stamp
		e.latest = max(e.latest, s.Stamp)
		if s.State == "" {
			delete(e.known, s.Name)
		}
		if err := e.out.Encode(s); err != nil {
			return err
		}
	}
	return nil
}

// gone compares the number of rows first: names are read only where some are missing.
func (e *eye) gone(ctx context.Context, tx *sql.Tx, found []Sight) ([]Sight, error) {
	fresh := 0
	for _, s := range found {
		if _, known := e.known[s.Name]; !known {
			fresh++
		}
	}
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM fleet_deckies").Scan(&n); err != nil {
		return nil, fmt.Errorf("count rows: %w", err)
	}
	if n == len(e.known)+fresh {
		return nil, nil
	}
	there := map[string]bool{}
	err := each(ctx, tx, "SELECT name FROM fleet_deckies", func(r *sql.Rows) error {
		var name string
		err := r.Scan(&name)
		there[name] = true
		return err
	})
	var all []Sight
	for name := range e.known {
		if !there[name] {
			all = append(all, Sight{Name: name})
		}
	}
	return all, err
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func each(ctx context.Context, q querier, query string, scan func(*sql.Rows) error, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err has what matters
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read rows: %w", err)
		}
	}
	return rows.Err()
}
