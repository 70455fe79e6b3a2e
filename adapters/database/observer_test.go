package database

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// patience bounds every wait of these tests; nothing takes that long.
const patience = 20 * time.Second

// watcher runs Observe and keeps what it emits.
type watcher struct {
	*world
	readings chan messages.Reading
	poke     chan struct{}
}

func (w *world) watch(change func(*Config)) *watcher {
	w.t.Helper()
	var clock sync.Mutex
	now := w.now
	db := w.openDB(func(c *Config) {
		c.Probe, c.Audit = 5*time.Millisecond, time.Hour
		c.Now = func() time.Time { clock.Lock(); defer clock.Unlock(); now = now.Add(time.Microsecond); return now }
		change(c)
	})
	o := &watcher{world: w, readings: make(chan messages.Reading, 1000), poke: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(w.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		db.Recorded().Observe(ctx, nil, o.poke, func(r messages.Reading) { o.readings <- r })
	}()
	w.t.Cleanup(func() { stop(); <-done })
	return o
}

func (o *watcher) next() messages.Reading {
	o.t.Helper()
	select {
	case r := <-o.readings:
		return r
	case <-time.After(patience):
		o.t.Fatal("nothing was emitted")
		return nil
	}
}

func (o *watcher) read() messages.RecordedRead {
	o.t.Helper()
	r, ok := o.next().(messages.RecordedRead)
	if !ok {
		o.t.Fatalf("emitted %+v", r)
	}
	return r
}

func names(r messages.RecordedRead) []string {
	all := []string{}
	for _, row := range r.Rows {
		all = append(all, row.Name+" "+row.State)
	}
	return all
}

// readUntil skips readings that were on their way when the change was made.
func (o *watcher) readUntil(ok func(messages.RecordedRead) bool) messages.RecordedRead {
	o.t.Helper()
	for range 100 {
		if r := o.read(); ok(r) {
			return r
		}
	}
	o.t.Fatal("never read")
	return messages.RecordedRead{}
}

func (o *watcher) wants(rows ...string) {
	o.t.Helper()
	o.readUntil(func(r messages.RecordedRead) bool { return slices.Equal(names(r), rows) })
}

func TestForeignWritesAreFound(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "b", "running")
		w.foreign("5f0c", "x", "running")
		o := w.watch(func(*Config) {})
		if first := o.read(); !slices.Equal(names(first), []string{"b running"}) || len(first.Holds) != 0 || first.ReadAt.IsZero() {
			t.Fatalf("%+v", first)
		}
		w.foreign("local", "a", "failed")
		o.wants("a failed", "b running")
		mustExec(t, w.other, "UPDATE fleet_deckies SET state = 'odd', updated_at = '2026-11-23 15:00:00.000000' WHERE name = 'b'")
		o.wants("a failed", "b odd")
		mustExec(t, w.other, "DELETE FROM fleet_deckies WHERE name = 'a'")
		o.wants("b odd")
		w.operation("b", "deploy", "pending", nil, w.now)
		held := o.readUntil(func(r messages.RecordedRead) bool { return len(r.Holds) == 1 })
		if want := (messages.Hold{ID: "op", Decky: "b", Operation: "deploy", Until: at(t, s.kept(stamp(w.now))).Add(10 * time.Minute)}); held.Holds[0] != want {
			t.Errorf("%+v", held.Holds)
		}
		mustExec(t, w.other, "UPDATE decky_lifecycle SET status = 'succeeded'")
		o.readUntil(func(r messages.RecordedRead) bool { return len(r.Holds) == 0 })
	})
}

