package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/messages"
)

func (w *world) tryInsert(ctx context.Context, name string) error {
	_, _, err := w.db.Apply(ctx, w.token, []messages.RowChange{w.insert(name, messages.Running)})
	return err
}

func TestAForeignWriterMakesUsWaitAndTryAgain(t *testing.T) {
	w := newWorld(t, onSQLite)
	tx, err := w.other.BeginTx(t.Context(), nil) // immediate: DECNET writes
	if err != nil {
		t.Fatal(err)
	}
	if err := w.tryInsert(soon(t, 100*time.Millisecond), "a"); !errors.Is(err, context.DeadlineExceeded) || !Retryable(err) {
		t.Errorf("deadline: %v", err)
	}
	if err := w.tryInsert(t.Context(), "b"); err == nil || !Retryable(err) || !strings.Contains(err.Error(), "lock") {
		t.Errorf("busy: %v", err)
	}
	if err := w.db.Beat(t.Context(), w.token); err == nil || !Retryable(err) {
		t.Errorf("beat: %v", err)
	}
	if _, _, err := w.db.readAll(t.Context()); err != nil {
		t.Errorf("a writer must not stop a reader: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if r := w.one(w.insert("c", messages.Running)); r.Rev != 1 {
		t.Errorf("%+v", r)
	}
	if n := w.count("SELECT COUNT(*) FROM fleet_deckies"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestTwoWritersLoseNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		const n = 60
		done := make(chan error, 1)
		go func() {
			var first error
			for range n {
				_, err := w.other.ExecContext(t.Context(), "INSERT INTO state (?, value) VALUES (?, '')", bun.Ident("key"), nonce())
				first = errors.Join(first, err)
			}
			done <- first
		}()
		w.one(w.insert("d", messages.Running))
		prev := messages.Running
		for range n {
			next := map[messages.State]messages.State{messages.Running: messages.Failed, messages.Failed: messages.Running}[prev]
			c := w.update("d", string(prev), next)
			for {
				replies, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{c})
				if err == nil && replies[0].Outcome == messages.Committed {
					break
				}
				if !Retryable(err) {
					t.Fatal(err, replies)
				}
			}
			prev = next
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if rev := w.count("SELECT rev FROM fleetd_rev"); rev != n+1 {
			t.Errorf("rev %d", rev)
		}
		if rows := w.count("SELECT COUNT(*) FROM state"); rows != n {
			t.Errorf("%d of DECNET's rows", rows)
		}
	})
}

func TestAFailureInTheMiddleLeavesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		steps := map[string]string{"at the row": "fleet_deckies", "at the revision": "fleetd_rev", "at the outbox": "fleetd_outbox"}
		for name, table := range steps {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, s)
				w.one(w.insert("d", messages.Running))
				set, unset := s.trap(table)
				for _, q := range set {
					mustExec(t, w.other, q)
				}
				batch := []messages.RowChange{w.insert("new", messages.Running), w.update("d", "running", messages.Failed)}
				if _, _, err := w.db.Apply(t.Context(), w.token, batch); err == nil || Retryable(err) {
					t.Fatalf("error %v", err)
				}
				if n := w.count("SELECT COUNT(*) FROM fleet_deckies WHERE state = 'running'"); n != 1 {
					t.Errorf("%d rows", n)
				}
				if n := w.count("SELECT SUM(rev) + (SELECT COUNT(*) FROM fleetd_outbox) FROM fleetd_rev"); n != 2 {
					t.Errorf("a part was committed: %d", n)
				}
				for _, q := range unset {
					mustExec(t, w.other, q)
				}
				if replies, out := w.apply(batch...); replies[0].Rev != 1 || replies[1].Rev != 2 || len(out) != 2 {
					t.Errorf("%+v %+v", replies, out)
				}
			})
		}
	})
}

