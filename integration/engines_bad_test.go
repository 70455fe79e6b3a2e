package integration

import (
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
)

func mustURL(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	must(t, err)
	return u
}

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// at changes the host and the options of a URL.
func at(t *testing.T, raw, host, options string) string {
	t.Helper()
	u := mustURL(t, raw)
	u.Host, u.RawQuery = net.JoinHostPort(host, u.Port()), options
	return u.String()
}

// admin opens the server as its administrator.
func (d *dbms) admin(t *testing.T) *database {
	t.Helper()
	if d.name == "postgres" {
		return openPostgres(t, inDatabase(t, need(t, "IT_PG_ADMIN_URL"), "decnet"))
	}
	return openMariaDB(t, need(t, "IT_MYSQL_ADMIN_URL"))
}

func (d *dbms) ca(t *testing.T) string {
	t.Helper()
	return need(t, map[string]string{"postgres": "IT_PG_CA", "mariadb": "IT_MYSQL_CA"}[d.name])
}

// TestWhatWaitingCannotMendEndsWith78: the daemon ends at once, says what and how to mend it, and never the password.
func TestWhatWaitingCannotMendEndsWith78(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		if d.service == "" {
			return
		}
		s, _ := prepared(t, d, "d1")
		good := s.db.at
		user := mustURL(t, good).User.Username()
		ca := "&sslrootcert=" + d.ca(t)
		for name, tc := range map[string]struct{ url, says string }{
			"a wrong password":                    {withLogin(t, good, user, "s3cret"), "check account, password and database name"},
			"an unknown account":                  {withLogin(t, good, "nobody", "s3cret"), "check account, password and database name"},
			"an unknown database":                 {inDatabase(t, good, "decnet_nowhere"), "check account, password and database name"},
			"a certificate for another name":      {at(t, good, "127.0.0.1", "sslmode=verify-full"+ca), "name the server in the database URL as its certificate does"},
			"another name, and sslmode=require":   {at(t, good, "127.0.0.1", "sslmode=require"+ca), "name the server in the database URL as its certificate does"},
			"a certificate by nobody knows whom":  {at(t, good, "localhost", "sslmode=verify-full"), "sslrootcert=FILE"},
			"an option that would weaken nothing": {at(t, good, "localhost", "sslmode=prefer"), "verify-full or disable"},
		} {
			t.Run(name, func(t *testing.T) {
				s := *s
				s.t = t
				s.db = &database{at: tc.url, dbms: d}
				for _, verb := range [][]string{{"serve"}, {"db", "init"}} {
					said, code := s.complaint(verb...)
					if code != 78 || !strings.Contains(said, tc.says) || strings.Contains(said, "s3cret") {
						t.Errorf("%v: exit %d, want 78 and %q:\n%s", verb, code, tc.says, said)
					}
				}
			})
		}
		s.db.at = at(t, good, "localhost", "sslmode=verify-full"+ca)
		if out, code := s.command("reconcile", "--once"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1 ") {
			t.Errorf("verified: exit %d: %s", code, out)
		}
		s.db.exec(t, "DROP TABLE fleet_deckies")
		if said, code := s.complaint("serve"); code != 78 || !strings.Contains(said, "table fleet_deckies is missing") {
			t.Errorf("no table: exit %d\n%s", code, said)
		}
	})
}

// TestTheStatementsShownAreAllThatARestrictedAccountNeeds: they are run by an administrator exactly as they were printed.
func TestTheStatementsShownAreAllThatARestrictedAccountNeeds(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		if d.service == "" {
			return
		}
		s, _ := prepared(t, d, "d1")
		name, admin := "decnet_"+nonce(), d.admin(t)
		where := mustURL(t, s.db.at)
		if d.name == "postgres" {
			admin.exec(t, "CREATE ROLE "+name+" LOGIN PASSWORD 'pw'")
			admin.exec(t, "GRANT USAGE ON SCHEMA "+where.User.Username()+" TO "+name)
			admin.exec(t, "ALTER ROLE "+name+" SET search_path TO "+where.User.Username())
		} else {
			admin.exec(t, "CREATE USER "+name+"@'127.0.0.1' IDENTIFIED BY 'pw'")
			admin.exec(t, "GRANT SELECT ON "+strings.TrimPrefix(where.Path, "/")+".fleet_deckies TO "+name+"@'127.0.0.1'")
		}
		owner := s.db.at
		s.db.at = withLogin(t, owner, name, "pw")
		said, code := s.complaint("serve")
		_, shown, found := strings.Cut(said, "statements for whoever may run them:")
		if code != 78 || !found {
			t.Fatalf("exit %d\n%s", code, said)
		}
		c, err := admin.sql.Conn(t.Context())
		must(t, err)
		defer c.Close() //nolint:errcheck // it has said all
		for statement := range strings.SplitSeq(strings.TrimSpace(shown), "\n") {
			statement = strings.TrimSuffix(strings.TrimSpace(statement), ";")
			if _, err := c.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
		if out, code := s.command("reconcile", "--once"); code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1 ") {
			t.Errorf("exit %d: %s", code, out)
		}
		if out, _ := s.command("doctor", "-o", "json"); !strings.Contains(out, `{"check":"database","result":"ok"`) {
			t.Errorf("doctor: %s", out)
		}
		if said, code := s.complaint("db", "drop"); code != 78 || !strings.Contains(said, "DROP TABLE IF EXISTS fleetd_outbox;") {
			t.Errorf("what an administrator made, the account may not drop: exit %d\n%s", code, said)
		}
	})
}

