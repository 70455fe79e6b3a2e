package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// comparison is one line of a shadow's report.
type comparison struct {
	Name    string  `json:"name"`
	Action  string  `json:"action"`
	From    string  `json:"from"`
	To      string  `json:"to"`
	Outcome string  `json:"outcome"`
	Code    string  `json:"code"`
	Reason  string  `json:"reason"`
	Earlier float64 `json:"earlier_seconds"`
}

type shadowReport struct {
	Open, Agreed, Differs, Missed, Led int64
	Codes                              map[string]int64
	Items                              []comparison
}

func (s *stage) shadow() shadowReport {
	s.t.Helper()
	code, text := s.get("/v1/shadow")
	if code != 200 {
		s.t.Fatalf("/v1/shadow: %d %s", code, text)
	}
	var r shadowReport
	must(s.t, json.Unmarshal([]byte(text), &r))
	return r
}

// compared waits until the report has such a line, and gives it. Earlier is not compared.
func (s *stage) compared(want comparison) (found comparison) {
	s.t.Helper()
	eventually(s.t, soon, func() error {
		r := s.shadow()
		i := slices.IndexFunc(r.Items, func(c comparison) bool {
			c.Earlier, c.Reason = 0, ""
			return c == want
		})
		if i < 0 {
			return fmt.Errorf("no %+v in %+v", want, r)
		}
		found = r.Items[i]
		return nil
	})
	return found
}

func (s *stage) tables() (names []string) {
	s.t.Helper()
	rows, err := s.db.sql.QueryContext(s.t.Context(), "SELECT name FROM sqlite_master ORDER BY name")
	must(s.t, err)
	defer rows.Close() //nolint:errcheck // only read
	for rows.Next() {
		var name string
		must(s.t, rows.Scan(&name))
		names = append(names, name)
	}
	must(s.t, rows.Err())
	return names
}

// TestShadowComparesItselfWithTheReferenceAndWritesNothing is the way into production: the daemon runs beside DECNET's own
// reconciler until its operator believes it.
func TestShadowComparesItselfWithTheReferenceAndWritesNothing(t *testing.T) {
	e := sharedEngine(t)
	deckies := append(e.fleet(t, "shade", 2, "ssh"), e.fleet(t, "shade-mail", 1, "ssh", "smtp_relay")...)
	s := newStage(t, e, deckies...)
	tables := s.tables()
	s.start("--shadow")

	for _, d := range deckies {
		s.compared(comparison{Name: d.Name, Action: "insert", To: "running", Outcome: "open"})
	}
	must(t, unless(len(s.db.rows(t)) == 0, "the shadow wrote %v", s.db.rows(t)))
	s.tick()
	s.compared(comparison{Name: "shade-01", Action: "insert", To: "running", Outcome: "agreed"})
	s.compared(comparison{Name: "shade-02", Action: "insert", To: "running", Outcome: "agreed"})
	s.compared(comparison{Name: "shade-mail-01", Action: "insert", To: "degraded", Outcome: "differs", Code: "D5"})

	e.kill(t, "shade-01-ssh") // the reference comes seconds later
	s.compared(comparison{Name: "shade-01", Action: "update", From: "running", To: "failed", Outcome: "open"})
	throughout(t, calm, func() error { return s.db.state(t, "shade-01", "running") })
	s.tick()
	led := s.compared(comparison{Name: "shade-01", Action: "update", From: "running", To: "failed", Outcome: "agreed"})
	if led.Earlier < calm.Seconds() || led.Earlier > 30 {
		t.Errorf("we were %v s earlier, the reference waited %s", led.Earlier, calm)
	}

	e.kill(t, "shade-02-ssh") // and one that the reference never sees
	s.compared(comparison{Name: "shade-02", Action: "update", From: "running", To: "failed", Outcome: "open"})
	e.start(t, "shade-02-ssh")
	s.compared(comparison{Name: "shade-02", Action: "update", From: "running", To: "failed", Outcome: "missed", Code: "over"})

	must(t, os.Remove(s.path("decnet-state.json"))) // the reference deletes every row, with all containers there
	eventually(t, soon, func() error {
		_, status := s.get("/v1/status")
		return unless(strings.Count(status, `"what":"delete"`) == len(deckies), "not all are held: %s", status)
	})
	s.tick()
	must(t, unless(len(s.db.rows(t)) == 0, "the reference left rows: is the test right?"))
	for _, d := range deckies {
		gone := s.compared(comparison{Name: d.Name, Action: "delete", From: s.lastState(d.Name), Outcome: "differs", Code: "D14"})
		must(t, unless(strings.Contains(gone.Reason, "containers are still there"), "reason %q", gone.Reason))
	}

	must(t, unless(slices.Equal(s.tables(), tables), "tables %v, before %v", s.tables(), tables))
	for _, heard := range s.sub.all(t) {
		if heard.topic != "test.ready" && heard.topic != "system.bus.health" { // the bus's own
			t.Errorf("published: %s %s", heard.topic, heard.raw)
		}
	}
	table, code := s.command("shadow")
	must(t, unless(code == 0 && strings.Contains(table, "agreed 3, differs 4, missed 1, open 0"), "exit code %d: %s", code, table))
	r := s.shadow()
	if r.Agreed != 3 || r.Differs != 4 || r.Missed != 1 || r.Led != 3 || r.Codes["D14"] != 3 || r.Codes["D5"] != 1 || r.Codes["over"] != 1 {
		t.Errorf("%+v", r)
	}
}

