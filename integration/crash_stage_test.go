package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/integration/faultproxy"
	"github.com/decnet/decnet-fleetd/integration/history"
)

// victim is a stage whose daemon dies all the time, with a judge of everything that ever happened on it.
type victim struct {
	*stage
	sim     *dockersim.Engine
	rand    *rand.Rand
	program []string
	names   []string
	up      map[string]bool
	all     []entry
	absent  int // index of the decky that is not declared; -1 is none
	others  map[string]string
	way     *faultproxy.Proxy // to the bus, for whom a bad one is wanted; nil: it is straight
	fixed   bool              // the file stays as it is: a daemon that lives long holds more than three deletions a minute back
}

// newVictim makes a stage of twelve deckies on a simulated engine, one of them undeclared from time to time, beside a row of
// another host. program is the binary with what must stand before it; nil is the one under test.
func newVictim(t *testing.T, d *dbms, seed uint64, program ...string) *victim {
	t.Helper()
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("v%d", i+1))
	}
	v := &victim{names: names, up: map[string]bool{}, absent: -1, rand: rand.New(rand.NewPCG(seed, 4))}
	v.stage, v.sim = prepared(t, d, v.names...)
	for _, n := range v.names {
		v.up[n] = true
		v.all = append(v.all, declare(n, "ssh"))
	}
	v.db.foreignInsert(t, "00000000-0000-4000-8000-000000000007", "elsewhere", "degraded")
	v.others, _ = v.rows()
	if _, code := v.command("db", "init"); code != 0 {
		t.Fatalf("db init: exit %d", code)
	}
	for _, q := range history.KeepLedger(d.name) {
		v.db.exec(t, q)
	}
	if v.program = program; program == nil {
		v.program = []string{fleetd(t)}
	}
	must(t, os.MkdirAll(v.path("state"), 0o700))
	t.Cleanup(func() { v.daemon.end(t); v.daemon.scars(t) })
	return v
}

// again starts the daemon once more and does not wait.
func (v *victim) again() {
	v.t.Helper()
	args := append(append(v.program[1:len(v.program):len(v.program)], "serve"), v.flags()...)
	v.daemon = launch(v.t, v.path("daemon.log"), v.program[0], args...)
}

// disturb changes something: mostly a container, now and then the file, or the whole fleet in a burst.
func (v *victim) disturb() {
	v.t.Helper()
	switch dice := v.rand.IntN(12); {
	case dice < 2 && !v.fixed:
		v.toggle()
	case dice == 2:
		for _, name := range v.names {
			v.flip(name)
		}
	default:
		v.flip(v.names[v.rand.IntN(len(v.names))])
	}
}

// flip kills a decky's container, or starts it again.
func (v *victim) flip(name string) {
	v.t.Helper()
	do := v.sim.Kill
	if !v.up[name] {
		do = v.sim.Start
	}
	must(v.t, do(name+"-ssh"))
	v.up[name] = !v.up[name]
}

// pileUp lets one decky change while the bus takes nothing, until its transitions wait one behind the other. What it returns lets
// the bus go on, so slowly that an acknowledgement reaches the outbox before the next one comes: what is deleted beyond the
// acknowledged ones is then something that nobody was told. A decky commits once a second.
func (v *victim) pileUp() (goOn func()) {
	v.t.Helper()
	v.way.Set(faultproxy.Faults{ToServer: faultproxy.Fault{Hang: true}})
	name := v.names[v.rand.IntN(len(v.names))]
	if v.absent >= 0 {
		v.toggle()
	}
	eventually(v.t, soon, func() error {
		v.flip(name)
		return unless(v.waitingOf(name) >= 4, "only %d transitions of %s wait", v.waitingOf(name), name)
	})
	return func() { v.way.Set(faultproxy.Faults{ToClient: faultproxy.Fault{Delay: 150 * time.Millisecond}}) }
}

// toggle takes a decky out of the file, or puts the missing one back.
func (v *victim) toggle() {
	v.t.Helper()
	if v.absent >= 0 {
		v.absent = -1
		v.declare(v.all...)
		return
	}
	v.absent = v.rand.IntN(len(v.all))
	var rest []entry
	for i, d := range v.all {
		if i != v.absent {
			rest = append(rest, d)
		}
	}
	v.declare(rest...)
}

// truth is what must come of it.
func (v *victim) truth() map[string]string {
	truth := map[string]string{}
	for i, name := range v.names {
		switch {
		case i == v.absent:
			truth[name] = ""
		case v.up[name]:
			truth[name] = "running"
		default:
			truth[name] = "failed"
		}
	}
	return truth
}

