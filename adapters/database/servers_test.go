package database

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// until calls Apply as the store does: again and again, while it may.
func (w *world) until(batch ...messages.RowChange) ([]messages.RowReply, []messages.OutboxRow) {
	w.t.Helper()
	for range 20 {
		replies, out, err := w.db.Apply(w.t.Context(), w.token, batch)
		if err == nil {
			return replies, out
		}
		if !Retryable(err) {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("never committed")
	return nil, nil
}

func TestACommitWhoseAnswerIsLostOnTheWayIsCommittedOnce(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		for _, queue := range []bool{true, false} {
			w, p := throughProxy(t, s, func(c *Config) { c.Queue = queue })
			w.one(w.insert("a", messages.Running))
			batch := []messages.RowChange{w.update("a", "running", messages.Failed), w.insert("b", messages.Running)}
			happened := p.once("COMMIT", 1, unsaid)
			if _, _, err := w.db.Apply(t.Context(), w.token, batch); err == nil || !Retryable(err) {
				t.Fatalf("error %v", err)
			}
			if !happened() {
				t.Fatal("no COMMIT was seen")
			}
			if n := w.count("SELECT COUNT(*) FROM fleet_deckies WHERE state = 'failed'"); n != 1 {
				t.Fatal("it was not committed: this tests nothing")
			}
			replies, out := w.until(batch...)
			if replies[0].Outcome != messages.Committed || replies[0].Rev != 2 || replies[1].Rev != 1 || queue && len(out) != 2 {
				t.Errorf("%+v %+v", replies, out)
			}
			if n := w.count("SELECT COUNT(*) FROM fleetd_outbox"); queue && n != 3 {
				t.Errorf("%d outbox rows", n)
			}
		}
	})
}

// TestAConnectionCutAnywhereLeavesAllOrNothing cuts before every message of the transaction.
func TestAConnectionCutAnywhereLeavesAllOrNothing(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w, p := throughProxy(t, s)
		w.one(w.insert("d", messages.Running))
		state, rev := messages.Running, int64(1)
		for nth := 1; ; nth++ {
			next := map[messages.State]messages.State{messages.Running: messages.Failed, messages.Failed: messages.Running}[state]
			c := w.update("d", string(state), next)
			happened := p.once("", nth, unheard)
			_, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{c})
			if !happened() {
				if nth < 8 || err != nil {
					t.Fatalf("cut %d messages only (%v)", nth-1, err)
				}
				return
			}
			p.when(nil)
			if err == nil { // the driver saw before it had said anything, and connected again
				if nth > 1 {
					t.Errorf("message %d: cut and yet committed", nth)
				}
			} else if !Retryable(err) {
				t.Fatalf("message %d: %v", nth, err)
			} else if n := w.count("SELECT COUNT(*) FROM fleet_deckies d JOIN fleetd_rev r ON r.name = d.name WHERE state = ? AND rev = ?", string(state), rev); n != 1 {
				t.Errorf("message %d: a part was committed", nth)
			}
			replies, _ := w.until(c)
			state, rev = next, rev+1
			if replies[0].Rev != rev || replies[0].Outcome != messages.Committed {
				t.Errorf("message %d: %+v", nth, replies)
			}
			if n := w.count("SELECT COUNT(*) FROM fleetd_outbox"); n != int(rev) {
				t.Errorf("message %d: %d outbox rows at revision %d", nth, n, rev)
			}
		}
	})
}

func TestEverySessionMayBeEndedByTheServer(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w, p := throughProxy(t, s)
		w.one(w.insert("d", messages.Running))
		o := w.watch(func(*Config) {})
		o.read()
		for range 3 {
			p.drop()
			if err := w.db.Beat(t.Context(), w.token); err != nil && !Retryable(err) {
				t.Error(err)
			}
			if err := w.db.Beat(t.Context(), w.token); err != nil {
				t.Errorf("the second call does not connect again: %v", err)
			}
		}
		w.now = w.now.Add(2 * time.Second) // a sign for the observer
		w.until(w.update("d", "running", messages.Failed))
		for deadline := time.Now().Add(patience); ; {
			r, ok := o.next().(messages.RecordedRead)
			if ok && reflect.DeepEqual(names(r), []string{"d failed"}) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("the observer did not come back")
			}
		}
	})
}

