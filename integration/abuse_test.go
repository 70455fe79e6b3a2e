package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/integration/faultproxy"
	"github.com/decnet/decnet-fleetd/integration/skew"
)

// TestEventsThatWereLostAreFoundByTheListAndCounted: the engine tells nothing of a death; the next list finds it, and the
// counter says that there was a gap.
func TestEventsThatWereLostAreFoundByTheListAndCounted(t *testing.T) {
	t.Parallel()
	s, sim := running(t, &onSQLite, "d1", "d2")
	before := s.scrape()
	sim.SetFaults(dockersim.Faults{DropEvents: true})
	must(t, sim.Kill("d1-ssh"))
	s.reaches("d1", "failed", soon)                                                                      // no list is further away than 28 s
	eventually(t, soon, func() error { return grew(before, s.scrape(), "relist_drift_found_total", 1) }) // told with the next report
	s.consistent("d1", "d2")
}

// TestMoreEventsThanAnEngineRemembersEndInTheTruth: while the stream is cut far more happens than the 256 events that it
// replays without a word; the list decides.
func TestMoreEventsThanAnEngineRemembersEndInTheTruth(t *testing.T) {
	t.Parallel()
	s, sim := running(t, &onSQLite, "d1", "d2")
	for range 3 {
		sim.CutStreams()
		must(t, sim.Kill("d1-ssh")) // nobody hears it, and what follows pushes it out of the memory
		for range 400 {
			must(t, sim.Flip("d2-ssh"))
		}
		s.reaches("d1", "failed", prompt)
		s.reaches("d2", "running", soon)
		must(t, sim.Start("d1-ssh"))
		s.reaches("d1", "running", prompt)
	}
	s.consistent("d1", "d2")
}

// TestFlappingIsToldAtOnceAndThenOnceASecond: ten changes a second for five seconds.
func TestFlappingIsToldAtOnceAndThenOnceASecond(t *testing.T) {
	t.Parallel()
	s, sim := running(t, &onSQLite, "d1")
	before, began := s.told("d1"), time.Now()
	for range 51 { // ends dead
		must(t, sim.Flip("d1-ssh"))
		s.gap(100 * time.Millisecond)
	}
	s.reaches("d1", "failed", prompt)
	told, seconds := s.told("d1")-before, int(time.Since(began).Seconds())
	if told < 3 || told > seconds+2 {
		t.Errorf("%d events of 51 changes within %d s", told, seconds)
	}
	swallowed := 0
	for _, e := range s.sub.states(t, "d1") {
		if strings.Contains(string(e.raw), `"coalesced":`) {
			swallowed++
		}
	}
	if swallowed == 0 {
		t.Errorf("no event says that changes were swallowed%s", s.published())
	}
	s.consistent("d1")
}

// TestAForgedStateEventIsNoTruth: any client of the bus can say what it likes of a decky, also that which is about to be said. It is
// neither a state nor an echo.
func TestAForgedStateEventIsNoTruth(t *testing.T) {
	t.Parallel()
	s, sim := prepared(t, &onSQLite, "d1")
	must(t, os.Rename(s.path("bus.sock"), s.path("real-bus.sock")))
	way, err := faultproxy.Listen(t.Context(), "unix", s.path("bus.sock"), s.path("real-bus.sock"), wholeFrames)
	must(t, err)
	t.Cleanup(func() { _ = way.Close() })
	s.start()
	s.reaches("d1", "running", soon)
	forge := func(rev int) {
		publish(t, s.path("real-bus.sock"), "decky.local:d1.state", "state", fmt.Sprintf(`{"host_uuid":"local","name":"d1","state":"failed",`+
			`"transition":"state_changed","source":"fleet","previous_state":"running","rev":%d,"event_id":"%032d"}`, rev, rev))
	}
	row, _ := s.db.row(t, "d1")
	for rev := range 20 {
		forge(rev)
	}
	throughout(t, calm, func() error {
		now, _ := s.db.row(t, "d1")
		return unless(now == row, "the row became %v", now)
	})

	way.Set(faultproxy.Faults{ToServer: faultproxy.Fault{Swallow: true}}) // what is published now is lost on its way
	must(t, sim.Kill("d1-ssh"))
	eventually(t, prompt, func() error { return s.db.state(t, "d1", "failed") })
	throughout(t, calm, func() error {
		forge(2)
		return unless(s.outbox() == 1, "a forged event was taken for an echo: %d transitions wait", s.outbox())
	})
	way.Set(faultproxy.Faults{})
	eventually(t, soon, func() error { return unless(s.outbox() == 0, "%d transitions wait for ever", s.outbox()) })
	if last := s.sub.last(t, "d1"); !strings.Contains(string(last.raw), `"observed_at"`) {
		t.Errorf("the true event was not told; the last is %s", last.raw)
	}
}

// outbox is how many transitions wait.
func (s *stage) outbox() (n int) {
	s.t.Helper()
	must(s.t, s.db.sql.QueryRowContext(s.t.Context(), "SELECT COUNT(*) FROM fleetd_outbox").Scan(&n))
	return n
}

// TestAHundredSignalsAreOneReloadAndOneEnd: a hundred HUP among changes lose nothing, a hundred TERM end it once, with 0.
func TestAHundredSignalsAreOneReloadAndOneEnd(t *testing.T) {
	t.Parallel()
	s, sim := running(t, &onSQLite, "d1")
	for range 100 {
		s.daemon.signal(t, syscall.SIGHUP)
		must(t, sim.Flip("d1-ssh"))
	}
	must(t, sim.Kill("d1-ssh"))
	s.reaches("d1", "failed", soon)
	must(t, sim.Start("d1-ssh"))
	for range 100 { // longer than it takes to hear the first one
		s.daemon.signal(t, syscall.SIGTERM)
		time.Sleep(time.Millisecond)
	}
	if code := s.daemon.exit(t, soon); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.daemon.tail())
	}
	s.start()
	s.reaches("d1", "running", soon)
	s.consistent("d1")
}

