package integration

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // registers the driver
)

// row is a row of fleet_deckies as it is stored.
type row struct {
	Host, Name, Services, State, UpdatedAt string
	Config, IP, LastError, LastSeen        sql.NullString
}

// database is a DECNET database, opened by a foreign process: not the one under test.
type database struct {
	path string // of the SQLite file
	at   string // the URL of a server's
	sql  *bun.DB
	dbms *dbms
}

// newDatabase makes the file with the schema DECNET's migrations make, and the connection settings of its API.
func newDatabase(t *testing.T, path string) *database {
	t.Helper()
	db := openDatabase(t, path)
	for _, table := range schemas(t).SQLite {
		for _, statement := range table {
			db.exec(t, statement)
		}
	}
	db.exec(t, "INSERT INTO alembic_version VALUES ('4a914b1d62a0')")
	return db
}

// openDatabase opens a file that is there, or will be.
func openDatabase(t *testing.T, path string) *database {
	t.Helper()
	pool, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_pragma=synchronous(1)")
	must(t, err)
	pool.SetMaxOpenConns(4)
	t.Cleanup(func() { _ = pool.Close() })
	return &database{path: path, sql: bun.NewDB(pool, sqlitedialect.New()), dbms: &onSQLite}
}

// url is the database as the flag --database takes it.
func (d *database) url() string {
	if d.at != "" {
		return d.at
	}
	return "sqlite://" + d.path
}

// lock keeps SQLite's one lock from everybody until release is called, as somebody does who forgot to commit.
func (d *database) lock(t *testing.T) (release func()) {
	t.Helper()
	holder, err := d.sql.Conn(t.Context())
	must(t, err)
	_, err = holder.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	must(t, err)
	return func() {
		t.Helper()
		_, err := holder.ExecContext(t.Context(), "COMMIT")
		must(t, err)
		must(t, holder.Close())
	}
}

func (d *database) exec(t *testing.T, statement string, args ...any) int64 {
	t.Helper()
	result, err := d.sql.ExecContext(t.Context(), statement, args...)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	n, err := result.RowsAffected()
	must(t, err)
	return n
}

// rows reads the whole table, every host's, by host and name.
func (d *database) rows(t *testing.T) []row {
	t.Helper()
	// The casts keep the driver from making times of the stored text.
	found, err := d.sql.QueryContext(t.Context(), `SELECT host_uuid, name, services, state, `+d.dbms.when("updated_at")+`,
		decky_config, decky_ip, last_error, `+d.dbms.when("last_seen")+` FROM fleet_deckies ORDER BY host_uuid, name`)
	must(t, err)
	defer found.Close() //nolint:errcheck // only read
	var all []row
	for found.Next() {
		var r row
		must(t, found.Scan(&r.Host, &r.Name, &r.Services, &r.State, &r.UpdatedAt, &r.Config, &r.IP, &r.LastError, &r.LastSeen))
		all = append(all, r)
	}
	must(t, found.Err())
	return all
}

// row gives our host's row of that name.
func (d *database) row(t *testing.T, name string) (row, bool) {
	t.Helper()
	all := d.rows(t)
	i := slices.IndexFunc(all, func(r row) bool { return r.Host == "local" && r.Name == name })
	if i < 0 {
		return row{}, false
	}
	return all[i], true
}

// state complains unless the row shows that state; "" wants no row.
func (d *database) state(t *testing.T, name, want string) error {
	t.Helper()
	r, _ := d.row(t, name)
	return unless(r.State == want, "row of %s shows %q, not %q", name, r.State, want)
}

// foreignState is DECNET writing a state without asking anybody, as its deploy does.
func (d *database) foreignState(t *testing.T, name, state string) {
	t.Helper()
	n := d.exec(t, "UPDATE fleet_deckies SET state = ?, updated_at = ? WHERE host_uuid = 'local' AND name = ?", state, stamp(), name)
	if n != 1 {
		t.Fatalf("no row of %s to write to", name)
	}
}

// foreignInsert is another process adding a row.
func (d *database) foreignInsert(t *testing.T, host, name, state string) {
	t.Helper()
	d.exec(t, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) VALUES (?, ?, '["ssh"]', ?, ?)`,
		host, name, state, stamp())
}

// stamp is a time as DECNET stores it.
func stamp() string { return time.Now().UTC().Format("2006-01-02 15:04:05.000000") }

// checkStamp complains about a time that DECNET could not read back.
func checkStamp(text string) error {
	if _, err := time.Parse("2006-01-02 15:04:05.000000", text); err != nil {
		return fmt.Errorf("stored time %q: %w", text, err)
	}
	return nil
}
