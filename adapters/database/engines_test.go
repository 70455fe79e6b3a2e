package database

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// site is where databases of one engine are made for these tests.
type site struct {
	name string
	d    *dialect
	// fresh makes a database with DECNET's tables, and gives its URL and DECNET's own connection to it.
	fresh func(t testing.TB) (url string, other *bun.DB)
	// when selects a time as text with as many digits as the engine keeps.
	when func(column string) string
	// kept is what the engine keeps of a time with six digits.
	kept func(text string) string
	// trap makes every INSERT into a table fail, until the second list has run.
	trap func(table string) (set, unset []string)
}

// services are the env lines of integration/services.sh, if the tests are to run on servers too: IT_ENGINES=all, which
// `make integration` sets.
var services = readServices()

func readServices() map[string]string {
	env := map[string]string{}
	if os.Getenv("IT_ENGINES") != "all" {
		return env
	}
	dir := os.Getenv("IT_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "decnet-fleetd-it")
	}
	f, err := os.Open(filepath.Join(dir, "env"))
	if err != nil {
		return env
	}
	defer func() { _ = f.Close() }() // only read
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), "="); ok {
			env[key] = value
		}
	}
	return env
}

// sites are the engines the suite runs on.
func sites() []site {
	all := []site{onSQLite}
	if os.Getenv("IT_ENGINES") == "all" {
		all = append(all, onPostgres, onMySQL)
	}
	return all
}

// everywhere runs a test on every engine. The servers' part runs beside other tests: most of it is waiting.
func everywhere(t *testing.T, test func(*testing.T, site)) {
	t.Helper()
	if len(sites()) > 1 {
		t.Parallel()
	}
	for _, s := range sites() {
		t.Run(s.name, func(t *testing.T) {
			if s.name != onSQLite.name {
				t.Parallel()
			}
			test(t, s)
		})
	}
}

// onServers runs a test of what only a server can do.
func onServers(t *testing.T, test func(*testing.T, site)) {
	t.Helper()
	if len(sites()) == 1 {
		t.Skip("NOT TESTED: needs servers; `make integration` brings them up and sets IT_ENGINES=all")
	}
	everywhere(t, func(t *testing.T, s site) {
		if s.name != onSQLite.name {
			test(t, s)
		}
	})
}

func asIs(text string) string { return text }

var onSQLite = site{
	name: "sqlite", d: &sqliteDialect, kept: asIs,
	when: func(column string) string { return "CAST(" + column + " AS TEXT)" },
	fresh: func(t testing.TB) (string, *bun.DB) {
		path := filepath.Join(t.TempDir(), "decnet.db")
		return "sqlite://" + path, decnet(t, path)
	},
	trap: func(table string) (set, unset []string) {
		return []string{"CREATE TRIGGER boom BEFORE INSERT ON " + table + " BEGIN SELECT RAISE(ABORT, 'boom'); END"},
			[]string{"DROP TRIGGER boom"}
	},
}

var onPostgres = site{
	name: "postgres", d: &postgresDialect, kept: asIs,
	when: func(column string) string { return "to_char(" + column + ", 'YYYY-MM-DD HH24:MI:SS.US')" },
	fresh: func(t testing.TB) (string, *bun.DB) {
		t.Helper()
		// An account with a schema of its name is as good as a database, and takes a tenth of the time.
		name := "decnet_" + nonce()
		admin := asPostgres(t, service(t, "IT_PG_ADMIN_URL"))
		mustExec(t, admin, "CREATE ROLE "+name+" LOGIN PASSWORD '"+name+"'")
		inside := asPostgres(t, withDatabase(t, service(t, "IT_PG_ADMIN_URL"), "decnet"))
		mustExec(t, inside, "CREATE SCHEMA AUTHORIZATION "+name)
		t.Cleanup(func() { mustExecAfter(t, inside, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
		at := withUser(t, service(t, "IT_PG_URL"), name, name)
		other := asPostgres(t, at)
		for _, table := range decnetTables {
			q := strings.Join(golden[schema](t, "db_schema.json").SQLite[table], ";")
			mustExec(t, other, strings.ReplaceAll(q, "DATETIME", "TIMESTAMP"))
		}
		return at, other
	},
	trap: func(table string) (set, unset []string) {
		return []string{"CREATE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''boom''; END'",
				"CREATE TRIGGER boom BEFORE INSERT ON " + table + " FOR EACH ROW EXECUTE FUNCTION boom()"},
			[]string{"DROP FUNCTION boom() CASCADE"}
	},
}

var onMySQL = site{
	name: "mysql", d: &mysqlDialect,
	kept: func(text string) string { return text[:len(readLayout)] }, // DATETIME keeps seconds
	when: func(column string) string { return "CAST(" + column + " AS CHAR)" },
	fresh: func(t testing.TB) (string, *bun.DB) {
		t.Helper()
		name := "decnet_" + nonce()
		admin := asMySQL(t, service(t, "IT_MYSQL_URL"))
		mustExec(t, admin, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
		t.Cleanup(func() { mustExecAfter(t, admin, "DROP DATABASE "+name) })
		at := withDatabase(t, service(t, "IT_MYSQL_URL"), name)
		other := asMySQL(t, withDatabase(t, service(t, "IT_MYSQL_ADMIN_URL"), name)) // who runs statements for us too
		var all []string
		for _, table := range decnetTables {
			all = append(all, golden[schema](t, "db_schema.json").MySQL[table]...)
		}
		mustExec(t, other, strings.Join(all, ";"))
		return at, other
	},
	trap: func(table string) (set, unset []string) {
		return []string{"CREATE TRIGGER boom BEFORE INSERT ON " + table + " FOR EACH ROW SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'boom'"},
			[]string{"DROP TRIGGER boom"}
	},
}

// decnetTables are those that a reconciler meets.
var decnetTables = []string{"fleet_deckies", "decky_lifecycle", "state"}

func service(t testing.TB, key string) string {
	t.Helper()
	switch {
	case services[key] != "":
	case os.Getenv("CI") == "true":
		t.Fatalf("missing in CI: %s is not set", key)
	default:
		t.Skipf("NOT TESTED: %s is not set: run `integration/services.sh up` first, as `make test` does", key)
	}
	return services[key]
}

func nonce() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func withDatabase(t testing.TB, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func withUser(t testing.TB, raw, user, password string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func asPostgres(t testing.TB, at string) *bun.DB {
	t.Helper()
	db := bun.NewDB(sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(at))), pgdialect.New())
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func asMySQL(t testing.TB, at string) *bun.DB {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.MultiStatements = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), true
	c.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := bun.NewDB(sql.OpenDB(connector), quietMySQL{mysqldialect.New()})
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func asSQLite(t testing.TB, dsn string) *bun.DB {
	t.Helper()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return bun.NewDB(db, sqlitedialect.New())
}

// mustExecAfter runs when the test's own context has ended.
func mustExecAfter(t testing.TB, db *bun.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), query); err != nil {
		t.Errorf("%s: %v", query, err)
	}
}