// brief makes a statement give up soon; a server does at four fifths of it, in whole seconds on MySQL.
func brief(c *Config) { c.Timeout = 1500 * time.Millisecond }

func TestARowThatSomebodyHoldsIsWaitedForAndThenReadAgain(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s, brief)
		w.apply(w.insert("d", messages.Running), w.insert("free", messages.Running))
		tx, err := w.other.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE fleet_deckies SET state = 'odd' WHERE host_uuid = 'local' AND name = 'd'"); err != nil {
			t.Fatal(err)
		}
		c := w.update("d", "running", messages.Failed)
		for range 2 { // far beyond every deadline of a statement
			_, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{c})
			if err == nil || !Retryable(err) || !strings.Contains(err.Error(), "lock") {
				t.Fatalf("error %v", err)
			}
		}
		if err := w.db.Beat(t.Context(), w.token); err != nil {
			t.Errorf("the lease waits too: %v", err)
		}
		if read, _, err := w.db.readAll(t.Context()); err != nil || len(read.Rows) != 2 {
			t.Errorf("a writer must not stop a reader: %v", err)
		}
		if r := w.one(w.update("free", "running", messages.Failed)); r.Outcome != messages.Committed {
			t.Errorf("another row waits too: %+v", r)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r := w.one(c); r.Outcome != messages.Refused || r.Row.State != "odd" {
			t.Errorf("a foreign edit was overwritten: %+v", r)
		}
		if r := w.one(w.update("d", "odd", messages.Failed)); r.Outcome != messages.Committed {
			t.Errorf("%+v", r)
		}
	})
}

func TestWhatIsCommittedWhileWeWaitForARowCounts(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.one(w.insert("d", messages.Running))
		tx, err := w.other.BeginTx(t.Context(), nil) // DECNET's deploy: the row and the operation, together
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.ExecContext(t.Context(), "UPDATE fleet_deckies SET last_error = '' WHERE name = 'd'"); err != nil {
			t.Fatal(err)
		}
		answer := make(chan messages.RowReply, 1)
		go func() {
			replies, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{w.update("d", "running", messages.Failed)})
			if err != nil {
				replies = []messages.RowReply{{Twin: err.Error()}}
			}
			answer <- replies[0]
		}()
		w.awaitWaiter()
		if _, err := tx.ExecContext(t.Context(), `INSERT INTO decky_lifecycle (id, decky_name, operation, status, started_at, updated_at)
			VALUES ('op', 'd', 'deploy', 'running', ?, ?)`, stamp(w.now), stamp(w.now)); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if r := <-answer; r.Outcome != messages.HeldBack {
			t.Errorf("%+v", r)
		}
	})
}

// awaitWaiter returns when a statement of ours waits for a lock.
func (w *world) awaitWaiter() {
	w.t.Helper()
	// MySQL renews this view only for somebody who has not looked for 100 ms.
	query := "SELECT COUNT(*) + SLEEP(0.15) FROM information_schema.innodb_trx JOIN information_schema.processlist " +
		"ON trx_mysql_thread_id = id WHERE trx_state = 'LOCK WAIT' AND db = DATABASE()"
	if w.at.name == onPostgres.name {
		query = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND usename = current_user"
	}
	for deadline := time.Now().Add(patience); w.count(query) == 0; {
		if time.Now().After(deadline) {
			w.t.Fatal("nobody waits")
		}
	}
}

func TestNothingIsLockedBesideARowThatIsMissing(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		p, err := w.db.pools(false)
		if err != nil {
			t.Fatal(err)
		}
		// A batch that has locked its rows, none of which are there, and not yet written them.
		a := &attempt{db: w.db, batch: []messages.RowChange{w.insert("b", messages.Running)}, now: w.now}
		a.tx, err = p.writer.BeginTx(t.Context(), txOptions(s.d))
		if err != nil {
			t.Fatal(err)
		}
		defer rollback(a.tx)
		if err := a.readState(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx := soon(t, time.Second)
		if _, err := w.other.ExecContext(ctx, `INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at)
			VALUES ('local', 'a', '[]', 'running', ?)`, stamp(w.now)); err != nil {
			t.Errorf("DECNET's deploy waits for us: %v", err)
		}
	})
}

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