// lastState is what the row of a decky showed before it went, in the story of the test above.
func (s *stage) lastState(name string) string {
	return map[string]string{"shade-01": "failed", "shade-02": "running", "shade-mail-01": "degraded"}[name]
}

func TestShadowObeysNobodyAndSaysWhatItIs(t *testing.T) {
	e := sharedEngine(t)
	s := newStage(t, e, e.fleet(t, "shade-quiet", 1, "ssh")...)
	s.tick()
	before := s.db.rows(t)
	s.start("--shadow")
	eventually(t, soon, func() error { return s.ready(200, `"role":"shadow"`, `"passed":true`) })
	must(t, s.health())

	status, _ := s.command("status", "--check")
	doctor, _ := s.command("doctor")
	must(t, errors.Join(unless(strings.Contains(status, ", shadow,") && strings.Contains(status, "writes nothing; agreed 0"), "status: %s", status),
		unless(strings.Contains(doctor, "it is a shadow and writes nothing"), "doctor: %s", doctor)))
	if out, code := s.command("reconcile", "--once"); code != 8 {
		t.Errorf("reconcile of a shadow: exit code %d %s", code, out)
	}
	if out, code := s.command("reconcile", "--once", "--dry-run"); code != 0 {
		t.Errorf("dry run of a shadow: exit code %d %s", code, out)
	}
	publish(t, s.path("bus.sock"), "system.reconciler.control", "control", `{"action":"stop","requested_by":"admin","ts":1.5}`)
	s.db.exec(t, "UPDATE fleet_deckies SET state = 'failed', updated_at = ?", stamp())
	s.compared(comparison{Name: "shade-quiet-01", Action: "update", From: "running", To: "failed", Outcome: "differs", Code: "state"})
	before[0].State = "failed"
	throughout(t, calm+time.Second, func() error {
		rows := s.db.rows(t)
		rows[0].UpdatedAt = before[0].UpdatedAt
		return errors.Join(unless(s.daemon.alive(), "it obeyed a stop\n%s", s.daemon.tail()), unless(slices.Equal(rows, before), "rows %v", rows))
	})
	events, _ := s.command("events", "--type", "shadow_differs")
	must(t, unless(strings.Contains(events, "shade-quiet-01"), "events: %s", events))
}

// TestADaemonThatWritesIsNoShadow: the verb must not look as if nothing differed.
func TestADaemonThatWritesIsNoShadow(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "shade-none", 1, "ssh")...)
	if out, code := s.command("shadow"); code != 5 {
		t.Errorf("exit code %d %s", code, out)
	}
}
