package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/integration/history"
)

// swarm is a master with DECNET's database, bus and a hub, and workers in network namespaces of their own.
type swarm struct {
	*stage
	d       *dbms
	ca      *authority
	port    int
	sim     *dockersim.Engine
	workers []*worker
}

// worker is one enrolled host.
type worker struct {
	*stage
	swarm  *swarm
	name   string
	uuid   string
	ns     string // its namespace
	link   string // the master's end of the cable
	master string // the master's address at it
	addr   string
	sim    *dockersim.Engine
	names  []string
	up     map[string]bool
}

// cables numbers the networks of this process.
var cables atomic.Int32

// newSwarm makes a master on that database with n workers of the given size, all of them enrolled; nothing of ours runs.
func newSwarm(t *testing.T, d *dbms, n, size int) *swarm {
	t.Helper()
	s := &swarm{d: d, ca: newAuthority(t)}
	s.stage, s.sim = prepared(t, d, "m1", "m2")
	s.enrolments()
	s.ca.issue(t, s.path("master"), "decnet-master")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s.port = l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	must(t, l.Close())
	for i := range n {
		s.workers = append(s.workers, s.newWorker(i+1, size))
	}
	if _, code := s.command("db", "init"); code != 0 {
		t.Fatalf("db init: exit %d", code)
	}
	for _, q := range history.KeepLedger(d.name) {
		s.db.exec(t, q)
	}
	return s
}

// standing is a swarm on SQLite whose hub and n workers run and agree.
func standing(t *testing.T, n, size int) *swarm {
	t.Helper()
	s := newSwarm(t, &onSQLite, n, size)
	s.hub()
	for _, w := range s.workers {
		w.join()
	}
	s.judged(soon, "after the start")
	return s
}

// enrolments makes DECNET's table of hosts where the stage has not.
func (s *swarm) enrolments() {
	s.t.Helper()
	switch s.d.name {
	case "postgres":
		s.db.exec(s.t, strings.ReplaceAll(schemas(s.t).SQLite["swarm_hosts"][0], "DATETIME", "TIMESTAMP"))
	case "mariadb":
		s.db.exec(s.t, schemas(s.t).MySQL["swarm_hosts"][0])
	}
}

func (s *swarm) enrol(uuid, name, fingerprint string) {
	s.t.Helper()
	ipvlan := "FALSE"
	s.db.exec(s.t, `INSERT INTO swarm_hosts (uuid, name, address, agent_port, status, client_cert_fingerprint, cert_bundle_path, enrolled_at, use_ipvlan)
		VALUES (?, ?, '', 8765, 'active', ?, '', ?, `+ipvlan+`)`, uuid, name, fingerprint, stamp())
}

func (s *swarm) newWorker(i, size int) *worker {
	s.t.Helper()
	cable := int(cables.Add(1)) + 16*(os.Getpid()%200)
	w := &worker{swarm: s, name: fmt.Sprintf("w%d", i), up: map[string]bool{},
		uuid: fmt.Sprintf("%08x-0000-4000-8000-%012x", cable, i), ns: fmt.Sprintf("fl%dw%d", cable, i), link: fmt.Sprintf("fl%dm", cable),
		master: fmt.Sprintf("10.%d.%d.1", 80+cable/256%100, cable%256), addr: fmt.Sprintf("10.%d.%d.2", 80+cable/256%100, cable%256)}
	containers, declared := map[string]string{}, []entry{}
	for n := range size {
		name := fmt.Sprintf("%s-d%d", w.name, n+1)
		w.names, w.up[name] = append(w.names, name), true
		declared = append(declared, declare(name, "ssh"))
		containers[name+"-ssh"] = "running"
	}
	w.stage = &stage{t: s.t, dir: s.path(w.name), engine: &engine{}, sub: s.sub}
	must(s.t, os.MkdirAll(w.dir, 0o755)) //nolint:gosec // as DECNET's
	w.declare(declared...)
	w.sim = w.simulated(s.t, containers)
	s.enrol(w.uuid, w.name, s.ca.issue(s.t, w.path("agent"), w.name))
	must(s.t, os.WriteFile(w.path("decnet.ini"), fmt.Appendf(nil, "[decnet]\nmode = agent\n[agent]\nhost-uuid = %s\nmaster-host = %s\n", w.uuid, w.master), 0o600))
	must(s.t, os.WriteFile(w.path("decnet-agent.service"), []byte("[Unit]\n"), 0o600))
	w.plug()
	return w
}