func TestAServerThatIsNotThereIsWaitedFor(t *testing.T) {
	for _, at := range []string{"postgres://u:p@127.0.0.1:1/d", "mysql://u:p@127.0.0.1:1/d"} {
		w := &world{t: t, url: at, now: start}
		err := w.openDB().Check(t.Context())
		if !Retryable(err) || !strings.Contains(err.Error(), "is the server running") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("error %v", err)
		}
	}
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
	admin := asMySQL
	at := w.url
	if w.at.name == onPostgres.name {
		admin, at = asPostgres, withDatabase(w.t, service(w.t, "IT_PG_ADMIN_URL"), "decnet")
	} else {
		at = service(w.t, "IT_MYSQL_ADMIN_URL")
	}
	c, err := admin(w.t, at).Conn(w.t.Context())
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

func TestTheServersClockIsComparedWithOurs(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		for _, apart := range []time.Duration{0, -3 * time.Hour, 26 * time.Hour} {
			db := w.openDB(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(-apart) } })
			got, err := db.Skew(t.Context())
			want := apart
			if s.name == onSQLite.name {
				want = 0
			}
			if err != nil || (got-want).Abs() > 2*time.Second {
				t.Errorf("%s, want %s (%v)", got, want, err)
			}
		}
	})
}

func TestConnectionsToServersAreSetUp(t *testing.T) {
	want := map[string]map[string]string{
		"postgres": {"current_setting('standard_conforming_strings')": "on", "current_setting('lock_timeout')": "4s",
			"current_setting('statement_timeout')": "4s", "current_setting('TimeZone')": "UTC", "current_setting('transaction_isolation')": "read committed"},
		"mysql": {"@@innodb_lock_wait_timeout": "4", "@@lock_wait_timeout": "4", "@@time_zone": "+00:00", "@@character_set_connection": "utf8mb4",
			"@@sql_mode": "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"},
	}
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		if s.name == onPostgres.name { // what an administrator may have set otherwise
			mustExec(t, w.other, "ALTER ROLE "+w.account()+" SET default_transaction_isolation = serializable")
			w.db.Reset()
		}
		p, err := w.db.pools(false)
		if err != nil {
			t.Fatal(err)
		}
		for expression, value := range want[s.name] {
			var have string
			if err := p.writer.QueryRowContext(t.Context(), "SELECT "+expression).Scan(&have); err != nil || have != value {
				t.Errorf("%s is %q, not %q (%v)", expression, have, value, err)
			}
		}
		c := w.insert(`x\'); DROP TABLE fleetd_rev; --`, messages.Running)
		if r := w.one(c); r.Row.Name != c.Name {
			t.Errorf("%+v", r)
		}
		if s.name == onPostgres.name { // where a backslash means something, text is no safe literal
			mustExec(t, w.other, "ALTER ROLE "+w.account()+" SET standard_conforming_strings = off")
			w.db.Reset()
			if err := w.db.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "standard_conforming_strings") {
				t.Errorf("error %v", err)
			}
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

func TestAReadOnlyServerIsNamedAndLeftForItsSuccessor(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		if s.name != onPostgres.name {
			return // a MariaDB is read-only for everybody at once: integration has that
		}
		w := newWorld(t, s)
		w.one(w.insert("d", messages.Running))
		role := w.account()
		mustExec(t, w.other, "ALTER ROLE "+role+" SET default_transaction_read_only = on")
		w.db.Reset()
		c := w.update("d", "running", messages.Failed)
		_, _, applied := w.db.Apply(t.Context(), w.token, []messages.RowChange{c})
		for _, err := range []error{applied, w.db.Check(t.Context()), w.db.Beat(t.Context(), w.token)} {
			if err == nil || !Retryable(err) || !strings.Contains(err.Error(), "accepts no writes") || !strings.Contains(err.Error(), "replica") {
				t.Errorf("error %v", err)
			}
		}
		// The connection that was opened while the server was a replica would stay one for ever.
		mustExec(t, w.other, "BEGIN; SET TRANSACTION READ WRITE; ALTER ROLE "+role+" RESET default_transaction_read_only; COMMIT")
		if r := w.one(c); r.Outcome != messages.Committed {
			t.Errorf("%+v", r)
		}
	})
}

