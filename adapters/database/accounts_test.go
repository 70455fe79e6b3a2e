package database

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestWhatWaitingCannotMendIsSaidWithoutThePassword(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		secret := "s3cret-" + nonce()
		tests := map[string]string{
			"a wrong password":    withUser(t, w.url, w.account(), secret),
			"an unknown account":  withUser(t, w.url, "nobody_"+nonce(), secret),
			"an unknown database": withDatabase(t, w.url, "nowhere"),
		}
		if s.name == onMySQL.name {
			tests["an unknown database"] = withDatabase(t, w.url, "decnet_nowhere") // where the account would be let in
		}
		for name, at := range tests {
			db := w.openDB(func(c *Config) { c.URL = at })
			for _, err := range []error{db.Check(t.Context()), db.Init(t.Context(), false)} {
				if err == nil || Retryable(err) || kindOf(err) != kindLogin {
					t.Errorf("%s: %v", name, err)
				} else if text := err.Error(); strings.Contains(text, secret) || !strings.Contains(text, "check account, password and database name") {
					t.Errorf("%s: %s", name, text)
				}
			}
		}
	})
}

// restricted makes an account that may connect and nothing else, beside tables that are another's.
func (w *world) restricted() (at string) {
	w.t.Helper()
	name := "decnet_" + nonce()
	if w.at.name == onMySQL.name {
		// Two hosts: the statements must name the one the server takes us for.
		mustExec(w.t, w.other, fmt.Sprintf("CREATE USER %[1]s@'127.0.0.%%' IDENTIFIED BY '%[1]s'", name))
		w.t.Cleanup(func() { mustExecAfter(w.t, w.other, "DROP USER "+name+"@'127.0.0.%'") })
		mustExec(w.t, w.other, fmt.Sprintf("GRANT SELECT (host_uuid) ON fleet_deckies TO %s@'127.0.0.%%'", name)) // lets it in
		return withUser(w.t, w.url, name, name)
	}
	admin := asPostgres(w.t, withDatabase(w.t, service(w.t, "IT_PG_ADMIN_URL"), "decnet"))
	mustExec(w.t, admin, fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%[1]s'", name))
	mustExec(w.t, admin, fmt.Sprintf("ALTER ROLE %s SET search_path TO %s; GRANT USAGE ON SCHEMA %[2]s TO %[1]s", name, w.account()))
	w.t.Cleanup(func() { mustExecAfter(w.t, admin, "DROP OWNED BY "+name+" CASCADE; DROP ROLE "+name) })
	return withUser(w.t, w.url, name, name)
}

// administrator runs statements in one session, in a place where nobody has said which schema is meant.
func (w *world) administrator(statements []string) {
	w.t.Helper()
	var admin *bun.DB
	if w.at.name == onPostgres.name {
		admin = asPostgres(w.t, withDatabase(w.t, service(w.t, "IT_PG_ADMIN_URL"), "decnet"))
	} else {
		admin = asMySQL(w.t, service(w.t, "IT_MYSQL_ADMIN_URL"))
	}
	c, err := admin.Conn(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, q := range statements {
		if _, err := c.ExecContext(w.t.Context(), q); err != nil {
			w.t.Fatalf("%s: %v", q, err)
		}
	}
}

func TestExactlyTheStatementsGivenMakeARestrictedAccountWork(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		if err := w.db.Drop(t.Context()); err != nil {
			t.Fatal(err)
		}
		db := w.openDB(func(c *Config) { c.URL = w.restricted() })
		var given []string
		for _, err := range []error{db.Init(t.Context(), false), db.Check(t.Context())} {
			wantSchema(t, err, "administrator")
			if given = Statements(err); len(given) == 0 {
				t.Fatalf("no statements: %v", err)
			}
		}
		w.administrator(given)
		for range 2 { // the second start finds everything there, and still may not make tables
			if err := errors.Join(db.Init(t.Context(), false), db.Check(t.Context())); err != nil {
				t.Fatal(err)
			}
		}
		w.db = db
		l, err := db.Take(t.Context(), messages.Lease{})
		if err != nil {
			t.Fatal(err)
		}
		w.token = l.Token
		_, out := w.apply(w.insert("d", messages.Running))
		w.one(w.update("d", "running", messages.Failed))
		w.one(w.remove("d", "failed"))
		if err := errors.Join(db.Acknowledge(t.Context(), ids(out)), db.Park(t.Context(), out[0].ID+1, "why"), db.Beat(t.Context(), w.token),
			db.Release(t.Context(), w.token)); err != nil {
			t.Error(err)
		}
		if _, _, err := db.readAll(t.Context()); err != nil {
			t.Error(err)
		}
		w.administrator(given) // once more harms nothing
	})
}

func TestOperationsThatMayNotBeReadAreNoAbsentOnes(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		db := w.openDB(func(c *Config) { c.URL = w.restricted() })
		given := Statements(db.Check(t.Context()))
		var without []string
		for _, q := range given {
			if !strings.Contains(q, "decky_lifecycle") {
				without = append(without, q)
			}
		}
		if len(without) != len(given)-1 {
			t.Fatalf("%q", given)
		}
		w.administrator(without)
		err := db.Check(t.Context())
		wantSchema(t, err, "decky_lifecycle")
		l, err := db.Take(t.Context(), messages.Lease{Held: true, Token: 1, Beat: 1})
		if err != nil {
			t.Fatal(err)
		}
		w.foreign("local", "d", "running")
		if _, _, err := db.Apply(t.Context(), l.Token, []messages.RowChange{w.update("d", "running", messages.Failed)}); err == nil {
			t.Error("a state was written over an operation that could not be seen")
		}
	})
}

// account is the one of the URL.
func (w *world) account() string {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	return u.User.Username()
}