// jumping builds the product with a clock that can be set, once. IT_CLOCK_BINARY names one that is there.
var jumping = sync.OnceValues(func() (string, error) {
	if services["IT_CLOCK_BINARY"] != "" {
		return filepath.Abs(services["IT_CLOCK_BINARY"])
	}
	path := filepath.Join(services["IT_DIR"], "bin", "decnet-fleetd-clock")
	return path, skew.Build(context.Background(), "..", path)
})

// shipped is the product without the race detector, for what would be measured with it; its clock is right until it is set.
func shipped(t *testing.T) string {
	t.Helper()
	need(t, "IT_DIR")
	path, err := jumping()
	must(t, err)
	return path
}

// TestAClockThatJumpsChangesNothing: ten years ahead and back, and a night; timers, lease, limits and deliveries go on.
func TestAClockThatJumpsChangesNothing(t *testing.T) {
	t.Parallel()
	binary := shipped(t)
	s, sim := prepared(t, &onSQLite, "d1", "d2")
	must(t, skew.Set(s.path("clock"), 0))
	must(t, os.MkdirAll(s.path("state"), 0o700))
	s.daemon = launch(t, s.path("daemon.log"), "/usr/bin/env", append([]string{skew.Env + "=" + s.path("clock"), binary, "serve"}, s.flags()...)...)
	t.Cleanup(func() { s.daemon.end(t); s.daemon.scars(t) })
	s.reaches("d1", "running", soon)
	s.reaches("d2", "running", soon)
	for _, by := range []time.Duration{10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour, 8 * time.Hour, 0} {
		must(t, skew.Set(s.path("clock"), by))
		must(t, sim.Kill("d1-ssh"))
		s.reaches("d1", "failed", prompt)
		must(t, sim.Start("d1-ssh"))
		s.reaches("d1", "running", prompt)
	}
	if owners := strings.Count(s.daemon.tail(), "this process owns the host's rows"); owners != 1 {
		t.Errorf("the lease was taken %d times", owners)
	}
	s.consistent("d1", "d2")
}

// TestWithoutDescriptorsNothingIsTornDown: the process may open no more files. What it cannot ask it does not know, and says so; with
// descriptors again it goes on.
func TestWithoutDescriptorsNothingIsTornDown(t *testing.T) {
	t.Parallel()
	s, sim, stop := stoppable(t, "d1", "d2")
	s.start()
	s.reaches("d1", "running", soon)
	s.reaches("d2", "running", soon)
	limit(t, s.daemon, 3) // those that are open stay so, but none of their numbers is given out again
	stop()                // and with it all connections to the engine
	stop = servedUntil(t, sim, s.path("docker.sock"))
	defer func() { stop() }()
	must(t, sim.Kill("d1-ssh"))
	eventually(t, soon, func() error {
		return unless(strings.Contains(s.log(), "no file descriptor left to connect with"), "it can open files still\n%s", s.daemon.tail())
	})
	throughout(t, 7*time.Second, func() error {
		return errors.Join(s.db.state(t, "d1", "running"), s.db.state(t, "d2", "running"), unless(s.daemon.alive(), "the daemon ended"))
	})
	limit(t, s.daemon, 1024)
	s.reaches("d1", "failed", soon)
	s.quiet("d2", calm)
	s.consistent("d1", "d2")
}

// limit sets how many descriptors a running process may have.
func limit(t *testing.T, p *process, n uint64) {
	t.Helper()
	out, code := output(t.Context(), t, "/usr/bin/prlimit", fmt.Sprintf("--pid=%d", p.cmd.Process.Pid), fmt.Sprintf("--nofile=%d:1024", n))
	if code != 0 {
		t.Fatalf("prlimit: %s", out)
	}
}

// TestAContainerThatCouldBeOfTwoDeckiesIsRefused: a-b-c without labels is service b-c of a, or service c of a-b. Both rows keep their
// state until it is gone, and it is said.
func TestAContainerThatCouldBeOfTwoDeckiesIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, declare("a", "b-c"), declare("a-b", "c"))
	sim := s.simulated(t, nil)
	for name, labels := range map[string]map[string]string{
		"one": {"decnet.fleet.decky": "a", "decnet.fleet.service_name": "b-c"},
		"two": {"decnet.fleet.decky": "a-b", "decnet.fleet.service_name": "c"},
	} {
		_, err := sim.Create(dockersim.Spec{Name: name, State: "running", Labels: labels})
		must(t, err)
	}
	s.start()
	s.reaches("a", "running", soon)
	s.reaches("a-b", "running", soon)
	_, err := sim.Create(dockersim.Spec{Name: "a-b-c"})
	must(t, err)
	must(t, sim.Start("a-b-c"))
	for _, name := range []string{"a", "a-b"} {
		eventually(t, prompt, func() error {
			out, _ := s.command("inspect", name)
			return unless(strings.Contains(out, "another decky"), "nothing is said of it: %s", out)
		})
	}
	must(t, sim.Kill("one"))
	must(t, sim.Kill("two"))
	s.quiet("a", calm)
	s.quiet("a-b", calm)
	must(t, sim.Remove("a-b-c", true))
	s.reaches("a", "failed", prompt)
	s.reaches("a-b", "failed", prompt)
	s.consistent("a", "a-b")
}
