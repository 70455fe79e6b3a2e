package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the time of the first row in the recorded vectors.
var start = time.Date(2026, 11, 23, 14, 56, 58, 895804000, time.UTC)

// world is a database as DECNET leaves it, DECNET's own connection to it, and ours.
type world struct {
	t     testing.TB
	at    site
	url   string
	path  string  // of the SQLite file
	other *bun.DB // DECNET's
	db    *DB
	now   time.Time
	token int64
	ids   int
}

// schema is the recorded schema of DECNET.
type schema struct {
	SQLite map[string][]string `json:"sqlite_ddl"`
	MySQL  map[string][]string `json:"mysql_ddl"`
}

func golden[T any](t testing.TB, name string) T {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// decnet makes DECNET's database file, all six recorded tables of it.
func decnet(t testing.TB, path string) *bun.DB {
	t.Helper()
	db := asSQLite(t, "file:"+path+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	for _, name := range append(slices.Clone(decnetTables), "swarm_hosts", "decky_shards", "alembic_version") {
		for _, q := range golden[schema](t, "db_schema.json").SQLite[name] {
			mustExec(t, db, q)
		}
	}
	return db
}

func mustExec(t testing.TB, db *bun.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// newWorld opens DECNET's database with our tables made and the lease taken.
func newWorld(t *testing.T, s site, change ...func(*Config)) *world {
	t.Helper()
	w := &world{t: t, at: s, now: start}
	w.url, w.other = s.fresh(t)
	w.path = strings.TrimPrefix(w.url, "sqlite://")
	w.db = w.openDB(change...)
	if err := w.db.Init(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	l, err := w.db.Take(t.Context(), messages.Lease{})
	if err != nil {
		t.Fatal(err)
	}
	w.token = l.Token
	return w
}

func (w *world) config() Config {
	at := w.url
	if at == "" {
		at = "sqlite://" + w.path
	}
	return Config{URL: at, HostUUID: "local", Instance: "i1", BootID: "b1", StateDir: "/s", Queue: true,
		Digest: wholeDigest, Now: func() time.Time { return w.now }}
}

func (w *world) openDB(change ...func(*Config)) *DB {
	w.t.Helper()
	cfg := w.config()
	for _, f := range change {
		f(&cfg)
	}
	db, err := Open(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close() })
	return db
}

// wholeDigest takes every byte for meaning. Real digests leave some out.
func wholeDigest(s string) (string, error) {
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		return "", errors.New("is no JSON object")
	}
	return "digest of " + s, nil
}

func (w *world) id() string { w.ids++; return fmt.Sprintf("%032x", w.ids) }

func (w *world) insert(name string, state messages.State) messages.RowChange {
	quoted, err := json.Marshal(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return messages.RowChange{Name: name, Seq: 7, Kind: messages.InsertRow, State: state, SetContent: true,
		ServicesJSON: `["ssh"]`, ConfigJSON: `{"name":` + string(quoted) + `,"last_mutated":1.5}`, IP: "10.0.0.1", EventID: w.id(),
		Transition: messages.Transition{State: string(state), Transition: messages.TransitionInserted, Cause: "relist"}}
}

func (w *world) update(name, prev string, state messages.State) messages.RowChange {
	return messages.RowChange{Name: name, Kind: messages.UpdateRow, Prev: prev, State: state, SetState: true, EventID: w.id(),
		Transition: messages.Transition{State: string(state), PreviousState: prev, Transition: messages.TransitionStateChanged}}
}

func (w *world) remove(name, prev string) messages.RowChange {
	return messages.RowChange{Name: name, Kind: messages.DeleteRow, Prev: prev, EventID: w.id(),
		Transition: messages.Transition{State: "torn_down", Transition: messages.TransitionDeleted}}
}

// apply writes a batch that must not fail.
func (w *world) apply(batch ...messages.RowChange) ([]messages.RowReply, []messages.OutboxRow) {
	w.t.Helper()
	replies, out, err := w.db.Apply(w.t.Context(), w.token, batch)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(replies) != len(batch) {
		w.t.Fatalf("%d replies to %d changes", len(replies), len(batch))
	}
	return replies, out
}

func (w *world) one(c messages.RowChange) messages.RowReply {
	w.t.Helper()
	replies, _ := w.apply(c)
	return replies[0]
}

// foreign makes a row as somebody else would.
func (w *world) foreign(host, name, state string) {
	w.t.Helper()
	mustExec(w.t, w.other, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) VALUES (?, ?, '["ssh"]', ?, ?)`,
		host, name, state, stamp(w.now))
}

// operation opens a row of decky_lifecycle.
func (w *world) operation(decky, operation, status string, host any, at time.Time) {
	w.t.Helper()
	mustExec(w.t, w.other, `INSERT INTO decky_lifecycle (id, decky_name, host_uuid, operation, status, started_at, updated_at)
		VALUES ('op', ?, ?, ?, ?, ?, ?)`, decky, host, operation, status, stamp(at), stamp(at))
}

// dump gives rows as text, NULL as "<null>".
func (w *world) dump(query string, args ...any) []map[string]string {
	w.t.Helper()
	rows, err := w.other.QueryContext(w.t.Context(), query, args...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	names, err := rows.Columns()
	if err != nil {
		w.t.Fatal(err)
	}
	var all []map[string]string
	for rows.Next() {
		cells, at := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range cells {
			at[i] = &cells[i]
		}
		if err := rows.Scan(at...); err != nil {
			w.t.Fatal(err)
		}
		one := map[string]string{}
		for i, n := range names {
			if one[n] = cells[i].String; !cells[i].Valid {
				one[n] = "<null>"
			}
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.other.QueryRowContext(w.t.Context(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// soon is a context for what must fail quickly.
func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// openRaw opens a file as another program would.
func openRaw(t *testing.T, path string) *bun.DB {
	t.Helper()
	return asSQLite(t, "file:"+path+"?_pragma=busy_timeout(30000)&_txlock=immediate")
}
