package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/integration/skew"
)

// otherUser is one that owns nothing of the test: nobody.
const otherUser = 65534

// asOther starts the daemon as another user, whom the files of the stage are given to.
func (s *stage) asOther() {
	s.t.Helper()
	if os.Geteuid() != 0 {
		lack(s.t, "becoming another user takes root")
	}
	must(s.t, os.MkdirAll(s.path("state"), 0o700))
	must(s.t, filepath.Walk(s.dir, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Lchown(path, otherUser, otherUser))
	}))
	user := fmt.Sprint(otherUser)
	s.daemon = startProgram(s.t, s.path("daemon.log"), "/usr/bin/setpriv", append([]string{"--reuid=" + user, "--regid=" + user, "--clear-groups",
		fleetd(s.t), "serve"}, s.flags()...)...)
}

// stoppable is a stage on a simulated engine that can be stopped, with all its connections.
func stoppable(t *testing.T, names ...string) (s *stage, sim *dockersim.Engine, stop func()) {
	t.Helper()
	var deckies []entry
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	must(t, err)
	for _, name := range names {
		deckies = append(deckies, declare(name, "ssh"))
		_, err := sim.Create(dockersim.Spec{Name: name + "-ssh", State: "running"})
		must(t, err)
	}
	s = newStage(t, &engine{host: "unix:///nonexistent/docker.sock"}, deckies...)
	s.engine.host = "unix://" + s.path("docker.sock")
	return s, sim, servedUntil(t, sim, s.path("docker.sock"))
}

// servedUntil serves the engine until stop is called.
func servedUntil(t *testing.T, sim *dockersim.Engine, socket string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- sim.Serve(ctx, socket) }()
	eventually(t, prompt, func() error { _, err := os.Stat(socket); return err })
	return func() {
		t.Helper()
		cancel()
		must(t, <-done)
		_ = os.Remove(socket)
	}
}

// TestAForbiddenEngineIsAnOutageAndNeverNoContainers: the daemon is another user, and the engine's socket, once replaced, lets only
// its owner in. Nothing is concluded from that, the error names the right that is missing, and with it all goes on.
func TestAForbiddenEngineIsAnOutageAndNeverNoContainers(t *testing.T) {
	t.Parallel()
	s, sim, stop := stoppable(t, "d1", "d2")
	socket := s.path("docker.sock")
	must(t, os.Chmod(socket, 0o666)) //nolint:gosec // everybody may
	s.asOther()
	s.reaches("d1", "running", soon)
	s.reaches("d2", "running", soon)

	stop()
	stop = servedUntil(t, sim, socket)
	defer func() { stop() }()
	must(t, os.Chmod(socket, 0o600))
	must(t, sim.Kill("d1-ssh"))
	eventually(t, soon, func() error {
		out, _ := s.command("status", "-o", "json")
		return errors.Join(unless(componentState(out, "docker") == "down", "%s", out), unless(strings.Contains(out, "permission denied"), "%s", out))
	})
	s.declare(declare("d1", "ssh"), declare("d2", "ssh"), declare("d3", "ssh"))
	eventually(t, soon, func() error { return s.db.state(t, "d3", "pending") }) // declared meanwhile: nothing is known of it
	for _, name := range []string{"d1", "d2", "d3"} {
		s.quiet(name, calm)
	}
	must(t, os.Chmod(socket, 0o666)) //nolint:gosec // everybody may again
	s.reaches("d1", "failed", soon)
	s.reaches("d3", "torn_down", soon) // it has no container, which is known now
	if s.told("d2") != 1 {
		t.Errorf("d2 ran all the time, told as %v", s.sub.story(t, "d2"))
	}
	s.consistent("d1", "d2", "d3")
}

// machine starts a daemon that sees another machine: its own boot, and its own disk under the same path.
func (s *stage) machine(log, bootID, disk string, flags ...string) *process {
	s.t.Helper()
	boot := s.path("boot-" + filepath.Base(disk))
	must(s.t, writeFile(boot, bootID+"\n"))
	const script = `mount --bind "$1" /proc/sys/kernel/random/boot_id && mount --bind "$2" "$3" && shift 3 && exec "$@"`
	return startProgram(s.t, log, "/usr/bin/unshare", append([]string{"--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh",
		boot, disk, s.path("state"), fleetd(s.t), "serve"}, flags...)...)
}

