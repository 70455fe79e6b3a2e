package integration

import (
	"path/filepath"
	"strings"
	"testing"
)

// legacy is a stage on a simulated engine with a table of DECNET's taken away or added, before the daemon sees it.
func legacy(t *testing.T, statements ...string) *stage {
	t.Helper()
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("d1", "ssh"))
	s.engine.host = "unix://" + simulate(t, s.path("docker.sock"), map[string]string{"d1-ssh": "running"})
	for _, x := range statements {
		s.db.exec(t, x)
	}
	return s
}

// TestAcceptsADatabaseWithoutAlembicVersion: one older than DECNET's migrations has no such table, nor perhaps
// decky_lifecycle; neither is needed.
func TestAcceptsADatabaseWithoutAlembicVersion(t *testing.T) {
	s := legacy(t, "DROP TABLE alembic_version", "DROP TABLE decky_lifecycle")
	if out, code := s.command("reconcile", "--once"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1 ") {
		t.Errorf("exit %d: %s", code, out)
	}
}

// TestOnlyOurTablesAreWritten: whatever happens, the only table of DECNET's that changes is fleet_deckies.
func TestOnlyOurTablesAreWritten(t *testing.T) {
	forbidden := []string{"decky_shards", "swarm_hosts", "decky_lifecycle", "state", "alembic_version"}
	var traps []string
	for _, table := range forbidden {
		for _, verb := range []string{"INSERT", "UPDATE", "DELETE"} {
			traps = append(traps, "CREATE TRIGGER trap_"+table+"_"+verb+" BEFORE "+verb+" ON "+table+" BEGIN SELECT RAISE(ABORT, 'not yours'); END")
		}
	}
	s := legacy(t, traps...)
	before := s.db.tables(t)
	for _, d := range [][]entry{{declare("d1", "ssh"), declare("d2", "ssh")}, {declare("d1", "ssh")}, {declare("d1", "http")}} {
		s.declare(d...)
		if out, code := s.command("reconcile", "--once"); code != 0 {
			t.Errorf("exit %d: %s", code, out)
		}
	}
	for _, table := range s.db.tables(t) {
		if !strings.HasPrefix(table, "fleetd_") && !strings.Contains(strings.Join(before, " "), table) {
			t.Errorf("table %s is new", table)
		}
	}
	if out, code := s.command("db", "drop"); code != 0 {
		t.Errorf("db drop: exit %d: %s", code, out)
	}
	if after := s.db.tables(t); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("after db drop: %v, before us: %v", after, before)
	}
}

// tables lists the tables of the database.
func (d *database) tables(t *testing.T) []string {
	t.Helper()
	found, err := d.sql.QueryContext(t.Context(), d.dbms.tables)
	must(t, err)
	defer found.Close() //nolint:errcheck // only read
	var names []string
	for found.Next() {
		var n string
		must(t, found.Scan(&n))
		names = append(names, n)
	}
	must(t, found.Err())
	return names
}

// TestAHostOfItsOwnMakesItsOwnTable where it is told to, and refuses beside DECNET, whose start would die on it.
func TestAHostOfItsOwnMakesItsOwnTable(t *testing.T) {
	s := legacy(t)
	s.db.exec(t, "DROP TABLE fleet_deckies")
	if said, code := s.complaint("reconcile", "--once", "--create-schema"); code != 78 || !strings.Contains(said, "fleet_deckies") {
		t.Errorf("beside DECNET's tables: exit %d\n%s", code, said)
	}
	s.db.path = filepath.Join(shortDir(t, ""), "own.db") // not in DECNET's install
	if out, code := s.command("reconcile", "--once", "--create-schema"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1 ") {
		t.Errorf("exit %d: %s", code, out)
	}
}
