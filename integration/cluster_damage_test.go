package integration

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAWorkerWhoseDatabaseIsDamagedGoesOnWithAnother: twice its file is garbage at the start. It is set aside, nothing is
// told that did not happen, what happened meanwhile is told, and consumers of the hub's bus see neither a gap nor a
// revision go back.
func TestAWorkerWhoseDatabaseIsDamagedGoesOnWithAnother(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 3)
	w := s.workers[0]
	w.flip(w.names[0])
	s.judged(soon, "before the damage")
	for round := 1; round <= 2; round++ {
		w.daemon.kill9(t)
		file := w.ruin()
		w.flip(w.names[1])
		heard := len(w.evidence().Ledger)
		w.join()
		s.judged(soon, "after the damage")
		if n := len(w.evidence().Ledger) - heard; n != 1 {
			t.Errorf("round %d: %d transitions announced, one happened", round, n)
		}
		if _, err := os.Stat(fmt.Sprintf("%s.damaged-%d", file, round)); err != nil {
			t.Errorf("round %d: the damaged file is not there for a look: %v", round, err)
		}
		if log := w.daemon.tail(); !strings.Contains(log, "our own database was damaged") {
			t.Errorf("round %d: the log does not say so:\n%s", round, log)
		}
		for _, name := range w.names {
			w.flip(name)
		}
		s.judged(soon, "with the new database")
	}
}

// ruin writes garbage over the worker's own database, but for the first page, and gives its name.
func (w *worker) ruin() string {
	w.t.Helper()
	found, err := filepath.Glob(w.path("state/*.db"))
	must(w.t, err)
	if len(found) != 1 {
		w.t.Fatalf("not one database: %v", found)
	}
	db, err := sql.Open("sqlite", "file:"+found[0]) // closing it empties the log into the file
	must(w.t, err)
	_, err = db.ExecContext(w.t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)")
	must(w.t, err)
	must(w.t, db.Close())
	info, err := os.Stat(found[0])
	must(w.t, err)
	const page = 4096
	f, err := os.OpenFile(found[0], os.O_WRONLY, 0)
	must(w.t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("garbage\n", int(info.Size()-page)/8)), page)
	must(w.t, err)
	must(w.t, f.Close())
	return found[0]
}
