package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// TestAReadOnlyDatabaseIsReadAndNeverWritten: in both ways it can be opened, with and without a process that has the log open.
func TestAReadOnlyDatabaseIsReadAndNeverWritten(t *testing.T) {
	for name, open := range map[string]bool{"beside DECNET": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "decnet.db")
			owner := decnet(t, path)
			mustExec(t, owner, "INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) VALUES ('local', 'd', '[]', 'running', '2026-01-01 00:00:00.000000')")
			if !open {
				if err := owner.Close(); err != nil {
					t.Fatal(err)
				}
			}
			db, err := Open(Config{URL: "sqlite://" + path, HostUUID: "local", Digest: func(string) (string, error) { return "", nil }, Now: time.Now, ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = db.Close() })
			read, _, err := db.readAll(t.Context())
			if err != nil || len(read.Rows) != 1 {
				t.Fatalf("%d rows, %v", len(read.Rows), err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for what, write := range map[string]func(ctx context.Context) error{
				"tables": func(ctx context.Context) error { return db.Init(ctx, true) },
				"lease":  func(ctx context.Context) error { _, err := db.Take(ctx, messages.Lease{}); return err },
				"rows": func(ctx context.Context) error {
					_, _, err := db.Apply(ctx, 1, []messages.RowChange{{Name: "d", Kind: messages.DeleteRow, Prev: "running"}})
					return err
				},
			} {
				if err := write(t.Context()); err == nil || errors.Is(err, messages.ErrFenced) {
					t.Errorf("%s: %v", what, err)
				}
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Errorf("the file changed (%v)", err)
			}
			if tables := tablesOf(t, db); tables != 0 {
				t.Errorf("%d tables of ours", tables)
			}
		})
	}
}

func tablesOf(t *testing.T, db *DB) (n int) {
	t.Helper()
	p, err := db.pools(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.reader.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'fleetd%'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
