package database

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/uptrace/bun"
)

// pragmas reads settings of a connection.
func pragmas(t *testing.T, db *bun.DB, names ...string) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, name := range names {
		var v string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&v); err != nil {
			t.Fatal(err)
		}
		got[name] = v
	}
	return got
}

func TestConnectionsAreSetUpToLiveBesideDecnet(t *testing.T) {
	w := newWorld(t, onSQLite)
	p, err := w.db.pools(false)
	if err != nil {
		t.Fatal(err)
	}
	writer := map[string]string{"journal_mode": "wal", "synchronous": "2", "busy_timeout": "1000", "foreign_keys": "0",
		"journal_size_limit": "16777216", "query_only": "0", "temp_store": "2"}
	if got := pragmas(t, p.writer, "journal_mode", "synchronous", "busy_timeout", "foreign_keys", "journal_size_limit", "query_only", "temp_store"); !maps.Equal(got, writer) {
		t.Errorf("writer %v", got)
	}
	reader := map[string]string{"journal_mode": "wal", "busy_timeout": "1000", "foreign_keys": "0", "query_only": "1"}
	if got := pragmas(t, p.reader, "journal_mode", "busy_timeout", "foreign_keys", "query_only"); !maps.Equal(got, reader) {
		t.Errorf("reader %v", got)
	}
}

func TestATransactionLocksAtItsBeginning(t *testing.T) {
	w := newWorld(t, onSQLite)
	p, err := w.db.pools(false)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := p.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rollback(tx)
	// A transaction that reads first and locks later fails where somebody wrote in between.
	mustExec(t, w.other, "PRAGMA busy_timeout = 0")
	if _, err := w.other.ExecContext(t.Context(), "DELETE FROM state"); err == nil {
		t.Error("another one wrote meanwhile")
	}
}

func TestNoConnectionEverMakesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing ?#%20.db")
	for _, open := range []opener{sqliteDialect.writer, sqliteDialect.reader} {
		db, err := open(target{path: path}, defaultTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.PingContext(t.Context()); err == nil {
			t.Error("connected to nothing")
		}
		_ = db.Close()
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 0 {
		t.Errorf("made %v (%v)", files, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sqliteDialect.writer(target{path: path}, defaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("a path with signs that mean something in a URL: %v", err)
	}
}