func TestSilenceUnlessSomethingChangedOrIsAsked(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "b", "running")
		w.now = w.now.Add(time.Minute) // where times are whole seconds, the newest one may still be written in
		o := w.watch(func(c *Config) { c.Probe = time.Millisecond })
		o.read()
		w.foreign("5f0c", "x", "running")                                                  // not ours
		mustExec(t, w.other, "UPDATE fleet_deckies SET state = 'failed' WHERE name = 'b'") // without a sign
		quiet := time.NewTimer(100 * time.Millisecond)
		defer quiet.Stop()
		select {
		case r := <-o.readings:
			t.Fatalf("emitted %+v", r)
		case <-quiet.C:
		}
		o.poke <- struct{}{}
		if got := names(o.read()); !slices.Equal(got, []string{"b failed"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestAWriteInTheSecondOfTheLastOneIsFound: where times are whole seconds it leaves no sign.
func TestAWriteInTheSecondOfTheLastOneIsFound(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.now = at(t, "2026-11-23 15:00:00.100000")
		w.foreign("local", "b", "running")
		o := w.watch(func(*Config) {})
		o.read()
		mustExec(t, w.other, "UPDATE fleet_deckies SET state = 'failed', updated_at = '2026-11-23 15:00:00.200000' WHERE name = 'b'")
		o.wants("b failed")
	})
}

func TestTheAuditFindsWhatLeftNoSign(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "b", "running")
		o := w.watch(func(c *Config) { c.Audit = 10 * time.Millisecond })
		o.read()
		mustExec(t, w.other, "UPDATE fleet_deckies SET state = 'failed' WHERE name = 'b'")
		o.wants("b failed")
	})
}

func TestAFaultIsToldOnceAndRecoveryIsARead(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.foreign("local", "b", "running")
	mustExec(t, w.other, "PRAGMA wal_checkpoint(TRUNCATE)")
	o := w.watch(func(*Config) {})
	o.read()
	aside := filepath.Join(t.TempDir(), "aside")
	if err := os.Rename(w.path, aside); err != nil {
		t.Fatal(err)
	}
	failed, ok := o.next().(messages.SourceFailed)
	if !ok || failed.Source != messages.SourceRecorded || failed.Fault.Where != w.path || failed.Fault.Remedy == "" {
		t.Fatalf("%+v", failed)
	}
	o.poke <- struct{}{} // asking again changes nothing
	quiet := time.NewTimer(300 * time.Millisecond)
	defer quiet.Stop()
	select {
	case r := <-o.readings:
		t.Fatalf("emitted %+v", r)
	case <-quiet.C:
	}
	if err := os.Rename(aside, w.path); err != nil {
		t.Fatal(err)
	}
	o.wants("b running")
}

func TestAnEmptyTableIsAReadingAndAMissingOneAFault(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		o := w.watch(func(*Config) {})
		if r := o.read(); len(r.Rows) != 0 {
			t.Fatalf("%+v", r)
		}
		mustExec(t, w.other, "ALTER TABLE fleet_deckies RENAME TO elsewhere")
		if failed, ok := o.next().(messages.SourceFailed); !ok || failed.Fault.Remedy != fleetRemedy {
			t.Errorf("%+v", failed)
		}
	})
}

func TestHostileRowsBecomeFaultsInABoundedNumber(t *testing.T) {
	w := newWorld(t, onSQLite)
	w.foreign("local", "good", "running")
	for i := range 2 * maxFaults {
		mustExec(t, w.other, `INSERT INTO fleet_deckies (host_uuid, name, services, decky_config, state, updated_at)
			VALUES ('local', ?, 'no list', x'ff', x'fe', '')`, fmt.Sprintf("bad %03d", i))
	}
	mustExec(t, w.other, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) VALUES ('local', x'00ff', '[]', 's', '')`)
	read, _, err := w.db.readAll(t.Context())
	if err != nil || len(read.Rows) != 2*maxFaults+1 || len(read.Faults) != maxFaults+1 {
		t.Fatalf("%d rows, %d faults (%v)", len(read.Rows), len(read.Faults), err)
	}
	if read.Rows[len(read.Rows)-1].Name != "good" {
		t.Errorf("last row %+v", read.Rows[len(read.Rows)-1])
	}
}