// rows gives the rows of others, whole, and the states of ours.
func (v *victim) rows() (others, ours map[string]string) {
	v.t.Helper()
	others, ours = map[string]string{}, map[string]string{}
	for _, r := range v.db.rows(v.t) {
		if r.Host == "local" {
			ours[r.Name] = r.State
			continue
		}
		others[r.Host+"/"+r.Name] = fmt.Sprintf("%+v", r)
	}
	return others, ours
}

// evidence gathers what the judge wants to know.
func (v *victim) evidence() history.Evidence {
	v.t.Helper()
	e := history.Evidence{Host: "local", Revs: map[string]int64{}, LastIDs: map[string]string{}, Truth: v.truth(), Others: v.others}
	e.OthersNow, e.Rows = v.rows()
	for _, heard := range v.sub.all(v.t) {
		if heard.kind == "state" || strings.HasPrefix(heard.topic, "decky.") {
			e.Arrived = append(e.Arrived, history.Arrival{At: heard.at.UnixNano(), Topic: heard.topic, Payload: heard.raw})
		}
	}
	found, err := v.db.sql.QueryContext(v.t.Context(), history.LedgerQuery)
	must(v.t, err)
	defer found.Close() //nolint:errcheck // only read
	for found.Next() {
		var c history.Committed
		must(v.t, found.Scan(&c.EventID, &c.Name, &c.Rev, &c.Topic, &c.Payload))
		e.Ledger = append(e.Ledger, c)
	}
	must(v.t, found.Err())
	v.revisions(&e)
	return e
}

func (v *victim) revisions(e *history.Evidence) {
	v.t.Helper()
	found, err := v.db.sql.QueryContext(v.t.Context(), "SELECT name, rev, last_event_id FROM fleetd_rev WHERE host_uuid = 'local'")
	must(v.t, err)
	defer found.Close() //nolint:errcheck // only read
	for found.Next() {
		var name, id string
		var rev int64
		must(v.t, found.Scan(&name, &rev, &id))
		e.Revs[name], e.LastIDs[name] = rev, id
	}
	must(v.t, found.Err())
}

// judged waits until the judge has nothing to complain about; its last complaints are what the test fails with.
func (v *victim) judged(within time.Duration, when string) history.Counts {
	v.t.Helper()
	var counts history.Counts
	eventually(v.t, within, func() error {
		if !v.daemon.alive() {
			v.t.Fatalf("%s: the daemon ended\n%s", when, v.daemon.tail())
		}
		var wrong []string
		if counts, wrong = history.Check(v.evidence()); len(wrong) > 0 {
			return errors.New(when + ": " + strings.Join(wrong, "\n"))
		}
		return nil
	})
	return counts
}

// waiting says how many transitions are in the outbox.
func (v *victim) waiting() (n int) {
	v.t.Helper()
	must(v.t, v.db.sql.QueryRowContext(v.t.Context(), "SELECT COUNT(*) FROM fleetd_outbox").Scan(&n))
	return n
}

// waitingOf says how many of them are one decky's.
func (v *victim) waitingOf(name string) (n int) {
	v.t.Helper()
	must(v.t, v.db.sql.QueryRowContext(v.t.Context(), "SELECT COUNT(*) FROM fleetd_outbox WHERE name = '"+name+"'").Scan(&n))
	return n
}

// summary is what a long run leaves behind.
type summary struct {
	Date     time.Time      `json:"date"`
	Database string         `json:"database"`
	Seed     uint64         `json:"seed"`
	Kills    int            `json:"kills"`
	Seconds  float64        `json:"seconds"`
	Counts   history.Counts `json:"counts"`
	Wrong    int            `json:"violations"`
}

// keep writes the summary where IT_RESULTS says; without it nothing is kept.
func (s summary) keep(t *testing.T) {
	t.Helper()
	t.Logf("%+v", s)
	dir := os.Getenv("IT_RESULTS")
	if dir == "" {
		return
	}
	text, err := json.MarshalIndent(s, "", "  ")
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "kills-"+s.Database+".json"), append(text, '\n'), 0o644)) //nolint:gosec // it is committed
}

// crashing builds the product with its crash points, once. IT_CRASH_BINARY names one that is there.
var crashing = sync.OnceValues(func() (string, error) {
	if services["IT_CRASH_BINARY"] != "" {
		return filepath.Abs(services["IT_CRASH_BINARY"])
	}
	path := filepath.Join(services["IT_DIR"], "bin", "decnet-fleetd-crashpoints")
	build := exec.Command("go", "build", "-tags", "crashpoints", "-buildvcs=false", "-o", path, "./cmd/decnet-fleetd")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build with crash points: %w\n%s", err, out)
	}
	return path, nil
})
