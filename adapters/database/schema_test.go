package database

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestOurTablesLeaveDecnetsAlone(t *testing.T) {
	w := newWorld(t, onSQLite)
	const theirs = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE '%fleetd%' AND name <> 'sqlite_sequence' ORDER BY name"
	plain := &world{t: t, path: filepath.Join(t.TempDir(), "plain.db"), now: start}
	plain.other = decnet(t, plain.path)
	want := plain.dump(theirs)
	if err := w.db.Init(t.Context(), false); err != nil { // again
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		if have := w.dump(theirs); !slices.EqualFunc(have, want, func(a, b map[string]string) bool { return a["sql"] == b["sql"] }) {
			t.Errorf("%s: %v", when, have)
		}
	}
	same("with our tables")
	if err := w.db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := w.db.Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	same("after the drop")
	if n := w.count("SELECT COUNT(*) FROM sqlite_master WHERE name LIKE '%fleetd!_%' ESCAPE '!'"); n != 0 {
		t.Errorf("%d things of ours are left", n)
	}
}

// wantSchema demands an error that waiting does not mend, and that names what and remedy.
func wantSchema(t *testing.T, err error, words ...string) {
	t.Helper()
	if !errors.Is(err, messages.ErrSchema) || Retryable(err) {
		t.Errorf("error %v", err)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
}

func TestMissingTablesAreNamedWithTheirRemedy(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		mustExec(t, w.other, "DROP TABLE fleetd_outbox")
		_, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{w.insert("d", messages.Running)})
		wantSchema(t, err, "tables of decnet-fleetd are missing", "decnet-fleetd db init")
		if !slices.Equal(Statements(err), w.db.making(-1)) {
			t.Errorf("statements %q", Statements(err))
		}
		err = w.db.Check(t.Context())
		wantSchema(t, err, "tables of decnet-fleetd are missing", "decnet-fleetd db init")
		for _, q := range Statements(err) {
			mustExec(t, w.other, q)
		}
		if err := w.db.Check(t.Context()); err != nil {
			t.Error(err)
		}
		mustExec(t, w.other, "DROP TABLE fleet_deckies")
		_, _, err = w.db.readAll(t.Context())
		for _, err := range []error{err, w.db.Check(t.Context())} {
			wantSchema(t, err, "table fleet_deckies is missing", "decnet init", "--create-schema")
		}
	})
}

func TestAMissingColumnIsASchemaError(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		mustExec(t, w.other, "ALTER TABLE fleet_deckies DROP COLUMN compose_hash")
		wantSchema(t, w.db.Check(t.Context()), "another shape")
	})
}

func TestNewerTablesAreRefusedAndOlderOnesUpgraded(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		set := func(v string) { mustExec(t, w.other, "UPDATE fleetd_meta SET value = ? WHERE name = 'schema'", v) }
		for _, v := range []string{"2.0", "999999999999999999999.0", "x", "1.-1"} {
			set(v)
			wantSchema(t, w.db.Init(t.Context(), false), "update decnet-fleetd")
			wantSchema(t, w.db.Check(t.Context()), "update decnet-fleetd")
		}
		set("1.7") // a newer minor version only added
		if err := errors.Join(w.db.Init(t.Context(), false), w.db.Check(t.Context())); err != nil {
			t.Error(err)
		}
		if n := w.count("SELECT COUNT(*) FROM fleetd_meta WHERE value = '1.7'"); n != 1 {
			t.Error("the newer version was overwritten")
		}

		set("1.0")
		next := *s.d
		next.steps = append(slices.Clone(next.steps), []string{"ALTER TABLE fleetd_rev ADD COLUMN extra TEXT"})
		w.db.d = &next
		wantSchema(t, w.db.Check(t.Context()), "older version", "db init")
		for range 2 {
			if err := errors.Join(w.db.Init(t.Context(), false), w.db.Check(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.count("SELECT COUNT(*) FROM fleetd_meta WHERE value = '1.2'"); n != 1 {
			t.Error("the version did not move")
		}
	})
}

func TestDecnetsTableIsMadeOnlyInADatabaseOfOurOwn(t *testing.T) {
	dir := t.TempDir()
	install := filepath.Join(dir, "opt")
	if err := os.MkdirAll(filepath.Join(install, "decnet"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(install, "decnet", "__init__.py"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const dies = "DECNET's start-up dies"
	open := func(path string, installs ...string) *DB {
		w := &world{t: t, path: path}
		return w.openDB(func(c *Config) { c.Installs = installs })
	}
	wantSchema(t, open(filepath.Join(install, "decnet.db")).Init(t.Context(), true), "is a DECNET install", dies)
	wantSchema(t, open(filepath.Join(dir, "fleet.db"), dir).Init(t.Context(), true), "is a DECNET install", dies)
	wantSchema(t, open("/opt/decnet/decnet.db").Init(t.Context(), true), "is a DECNET install", dies)
	for _, path := range []string{filepath.Join(install, "decnet.db"), filepath.Join(dir, "fleet.db")} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was made", path)
		}
	}
	for _, table := range []string{"alembic_version", "decky_shards", "somebody_elses"} {
		path := filepath.Join(dir, table+".db")
		mustExec(t, openRaw(t, path), "CREATE TABLE "+table+" (x)")
		wantSchema(t, open(path).Init(t.Context(), true), table, dies)
	}
	fresh := open(filepath.Join(dir, "fresh.db"))
	if err := errors.Join(fresh.Init(t.Context(), true), fresh.Check(t.Context())); err != nil {
		t.Error(err)
	}
}

func TestInitMakesNoFileThatIsNotOurs(t *testing.T) {
	w := &world{t: t, path: filepath.Join(t.TempDir(), "decnet.db")}
	db := w.openDB()
	err := db.Init(t.Context(), false)
	if err == nil || !strings.Contains(err.Error(), w.path) || !strings.Contains(err.Error(), "decnet init") || !Retryable(err) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(w.path); err == nil {
		t.Error("the file was made")
	}
	own := w.openDB(func(c *Config) { c.Own = true })
	if err := own.Init(t.Context(), false); err != nil {
		t.Error(err)
	}
}
