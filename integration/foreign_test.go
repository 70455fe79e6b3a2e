package integration

import (
	"sync"
	"testing"
	"time"
)

// settle is the wait before a row that was there is made again or removed, with room for the two re-reads around it and
// for the poll that finds foreign writes, every 2 s.
const settle = 15 * time.Second

func TestForeignStateIsPutRight(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "put", 2, "ssh")...)
	s.foreign = true
	e.kill(t, "put-01-ssh")
	s.reaches("put-01", "failed", prompt)
	for _, wrong := range []string{"running", "tearing_down", "nonsense"} {
		s.db.foreignState(t, "put-01", wrong)
		eventually(t, settle, func() error {
			last := s.sub.last(t, "put-01").payload
			if err := s.db.state(t, "put-01", "failed"); err != nil {
				return err
			}
			return unless(last.State == "failed" && last.PreviousState != nil && *last.PreviousState == wrong, "last event %+v", last)
		})
		must(t, s.db.state(t, "put-01", "failed"))
	}
	s.consistent("put-01", "put-02")
}

func TestForeignDeleteIsMadeAgain(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "again-row", 2, "ssh")...)
	s.foreign = true
	s.db.exec(t, "DELETE FROM fleet_deckies WHERE name = 'again-row-01'")
	s.reaches("again-row-01", "running", settle)
	eventually(t, prompt, func() error {
		story := s.sub.story(t, "again-row-01")
		return unless(len(story) == 2 && story[1] == "inserted running", "told %v", story)
	})
	s.consistent("again-row-01", "again-row-02")
}

func TestForeignRowThatNobodyDeclaredIsRemoved(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "stray", 2, "ssh")...)
	s.foreign = true
	s.db.foreignInsert(t, "local", "stray-99", "running")
	s.vanishes("stray-99", settle)
	s.consistent("stray-01", "stray-02")
}

func TestRowsOfAnotherHostAreNeverTouched(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "peer", 1, "ssh")
	other := "4b1c1e9e-0000-4000-8000-000000000001"
	theirs := declare("peer-02", "ssh") // in our file, of another host, with no row
	theirs.HostUUID = &other
	s := newStage(t, e, deckies[0], theirs)
	s.db.foreignInsert(t, other, "peer-03", "torn_down")
	before := s.db.rows(t)[0]
	s.start()
	s.reaches("peer-01", "running", soon)
	e.kill(t, "peer-01-ssh")
	s.reaches("peer-01", "failed", prompt)
	throughout(t, calm, func() error {
		rows := s.db.rows(t)
		return unless(len(rows) == 2 && rows[0] == before, "rows %v", rows)
	})
}

// TestHeldDatabaseDelaysButLosesNothing: another process holds the write lock; what happens meanwhile is written and
// told when it lets go.
func TestHeldDatabaseDelaysButLosesNothing(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "lock", 2, "ssh")...)
	release := s.db.lock(t)
	e.kill(t, "lock-01-ssh")
	// Longer than the daemon's own busy timeout and than the lease's patience.
	throughout(t, 8*time.Second, func() error { return unless(s.daemon.alive(), "the daemon ended\n%s", s.daemon.tail()) })
	must(t, s.db.state(t, "lock-01", "running"))
	release()
	s.reaches("lock-01", "failed", soon)
	e.start(t, "lock-01-ssh")
	s.reaches("lock-01", "running", soon)
	s.consistent("lock-01", "lock-02")
}

// TestABusyForeignWriterAndTheDaemonGetAlong: neither starves the other, and no write of either fails.
func TestABusyForeignWriterAndTheDaemonGetAlong(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "busy", 3, "ssh")
	s := play(t, e, deckies...)
	s.foreign = true

	var writers sync.WaitGroup
	stop := make(chan struct{})
	writers.Go(func() { s.write(stop) })
	for range 4 {
		e.kill(t, "busy-01-ssh")
		s.reaches("busy-01", "failed", soon)
		e.start(t, "busy-01-ssh")
		s.reaches("busy-01", "running", soon)
	}
	close(stop)
	writers.Wait()
	for _, d := range deckies {
		s.reaches(d.Name, "running", settle)
		s.consistent(d.Name)
	}
}

// write updates a row of DECNET's as often as it can. It uses Errorf only: it is not the test's goroutine.
func (s *stage) write(stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			if n < 20 {
				s.t.Errorf("the foreign writer got %d writes in", n)
			}
			return
		default:
		}
		began := time.Now()
		_, err := s.db.sql.Exec("INSERT OR REPLACE INTO state (key, value) VALUES ('busy', ?)", n)
		if took := time.Since(began); err != nil || took > 5*time.Second {
			s.t.Errorf("foreign write %d: %v after %s", n, err, took)
		}
	}
}