// TestAServerThatTakesNoWritesIsNamed, waited for, and used as soon as it does.
func TestAServerThatTakesNoWritesIsNamed(t *testing.T) {
	onServers(t, func(t *testing.T, d *dbms) {
		s, sim := running(t, d, "d1")
		lock, unlock := "SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"
		admin := d.admin(t)
		if d.name == "postgres" {
			lock, unlock = "ALTER SYSTEM SET default_transaction_read_only = on", "ALTER SYSTEM RESET default_transaction_read_only"
		}
		set := func(q string) {
			admin.exec(t, q)
			if d.name == "postgres" {
				admin.exec(t, "SELECT pg_reload_conf()")
			}
		}
		set(lock)
		t.Cleanup(func() { _, _ = d.admin(t).sql.Exec(unlock) })
		// A server tells its sessions one by one: the next beat of the lease finds out, then nothing more is written.
		eventually(t, soon, func() error {
			out, _ := s.command("status", "-o", "json")
			return unless(strings.Contains(out, "accepts no writes"), "%s", out)
		})
		must(t, sim.Kill("d1-ssh"))
		if out, _ := s.command("doctor"); !strings.Contains(out, "accepts no writes") || !strings.Contains(out, "replica") {
			t.Errorf("doctor: %s", out)
		}
		must(t, s.db.state(t, "d1", "running"))
		if d.name == "postgres" {
			_, err := admin.sql.ExecContext(t.Context(), "BEGIN; SET TRANSACTION READ WRITE; COMMIT")
			must(t, err)
		}
		set(unlock)
		s.reaches("d1", "failed", soon)
		s.consistent("d1")
	})
}

// TestAServerWithoutTLSIsRefused where TLS was asked for: nothing is ever sent in clear instead.
func TestAServerWithoutTLSIsRefused(t *testing.T) {
	onServers(t, func(t *testing.T, d *dbms) {
		d.restarted(t, map[string][]string{"postgres": {"-c", "ssl=off"}, "mariadb": {"--skip-ssl"}}[d.name]...)
		s, _ := prepared(t, d, "d1")
		s.db.at = at(t, s.db.at, "localhost", "sslmode=verify-full&sslrootcert="+d.ca(t))
		if said, code := s.complaint("serve"); code != 78 || !strings.Contains(said, "does not speak TLS") {
			t.Errorf("exit %d\n%s", code, said)
		}
	})
}

// TestAWrongClockIsShownByTheDoctor: a MariaDB can be told another time for everybody but its administrators.
func TestAWrongClockIsShownByTheDoctor(t *testing.T) {
	s, _ := running(t, &onMariaDB, "d1")
	admin := onMariaDB.admin(t)
	admin.exec(t, "SET GLOBAL init_connect = 'SET timestamp = 1000000000'")
	t.Cleanup(func() { _, err := onMariaDB.admin(t).sql.Exec("SET GLOBAL init_connect = ''"); must(t, err) })
	out, _ := s.command("doctor")
	if !strings.Contains(out, "behind this host's") {
		t.Errorf("doctor: %s", out)
	}
	s.kill9() // the lease of a process that is gone, on a clock that is wrong
	s.start()
	s.declare(declare("d1", "ssh"), declare("d2", "ssh"))
	s.reaches("d2", "torn_down", soon)
	s.consistent("d1", "d2")
}
