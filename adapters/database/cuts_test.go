package database

import (
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

func TestAServerThatIsNotThereIsWaitedFor(t *testing.T) {
	for _, at := range []string{"postgres://u:p@127.0.0.1:1/d", "mysql://u:p@127.0.0.1:1/d"} {
		w := &world{t: t, url: at, now: start}
		err := w.openDB().Check(t.Context())
		if !Retryable(err) || !strings.Contains(err.Error(), "is the server running") || strings.Contains(err.Error(), "u:p") {
			t.Errorf("error %v", err)
		}
	}
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
