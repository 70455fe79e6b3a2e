package witness

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"
)

// watch starts a witness over a new database and gives what it tells.
func watch(t *testing.T, rows bool) (*sql.DB, <-chan Sight) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.db")
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	write(t, db, "CREATE TABLE fleet_deckies (name TEXT PRIMARY KEY, state TEXT, updated_at TEXT)")
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Watch(ctx, path, time.Millisecond, rows, w) }()
	sights := make(chan Sight, 100)
	go func() {
		for d := json.NewDecoder(r); ; {
			var s Sight
			if d.Decode(&s) != nil {
				return
			}
			sights <- s
		}
	}()
	t.Cleanup(func() {
		stop()
		_ = r.Close()
		if err := <-done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
	return db, sights
}

func write(t *testing.T, db *sql.DB, statement string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, sights <-chan Sight) Sight {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	select {
	case s := <-sights:
		return s
	case <-limit.C:
		t.Fatal("nothing seen")
		return Sight{}
	}
}

func TestWitnessTellsOfEveryRowOnce(t *testing.T) {
	db, sights := watch(t, true)
	for _, step := range []struct {
		statement string
		want      Sight
	}{
		{"INSERT INTO fleet_deckies VALUES ('a', 'running', '1')", Sight{Name: "a", State: "running", Stamp: "1"}},
		{"INSERT INTO fleet_deckies VALUES ('b', 'running', '1')", Sight{Name: "b", State: "running", Stamp: "1"}},
		{"UPDATE fleet_deckies SET state = 'failed', updated_at = '2' WHERE name = 'a'", Sight{Name: "a", State: "failed", Stamp: "2"}},
		{"DELETE FROM fleet_deckies WHERE name = 'b'", Sight{Name: "b"}},
		{"INSERT INTO fleet_deckies VALUES ('c', 'running', '3')", Sight{Name: "c", State: "running", Stamp: "3"}},
	} {
		before := time.Now().UnixNano()
		write(t, db, step.statement)
		got := next(t, sights)
		if got.Name != step.want.Name || got.State != step.want.State || got.Stamp != step.want.Stamp || got.At < before {
			t.Errorf("%s: saw %+v", step.statement, got)
		}
	}
	if len(sights) > 0 {
		t.Errorf("saw more: %+v", <-sights)
	}
}

func TestWitnessCountsStates(t *testing.T) {
	db, sights := watch(t, false)
	write(t, db, "INSERT INTO fleet_deckies VALUES ('a', 'running', '1'), ('b', 'failed', '1'), ('c', 'failed', '1')")
	for {
		s := next(t, sights)
		if s.States["running"] == 1 && s.States["failed"] == 2 && len(s.States) == 2 {
			return
		}
	}
}
