package integration

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/driver/pgdriver"
)

// dbms is a database engine that DECNET's tables may live in.
type dbms struct {
	name string
	// service is its name with services.sh; "" for SQLite, which has no server.
	service string
	// when selects a time as text with as many digits as the engine keeps; kept is what it keeps of six.
	when func(column string) string
	kept func(text string) string
	// tables lists the tables of a database.
	tables string
}

func asIs(text string) string { return text }

var onSQLite = dbms{
	name: "sqlite", kept: asIs,
	when:   func(column string) string { return "CAST(" + column + " AS TEXT)" },
	tables: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
}

var onPostgres = dbms{
	name: "postgres", service: "postgres", kept: asIs,
	when:   func(column string) string { return "to_char(" + column + ", 'YYYY-MM-DD HH24:MI:SS.US')" },
	tables: "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() ORDER BY table_name",
}

var onMariaDB = dbms{
	name: "mariadb", service: "mariadb",
	kept:   func(text string) string { return text[:len("2026-01-01 00:00:00")] }, // DATETIME keeps seconds
	when:   func(column string) string { return "CAST(" + column + " AS CHAR)" },
	tables: "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name",
}

// fresh makes a database of its own for a test, with DECNET's tables; a file is made in dir.
func (d *dbms) fresh(t *testing.T, dir string) *database {
	t.Helper()
	switch d.name {
	case "postgres":
		return freshPostgres(t)
	case "mariadb":
		return freshMariaDB(t)
	}
	return newDatabase(t, filepath.Join(dir, "decnet.db"))
}

// onEveryDBMS runs a test on all of them, beside each other and other such tests: most of it is waiting.
func onEveryDBMS(t *testing.T, test func(*testing.T, *dbms)) {
	t.Helper()
	t.Parallel()
	for _, d := range []*dbms{&onSQLite, &onPostgres, &onMariaDB} {
		t.Run(d.name, func(t *testing.T) { t.Parallel(); test(t, d) })
	}
}

// onServers runs a test on those that have a server, one after the other: it may take the server down.
func onServers(t *testing.T, test func(*testing.T, *dbms)) {
	t.Helper()
	for _, d := range []*dbms{&onPostgres, &onMariaDB} {
		t.Run(d.name, func(t *testing.T) { test(t, d) })
	}
}

// schema is what was recorded of DECNET's tables.
type schema struct {
	SQLite map[string][]string `json:"sqlite_ddl"`
	MySQL  map[string][]string `json:"mysql_ddl"`
}

func schemas(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile("testdata/db_schema.json")
	must(t, err)
	var s schema
	must(t, json.Unmarshal(text, &s))
	return s
}

// metTables are those of DECNET's tables that a reconciler meets.
var metTables = []string{"fleet_deckies", "decky_lifecycle", "state"}

// freshPostgres makes an account with a schema of its name: as good as a database, and ten times as fast.
func freshPostgres(t *testing.T) *database {
	t.Helper()
	name := "decnet_" + nonce()
	admin := openPostgres(t, inDatabase(t, need(t, "IT_PG_ADMIN_URL"), "decnet"))
	admin.exec(t, "CREATE ROLE "+name+" LOGIN PASSWORD '"+name+"'")
	admin.exec(t, "CREATE SCHEMA AUTHORIZATION "+name)
	t.Cleanup(func() { afterwards(t, admin, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
	db := openPostgres(t, withLogin(t, need(t, "IT_PG_URL"), name, name))
	for _, table := range metTables { // DECNET itself does not run on PostgreSQL: its models would compile to this
		db.exec(t, strings.ReplaceAll(strings.Join(schemas(t).SQLite[table], ";"), "DATETIME", "TIMESTAMP"))
	}
	return db
}

func freshMariaDB(t *testing.T) *database {
	t.Helper()
	name := "decnet_" + nonce()
	admin := openMariaDB(t, need(t, "IT_MYSQL_URL"))
	admin.exec(t, "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() { afterwards(t, admin, "DROP DATABASE "+name) })
	db := openMariaDB(t, inDatabase(t, need(t, "IT_MYSQL_URL"), name))
	var all []string
	for _, table := range metTables {
		all = append(all, schemas(t).MySQL[table]...)
	}
	db.exec(t, strings.Join(all, ";"))
	db.at = "mysql+asyncmy" + strings.TrimPrefix(db.at, "mysql") // as DECNET has it
	return db
}

// afterwards cleans up, when the test's context has ended, and the server may have been another one meanwhile.
func afterwards(t *testing.T, d *database, statement string) {
	t.Helper()
	d.awake(t)
	_, err := d.sql.ExecContext(context.Background(), statement)
	must(t, err)
}

// awake waits until none of the connections is one to a server that has ended.
func (d *database) awake(t *testing.T) {
	t.Helper()
	for well := 0; well < 5; {
		eventually(t, soon, func() error {
			_, err := d.sql.ExecContext(context.Background(), "SELECT 1")
			if well++; err != nil {
				well = 0
			}
			return err
		})
	}
}

func openPostgres(t *testing.T, at string) *database {
	t.Helper()
	db := bun.NewDB(sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(at))), pgdialect.New())
	t.Cleanup(func() { _ = db.Close() })
	return &database{at: at, sql: db, dbms: &onPostgres}
}

// quiet skips bun's question for the version.
type quiet struct{ *mysqldialect.Dialect }

func (quiet) Init(*sql.DB) {}

func openMariaDB(t *testing.T, at string) *database {
	t.Helper()
	u, err := url.Parse(at)
	must(t, err)
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName, c.MultiStatements = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/"), true
	c.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(c)
	must(t, err)
	db := bun.NewDB(sql.OpenDB(connector), quiet{mysqldialect.New()})
	t.Cleanup(func() { _ = db.Close() })
	return &database{at: at, sql: db, dbms: &onMariaDB}
}

func nonce() string {
	b := make([]byte, 6)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

func inDatabase(t *testing.T, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	u.Path = "/" + name
	return u.String()
}

func withLogin(t *testing.T, raw, user, password string) string {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	u.User = url.UserPassword(user, password)
	return u.String()
}