// TestOfTwoClonesOfAMachineOneWrites: a machine was copied with its state directory, host_uuid and all, and both share the database.
// One owns the rows, the other waits and says for whom; it takes over when the first one is killed.
func TestOfTwoClonesOfAMachineOneWrites(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		lack(t, "a machine of its own takes root")
	}
	s, sim := prepared(t, &onPostgres, "d1")
	must(t, os.Mkdir(s.path("disk1"), 0o700))
	must(t, os.Mkdir(s.path("state"), 0o700))
	flags := s.flags()
	s.daemon = s.machine(s.path("daemon.log"), "11111111-1111-4111-8111-111111111111", s.path("disk1"), flags...)
	s.reaches("d1", "running", soon)

	must(t, os.CopyFS(s.path("disk2"), os.DirFS(s.path("disk1"))))
	flags = strings.Split(strings.ReplaceAll(strings.Join(flags, "\x00"), s.path("control.sock"), s.path("control2.sock")), "\x00")
	clone := s.machine(s.path("clone.log"), "22222222-2222-4222-8222-222222222222", s.path("disk2"), flags...)
	status := func() string {
		out, _ := output(t.Context(), t, fleetd(t), append([]string{"status", "-o", "json"}, flags...)...)
		return out
	}
	eventually(t, soon, func() error { return unless(componentState(status(), "lease") == "standby", "%s", status()) })
	for range 4 { // ends running
		must(t, sim.Flip("d1-ssh"))
		s.gap(time.Second) // a decky commits once a second; the clone has as long to write too
	}
	must(t, sim.Kill("d1-ssh"))
	s.reaches("d1", "failed", soon)
	throughout(t, calm, func() error {
		return unless(componentState(status(), "lease") == "standby" && clone.alive() && s.daemon.alive(), "%s", status())
	})
	s.consistent("d1")
	if tokens := strings.Count(s.log(), "this process owns the host's rows"); tokens != 1 {
		t.Errorf("the first one took the rows %d times", tokens)
	}

	s.kill9()
	must(t, sim.Start("d1-ssh"))
	s.daemon = clone
	s.reaches("d1", "running", soon)
	s.consistent("d1")
}

// TestADatabaseLockedForThirtySecondsLosesNothing: as somebody does who forgot to commit, far beyond every deadline of ours.
func TestADatabaseLockedForThirtySecondsLosesNothing(t *testing.T) {
	t.Parallel()
	s, sim := running(t, &onSQLite, "d1", "d2")
	release := s.db.lock(t)
	must(t, sim.Kill("d1-ssh"))
	s.lives(15 * time.Second)
	must(t, sim.Kill("d2-ssh"))
	must(t, sim.Start("d1-ssh"))
	s.lives(15 * time.Second)
	must(t, sim.Kill("d1-ssh"))
	must(t, errors.Join(s.db.state(t, "d1", "running"), s.db.state(t, "d2", "running")))
	release()
	s.reaches("d1", "failed", prompt)
	s.reaches("d2", "failed", prompt)
	s.consistent("d1", "d2")
}

// TestAfterASuspendTheListDecides: the process is stopped and the wall clock jumps ahead, which is what a suspend looks like from
// within but for the monotonic clock, which here goes on. What happened meanwhile was told by no event.
func TestAfterASuspendTheListDecides(t *testing.T) {
	t.Parallel()
	binary := shipped(t)
	s, sim := prepared(t, &onSQLite, "d1", "d2")
	must(t, skew.Set(s.path("clock"), 0))
	must(t, os.MkdirAll(s.path("state"), 0o700))
	s.daemon = startProgram(t, s.path("daemon.log"), "/usr/bin/env", append([]string{skew.Env + "=" + s.path("clock"), binary, "serve"}, s.flags()...)...)
	s.reaches("d1", "running", soon)
	s.reaches("d2", "running", soon)

	s.daemon.signal(t, syscall.SIGSTOP)
	sim.SetFaults(dockersim.Faults{DropEvents: true})
	must(t, sim.Kill("d1-ssh"))
	sim.CutStreams()
	s.gap(12 * time.Second) // longer than the lease's patience and every deadline
	must(t, skew.Set(s.path("clock"), 8*time.Hour))
	sim.SetFaults(dockersim.Faults{})
	s.daemon.signal(t, syscall.SIGCONT)
	s.reaches("d1", "failed", prompt)
	s.quiet("d2", calm)
	if log := s.log(); strings.Count(log, "this process owns the host's rows") != 1 || strings.Contains(log, "stuck") {
		t.Errorf("a suspend is no fault of an actor, and nobody wanted the lease\n%s", s.daemon.tail())
	}
	s.consistent("d1", "d2")
}