// plug makes the namespace and the cable to the master. IPv6 is off: its neighbour discovery is the kernel's, not ours.
func (w *worker) plug() {
	w.t.Helper()
	w.ip("netns", "add", w.ns)
	w.t.Cleanup(func() {
		_ = exec.Command("ip", "link", "del", w.link).Run() // it may be gone
		_ = exec.Command("ip", "netns", "del", w.ns).Run()  // likewise
	})
	w.ip("link", "add", w.link, "type", "veth", "peer", "name", "eth0", "netns", w.ns)
	must(w.t, os.WriteFile("/proc/sys/net/ipv6/conf/"+w.link+"/disable_ipv6", []byte("1"), 0o600))
	w.ip("addr", "add", w.master+"/30", "dev", w.link)
	w.ip("link", "set", w.link, "up")
	w.ip("netns", "exec", w.ns, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; ip addr add "+w.addr+"/30 dev eth0 && ip link set eth0 up && ip link set lo up")
}

func (w *worker) ip(args ...string) {
	w.t.Helper()
	if out, err := exec.CommandContext(w.t.Context(), "ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// cut takes the cable out; heal puts it back.
func (w *worker) cut()  { w.t.Helper(); w.ip("link", "set", w.link, "down") }
func (w *worker) heal() { w.t.Helper(); w.ip("link", "set", w.link, "up") }

// deafen lets the worker's packets through and loses the master's.
func (w *worker) deafen()   { w.t.Helper(); w.ip("route", "add", "blackhole", w.addr+"/32") }
func (w *worker) undeafen() { w.t.Helper(); w.ip("route", "del", "blackhole", w.addr+"/32") }

// hub starts the hub and waits until it listens.
func (s *swarm) hub(more ...string) {
	s.t.Helper()
	args := append([]string{"--role", "hub", "--swarm-listen", fmt.Sprintf("0.0.0.0:%d", s.port), "--master-dir", s.path("master")}, more...)
	s.start(args...)
}

// join starts the worker's daemon.
func (w *worker) join(more ...string) {
	w.t.Helper()
	must(w.t, os.MkdirAll(w.path("state"), 0o700))
	before := w.starts()
	args := append([]string{"netns", "exec", w.ns, "env", "DECNET_CONFIG=" + w.path("decnet.ini"), w.binary(), "serve"}, w.flags()...)
	w.daemon = launch(w.t, w.path("daemon.log"), "ip", append(args, more...)...)
	p := w.daemon
	w.t.Cleanup(func() {
		p.end(w.t)
		p.scars(w.t)
		if w.t.Failed() {
			w.t.Logf("the end of %s:\n%s", p.log, p.tail())
		}
	})
	eventually(w.t, soon, func() error {
		return unless(w.starts() > before || !p.alive(), "the worker does not say that it has started")
	})
}

func (w *worker) flags() []string {
	return []string{"--role", "worker", "--hub", fmt.Sprintf("tls://%s:%d", w.master, w.swarm.port), "--agent-dir", w.path("agent"), "--agent-unit", w.path("decnet-agent.service"),
		"--install-dir", w.dir, "--state-file", w.path("decnet-state.json"), "--docker-host", w.engine.host, "--state-dir", w.path("state"),
		"--control-socket", w.path("control.sock"), "--log-format", "json"}
}

// flip kills a decky's container, or starts it again.
func (w *worker) flip(name string) {
	w.t.Helper()
	do := w.sim.Kill
	if !w.up[name] {
		do = w.sim.Start
	}
	must(w.t, do(name+"-ssh"))
	w.up[name] = !w.up[name]
}

func (w *worker) truth() map[string]string {
	truth := map[string]string{}
	for name, up := range w.up {
		if truth[name] = "failed"; up {
			truth[name] = "running"
		}
	}
	return truth
}

// evidence is what the judge wants to know of one worker, from the hub's database and bus.
func (w *worker) evidence() history.Evidence {
	w.t.Helper()
	e := history.Evidence{Host: w.uuid, Revs: map[string]int64{}, LastIDs: map[string]string{}, Rows: map[string]string{}, Truth: w.truth()}
	for _, r := range w.swarm.db.rows(w.t) {
		if r.Host == w.uuid {
			e.Rows[r.Name] = r.State
		}
	}
	for _, heard := range w.swarm.sub.all(w.t) {
		if heard.kind == "state" && strings.HasPrefix(heard.topic, "decky."+w.uuid+":") {
			e.Arrived = append(e.Arrived, history.Arrival{At: heard.at.UnixNano(), Topic: heard.topic, Payload: heard.raw})
		}
	}
	found, err := w.swarm.db.sql.QueryContext(w.t.Context(), history.LedgerQuery)
	must(w.t, err)
	defer found.Close() //nolint:errcheck // only read
	for found.Next() {
		var c history.Committed
		must(w.t, found.Scan(&c.EventID, &c.Name, &c.Rev, &c.Topic, &c.Payload))
		if name, ours := strings.CutPrefix(c.Name, w.uuid+":"); ours {
			c.Name = name
			e.Ledger = append(e.Ledger, c)
		}
	}
	must(w.t, found.Err())
	w.memory(&e)
	return e
}

func (w *worker) memory(e *history.Evidence) {
	w.t.Helper()
	found, err := w.swarm.db.sql.QueryContext(w.t.Context(), "SELECT name, rev, last_event_id FROM fleetd_mirror WHERE host_uuid = '"+w.uuid+"'")
	must(w.t, err)
	defer found.Close() //nolint:errcheck // only read
	for found.Next() {
		var name, id string
		var rev int64
		must(w.t, found.Scan(&name, &rev, &id))
		e.Revs[name], e.LastIDs[name] = rev, id
	}
	must(w.t, found.Err())
}

// judged waits until the judge of histories has nothing to complain about any worker.
func (s *swarm) judged(within time.Duration, when string) {
	s.t.Helper()
	for _, w := range s.workers {
		eventually(s.t, within, func() error {
			if !s.daemon.alive() {
				s.t.Fatalf("%s: the hub ended\n%s", when, s.daemon.tail())
			}
			if _, wrong := history.Check(w.evidence()); len(wrong) > 0 {
				return errors.New(when + ", " + w.name + ": " + strings.Join(wrong, "\n"))
			}
			return nil
		})
	}
}

// health waits for an event that says so of a worker, heard after a moment; it gives when it came.
func (s *swarm) health(w *worker, status string, after time.Time, within time.Duration) time.Time {
	s.t.Helper()
	var at time.Time
	eventually(s.t, within, func() error {
		for _, e := range s.sub.all(s.t) {
			var p struct{ Status, Previous, Name string }
			if e.topic == "fleet."+w.uuid+".health" && e.at.After(after) && json.Unmarshal(e.raw, &p) == nil && p.Status == status && p.Previous != status {
				at = e.at
				return nil
			}
		}
		return fmt.Errorf("nobody says that %s is %s", w.name, status)
	})
	return at
}

// audit is the audit file of the hub.
func (s *swarm) audit() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.path("state"), "audit.jsonl"))
	must(s.t, err)
	return string(text)
}

// command runs another verb against the worker's daemon.
func (w *worker) command(verb ...string) (string, int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), soon)
	defer cancel()
	return output(ctx, w.t, fleetd(w.t), append(verb, w.flags()...)...)
}
