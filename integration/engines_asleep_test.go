package integration

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

// pair is two daemons of one host, with a directory each; the second waits for the lease.
type pair struct {
	*stage
	sim    *dockersim.Engine
	second *process
	flags2 []string
}

// newPair starts both. first is the program of the one that owns, with what must stand before it; none is the one under test.
func newPair(t *testing.T, d *dbms, first ...string) *pair {
	t.Helper()
	s, sim := prepared(t, d, "d1")
	if first == nil {
		first = []string{fleetd(t)}
	}
	must(t, os.MkdirAll(s.path("state"), 0o700))
	s.daemon = startProgram(t, s.path("daemon.log"), first[0], append(append(first[1:], "serve"), s.flags()...)...)
	s.reaches("d1", "running", soon)
	p := &pair{stage: s, sim: sim, flags2: strings.Split(strings.NewReplacer(s.path("state"), s.path("state2"),
		s.path("control.sock"), s.path("control2.sock")).Replace(strings.Join(s.flags(), "\x00")), "\x00")}
	p.second = startDaemon(t, s.path("second.log"), append([]string{"serve"}, p.flags2...)...)
	eventually(t, soon, func() error { return unless(componentState(p.status2(), "lease") == "standby", "%s", p.status2()) })
	return p
}

func (p *pair) status2() string {
	out, _ := output(p.t.Context(), p.t, fleetd(p.t), append([]string{"status", "-o", "json"}, p.flags2...)...)
	return out
}

// fenced waits until the first one knows that it owns nothing.
func (p *pair) fenced() {
	p.t.Helper()
	eventually(p.t, soon, func() error {
		out, _ := p.command("status", "-o", "json")
		return unless(componentState(out, "lease") == "standby", "the first does not know: %s", out)
	})
}

// told fails unless so many transitions of d1 were published.
func (p *pair) told(n int) {
	p.t.Helper()
	if story := p.sub.story(p.t, "d1"); len(story) != n {
		p.t.Errorf("told %v", story)
	}
}

// stopped says whether every thread of a process is.
func (p *process) stopped(t *testing.T) bool {
	t.Helper()
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/task/*/stat")
	must(t, err)
	return !slices.ContainsFunc(threads, func(path string) bool {
		text, err := os.ReadFile(path)
		return err == nil && !strings.Contains(string(text), ") T ")
	})
}

// sleeps stops the owner between two transactions. Within one it would keep the file of SQLite from everybody:
// TestAnOwnerThatStopsWithinATransaction is about that.
func (p *pair) sleeps() {
	p.t.Helper()
	eventually(p.t, soon, func() error {
		p.daemon.signal(p.t, syscall.SIGSTOP)
		eventually(p.t, prompt, func() error { return unless(p.daemon.stopped(p.t), "it does not stop") })
		if p.db.lockable(p.t) {
			return nil
		}
		p.daemon.signal(p.t, syscall.SIGCONT)
		return unless(false, "whenever it is stopped it holds the file")
	})
}

// lockable says whether somebody else may write: always, but for the one lock of SQLite.
func (d *database) lockable(t *testing.T) bool {
	t.Helper()
	if d.path == "" {
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := d.sql.ExecContext(ctx, "UPDATE fleet_deckies SET state = state WHERE 1 = 0")
	return err == nil
}

// TestAnOwnerThatSleptIsFenced: when the first one stops beating the second takes over; when the first wakes it finds itself
// fenced and writes nothing.
func TestAnOwnerThatSleptIsFenced(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		p := newPair(t, d)
		must(t, p.sim.Kill("d1-ssh"))
		p.reaches("d1", "failed", soon)

		p.sleeps()
		must(t, p.sim.Start("d1-ssh"))
		p.reaches("d1", "running", soon) // the second has it
		p.daemon.signal(t, syscall.SIGCONT)
		p.fenced()
		must(t, p.sim.Kill("d1-ssh"))
		p.reaches("d1", "failed", soon)
		p.consistent("d1")
		p.told(4)

		p.second.kill9(t) // and back
		must(t, p.sim.Start("d1-ssh"))
		p.reaches("d1", "running", soon)
		p.consistent("d1")
	})
}

// TestAnOwnerThatStopsWithinATransaction: a server ends the transaction of one that says nothing, and the second takes over.
// Nobody can take SQLite's lock from a process that is there: all wait, and what was decided is told once when it goes on.
func TestAnOwnerThatStopsWithinATransaction(t *testing.T) {
	need(t, "IT_DIR")
	binary, err := crashing()
	must(t, err)
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		orders := filepath.Join(shortDir(t, ""), "stop")
		t.Cleanup(func() { must(t, os.RemoveAll(filepath.Dir(orders))) })
		p := newPair(t, d, "/usr/bin/env", "FLEETD_CRASH_FILE="+orders, "FLEETD_CRASH_STOPS=1", binary)
		must(t, os.WriteFile(orders, []byte("committing"), 0o600))
		must(t, p.sim.Kill("d1-ssh"))
		eventually(t, soon, func() error { return unless(p.daemon.stopped(t), "it never came to its commit") })
		if p.db.lockable(t) != (d.service != "") {
			t.Fatal("it was stopped elsewhere")
		}
		if d.service != "" {
			p.reaches("d1", "failed", soon)
		} else {
			eventually(t, soon, func() error {
				return unless(strings.Contains(p.status2(), "locked"), "the second does not say why it waits: %s", p.status2())
			})
			must(t, p.db.state(t, "d1", "running"))
		}
		must(t, os.Remove(orders))
		p.daemon.signal(t, syscall.SIGCONT)
		if d.service != "" {
			p.fenced()
		}
		p.reaches("d1", "failed", soon)
		p.told(2)
		must(t, p.sim.Start("d1-ssh"))
		p.reaches("d1", "running", soon)
		p.consistent("d1")
		p.told(3)
	})
}