func TestTheFileMayVanishAndComeBack(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.one(w.insert("d", messages.Running))
	mustExec(t, w.other, "PRAGMA wal_checkpoint(TRUNCATE)")
	aside := filepath.Join(filepath.Dir(w.path), "aside")
	move := func(from, to string) {
		t.Helper()
		for _, tail := range []string{"", "-wal", "-shm"} {
			if err := os.Rename(from+tail, to+tail); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	move(w.path, aside)
	_, _, readErr := w.db.readAll(t.Context())
	_, lookErr := w.db.Look(t.Context())
	for _, err := range []error{w.tryInsert(t.Context(), "lost"), readErr, lookErr, w.db.Check(t.Context())} {
		if err == nil || !Retryable(err) || !strings.Contains(err.Error(), w.path) || !strings.Contains(err.Error(), "missing") {
			t.Errorf("error %v", err)
		}
	}
	if _, err := os.Stat(w.path); err == nil {
		t.Error("the file was made")
	}
	move(aside, w.path)
	if err := w.tryInsert(t.Context(), "found"); err != nil {
		t.Error(err)
	}
}

func TestAReplacedFileIsSeenAtOnce(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.one(w.insert("d", messages.Running))
	fresh := filepath.Join(t.TempDir(), "new.db")
	_ = decnet(t, fresh).Close()
	_ = w.other.Close()
	if err := os.Rename(fresh, w.path); err != nil {
		t.Fatal(err)
	}
	// The log of the old file lies beside the new one: whoever opens that now mixes the two.
	if err := w.tryInsert(t.Context(), "e"); err == nil || !strings.Contains(err.Error(), "not its write-ahead log") || !Retryable(err) {
		t.Fatalf("error %v", err)
	}
	for _, tail := range []string{"-wal", "-shm"} {
		if err := os.Remove(w.path + tail); err != nil {
			t.Fatal(err)
		}
	}
	wantSchema(t, w.tryInsert(t.Context(), "e"), "tables of decnet-fleetd are missing")
}

func TestADamagedFileIsNamedAndNeverRepaired(t *testing.T) {
	for name, content := range map[string]string{"no database": strings.Repeat("not a database ", 500), "a database cut short": ""} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, onSQLite)
			w.one(w.insert("d", messages.Running))
			mustExec(t, w.other, "PRAGMA wal_checkpoint(TRUNCATE)")
			w.db.Reset()
			_ = w.other.Close()
			if content == "" {
				b, err := os.ReadFile(w.path)
				if err != nil {
					t.Fatal(err)
				}
				content = string(b[:4096]) + strings.Repeat("\xde\xad", (len(b)-4096)/2)
			}
			if err := os.WriteFile(w.path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := w.db.Check(t.Context())
			if !Damaged(err) || Retryable(err) || errors.Is(err, messages.ErrSchema) {
				t.Fatalf("error %v", err)
			}
			for _, word := range []string{w.path, "backup", "never repairs"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%q does not say %q", err, word)
				}
			}
			if _, err := w.db.SetAside(); err == nil {
				t.Error("DECNET's file was moved")
			}
			if after, err := os.ReadFile(w.path); err != nil || string(after) != content {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOurOwnDamagedFileIsSetAsideAndRevisionsGoOn(t *testing.T) {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "fleet.db"), now: start}
	w.db = w.openDB(func(c *Config) { c.Own = true })
	last := int64(0)
	for round := range 3 {
		if err := w.db.Init(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		l, err := w.db.Take(t.Context(), messages.Lease{})
		if err != nil {
			t.Fatal(err)
		}
		w.token = l.Token
		r := w.one(w.insert("d", messages.Running))
		if r.Rev <= last {
			t.Errorf("round %d: rev %d after %d", round, r.Rev, last)
		}
		last = w.one(w.update("d", "running", messages.Failed)).Rev
		w.db.Reset()
		if err := os.WriteFile(w.path, []byte(strings.Repeat("x", 5000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.db.Check(t.Context()); !Damaged(err) {
			t.Fatalf("error %v", err)
		}
		to, err := w.db.SetAside()
		if b, readErr := os.ReadFile(to); err != nil || readErr != nil || len(b) != 5000 {
			t.Errorf("%q: %v %v", to, err, readErr)
		}
		if round == 1 { // somebody tidies up, from the oldest
			if err := os.Remove(w.path + asideMark + "1"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for n, there := range map[string]bool{"1": false, "2": true, "3": true} {
		if _, err := os.Stat(w.path + asideMark + n); (err == nil) != there {
			t.Errorf("file %s: %v, want it there: %t", n, err, there)
		}
	}
}

// TestAFileWeMayNotWriteSaysSo gives up root's privileges for this thread: root may write everything.
func TestAFileWeMayNotWriteSaysSo(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.db.Reset()
	for _, p := range []string{w.path, w.path + "-wal", w.path + "-shm"} {
		_ = os.Chmod(p, 0o444)
	}
	for dir := filepath.Dir(w.path); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir, 0o755) })
	}
	if os.Getuid() == 0 {
		runtime.LockOSThread()
		if err := unix.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Setfsuid(0); runtime.UnlockOSThread() }()
	}
	for _, err := range []error{w.db.Check(t.Context()), w.tryInsert(t.Context(), "d")} {
		if err == nil || !Retryable(err) || !strings.Contains(err.Error(), "must be writable") || !strings.Contains(err.Error(), w.path) {
			t.Errorf("error %v", err)
		}
	}
}

func TestNoRegularFileIsNoDatabase(t *testing.T) {
	w := &world{t: t, path: t.TempDir()}
	if err := w.openDB().Check(t.Context()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("error %v", err)
	}
}

func TestAClosedDatabaseStaysClosed(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		if err := w.db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.tryInsert(t.Context(), "d"); err == nil || Retryable(err) {
			t.Errorf("error %v", err)
		}
	})
}

func TestResetOnlyInterrupts(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.one(w.insert("a", messages.Running))
		w.db.Reset()
		if r := w.one(w.insert("b", messages.Running)); r.Outcome != messages.Committed {
			t.Errorf("%+v", r)
		}
	})
}