func TestTimesThatAreNoneHoldNothing(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		w.foreign("local", "d", "running")
		never := "'infinity'"
		if s.name == onMySQL.name {
			never = "'0000-00-00 00:00:00'"
			w.other.SetMaxOpenConns(1)
			mustExec(t, w.other, "SET SESSION sql_mode = ''")
		}
		mustExec(t, w.other, `INSERT INTO decky_lifecycle (id, decky_name, host_uuid, operation, status, error, started_at, updated_at) VALUES
			('`+strings.Repeat("x", 255)+`', '', NULL, 'deploy', 'running', NULL, `+never+`, `+never+`)`)
		mustExec(t, w.other, "UPDATE fleet_deckies SET updated_at = "+never+", last_seen = "+never)
		if read, _, err := w.db.readAll(t.Context()); err != nil || len(read.Rows) != 1 || len(read.Holds) != 1 {
			t.Errorf("%+v (%v)", read, err)
		}
		if r := w.one(w.update("d", "running", messages.Failed)); r.Outcome != messages.Committed {
			t.Errorf("%+v", r)
		}
	})
}

func TestTextThatCannotBeStoredIsForetold(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		if narrow, err := w.db.Narrow(t.Context()); narrow != "" || err != nil {
			t.Errorf("%q (%v)", narrow, err)
		}
		if s.name != onMySQL.name {
			return
		}
		mustExec(t, w.other, "ALTER TABLE fleet_deckies MODIFY name VARCHAR(255) CHARACTER SET latin1 NOT NULL")
		if narrow, err := w.db.Narrow(t.Context()); narrow != "column name is latin1" || err != nil {
			t.Errorf("%q (%v)", narrow, err)
		}
	})
}

// TestARefusalCostsNoDescriptor: a daemon tries for days with a password that somebody changed.
func TestARefusalCostsNoDescriptor(t *testing.T) {
	if len(sites()) == 1 {
		t.Skip("NOT TESTED: needs servers; `make integration` brings them up and sets IT_ENGINES=all")
	}
	open := func() int {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	for _, s := range []site{onPostgres, onMySQL} {
		w := &world{t: t, at: s, now: start, url: withUser(t, service(t, map[string]string{"postgres": "IT_PG_URL", "mysql": "IT_MYSQL_URL"}[s.name]), "nobody", "x")}
		db := w.openDB()
		defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would close them in the end
		before := open()
		for range 30 {
			if err := db.Beat(t.Context(), 1); kindOf(err) != kindLogin {
				t.Fatal(err)
			}
		}
		if after := open(); after > before+5 {
			t.Errorf("%s: %d descriptors before, %d after 30 refusals", s.name, before, after)
		}
	}
}

// TestAServerThatFallsSilentCostsADeadline: nobody hangs up, as when a failover leaves a connection behind.
func TestAServerThatFallsSilentCostsADeadline(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w, p := throughProxy(t, s, brief)
		w.one(w.insert("d", messages.Running))
		for word, most := range map[string]time.Duration{"": 2 * time.Second, "COMMIT": driverSlack + 3*time.Second} { // a COMMIT takes no context
			state := messages.State(w.dump("SELECT state FROM fleet_deckies")[0]["state"])
			next := map[messages.State]messages.State{messages.Running: messages.Failed, messages.Failed: messages.Running}[state]
			c := w.update("d", string(state), next)
			happened := p.once(word, 1, silence)
			began := time.Now()
			_, _, err := w.db.Apply(t.Context(), w.token, []messages.RowChange{c})
			if took := time.Since(began); err == nil || !Retryable(err) || took > most {
				t.Fatalf("silent at %q: %v after %s", word, err, took)
			}
			if !happened() {
				t.Fatal("nothing was swallowed")
			}
			p.when(nil)
			if replies, _ := w.until(c); replies[0].Outcome != messages.Committed {
				t.Errorf("%+v", replies)
			}
		}
		if n := w.count("SELECT COUNT(*) FROM fleetd_outbox"); n != 3 {
			t.Errorf("%d transitions", n)
		}
	})
}
