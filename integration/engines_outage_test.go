package integration

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

// control has services.sh do something to the server.
func (d *dbms) control(t *testing.T, verb string, options ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "./services.sh", append([]string{verb, d.service}, options...)...)
	cmd.Env = append(cmd.Environ(), "IT_DIR="+need(t, "IT_DIR"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// restarted ends the server and starts it with options; it is as before when the test ends.
func (d *dbms) restarted(t *testing.T, options ...string) {
	t.Helper()
	d.control(t, "halt")
	d.control(t, "resume", options...)
	t.Cleanup(func() { d.control(t, "halt"); d.control(t, "resume") })
}

// running is a stage on a simulated engine whose deckies run and are recorded so, with the daemon.
func running(t *testing.T, d *dbms, names ...string) (*stage, *dockersim.Engine) {
	t.Helper()
	s, sim := prepared(t, d, names...)
	s.start()
	for _, n := range names {
		s.reaches(n, "running", soon)
	}
	return s, sim
}

func prepared(t *testing.T, d *dbms, names ...string) (*stage, *dockersim.Engine) {
	t.Helper()
	var declared []entry
	containers := map[string]string{}
	for _, n := range names {
		declared = append(declared, declare(n, "ssh"))
		containers[n+"-ssh"] = "running"
	}
	s := newStageOn(t, d, &engine{host: "unix:///nonexistent/docker.sock"}, declared...)
	return s, s.simulated(t, containers)
}

// lives complains as soon as the daemon ends.
func (s *stage) lives(during time.Duration) {
	s.t.Helper()
	throughout(s.t, during, func() error { return unless(s.daemon.alive(), "the daemon ended\n%s", s.daemon.tail()) })
}

// TestTheDaemonOutlivesItsServer: stopped in order and killed, with changes before, meanwhile and after.
func TestTheDaemonOutlivesItsServer(t *testing.T) {
	onServers(t, func(t *testing.T, d *dbms) {
		s, sim := running(t, d, "d1", "d2")
		t.Cleanup(func() {
			if t.Failed() { // perhaps while it was down
				d.control(t, "kill")
				d.control(t, "resume")
			}
		})
		state := map[bool]string{true: "running", false: "failed"}
		up := true
		for _, how := range []string{"halt", "kill"} {
			d.control(t, how)
			up = !up
			if up {
				must(t, sim.Start("d1-ssh"))
			} else {
				must(t, sim.Kill("d1-ssh"))
			}
			eventually(t, soon, func() error {
				out, _ := s.command("status", "-o", "json")
				return unless(componentState(out, "database") != "ok", "status does not show the outage: %s", out)
			})
			s.lives(2 * time.Second)
			d.control(t, "resume")
			s.db.awake(t)
			s.reaches("d1", state[up], soon)
			s.quiet("d2", 100*time.Millisecond)
		}
		s.consistent("d1", "d2")
		if story := s.sub.story(t, "d1"); len(story) != 3 {
			t.Errorf("told %v", story)
		}
		eventually(t, soon, func() error {
			out, _ := s.command("status", "-o", "json")
			return unless(componentState(out, "database") == "ok", "status still shows the outage: %s", out)
		})
	})
}

// TestARowHeldByAForeignWriterDelaysItAlone: DECNET keeps a row of its transaction locked far beyond every deadline of
// ours; other deckies are written meanwhile, and so is this one when it lets go.
func TestARowHeldByAForeignWriterDelaysItAlone(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		if d.service == "" {
			return // SQLite has one lock: TestHeldDatabaseDelaysButLosesNothing
		}
		s, sim := running(t, d, "d1", "d2")
		tx, err := s.db.sql.BeginTx(t.Context(), nil)
		must(t, err)
		_, err = tx.ExecContext(t.Context(), "UPDATE fleet_deckies SET state = 'running' WHERE host_uuid = 'local' AND name = 'd1'")
		must(t, err)
		must(t, sim.Kill("d1-ssh"))
		s.lives(20 * time.Second) // a statement has 5 s, the lease's patience is 5 s
		must(t, s.db.state(t, "d1", "running"))
		must(t, tx.Commit())
		s.reaches("d1", "failed", soon)
		must(t, sim.Kill("d2-ssh"))
		s.reaches("d2", "failed", soon)
		s.consistent("d1", "d2")
	})
}

// TestForeignEditsOnServersArePutRight: what DECNET writes over our state is found and decided again.
func TestForeignEditsOnServersArePutRight(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		s, sim := running(t, d, "d1", "d2")
		s.foreign = true
		must(t, sim.Kill("d1-ssh"))
		s.reaches("d1", "failed", soon)
		s.db.foreignState(t, "d1", "running")
		s.reaches("d1", "failed", soon)
		s.db.exec(t, "DELETE FROM fleet_deckies WHERE host_uuid = 'local' AND name = 'd2'")
		s.reaches("d2", "running", soon)
		s.db.foreignInsert(t, "local", "stranger", "running")
		s.vanishes("stranger", soon)
		s.db.foreignInsert(t, "5f0c0000-0000-4000-8000-000000000000", "peer", "torn_down")
		throughout(t, calm, func() error {
			return unless(len(s.db.rows(t)) == 3, "rows %v", s.db.rows(t))
		})
		s.consistent("d1", "d2")
	})
}

// TestSettingsOfDecnetLeadToItsServer: DECNET_DB_* from its .env.local, password and all.
func TestSettingsOfDecnetLeadToItsServer(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		if d.service == "" {
			return
		}
		s, _ := prepared(t, d, "d1")
		at := mustURL(t, s.db.at)
		password, _ := at.User.Password()
		kind := map[string]string{"postgres": "postgres", "mariadb": "mysql"}[d.name]
		must(t, writeFile(s.path(".env.local"), fmt.Sprintf("DECNET_DB_TYPE=%s\nDECNET_DB_HOST=%s\nDECNET_DB_PORT=%s\nDECNET_DB_NAME=%s\nDECNET_DB_USER=%s\nDECNET_DB_PASSWORD=%s\n",
			kind, at.Hostname(), at.Port(), strings.TrimPrefix(at.Path, "/"), at.User.Username(), password)))
		var flags []string
		for i, f := range s.flags() {
			if f != "--database" && (i == 0 || s.flags()[i-1] != "--database") {
				flags = append(flags, f)
			}
		}
		out, code := output(t.Context(), t, fleetd(t), append([]string{"reconcile", "--once"}, flags...)...)
		if code != 0 || !strings.HasPrefix(out, "reconcile: inserted=1 ") {
			t.Errorf("exit %d: %s", code, out)
		}
		must(t, s.db.state(t, "d1", "running"))
	})
}
