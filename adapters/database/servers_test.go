package database

import (
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

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
			"current_setting('statement_timeout')": "4s", "current_setting('idle_in_transaction_session_timeout')": "4s", "current_setting('TimeZone')": "UTC", "current_setting('transaction_isolation')": "read committed"},
		"mysql": {"@@innodb_lock_wait_timeout": "4", "@@lock_wait_timeout": "4", "@@wait_timeout": "8", "@@time_zone": "+00:00", "@@character_set_connection": "utf8mb4",
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
