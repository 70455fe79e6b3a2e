package integration

import (
	"testing"
	"time"
)

func TestKilledContainersDegradeThenFailTheDeckyAtOnce(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "kill", 1, "ssh", "http")...)

	e.kill(t, "kill-01-ssh")
	s.reaches("kill-01", "degraded", prompt)
	e.kill(t, "kill-01-http")
	s.reaches("kill-01", "failed", prompt)
	e.start(t, "kill-01-ssh")
	s.reaches("kill-01", "degraded", prompt)
	e.start(t, "kill-01-http")
	s.reaches("kill-01", "running", prompt)

	r, _ := s.db.row(t, "kill-01")
	if !r.LastSeen.Valid || r.LastSeen.String != r.UpdatedAt {
		t.Errorf("last_seen %q, updated_at %q after a change of state; DECNET writes the same instant", r.LastSeen.String, r.UpdatedAt)
	}
	s.consistent("kill-01")
}

// A sample is too small for a percentile; this one is here to see the promise of the demo kept, a second.
func TestAKillIsOnTheBusWithinASecond(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "fast", 1, "ssh")...)
	began := time.Now()
	e.kill(t, "fast-01-ssh")
	s.reaches("fast-01", "failed", prompt)
	if took := s.sub.last(t, "fast-01").at.Sub(began); took > time.Second {
		t.Errorf("the event came after %s", took)
	}
}

func TestStoppedContainerFailsAndComesBack(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "stop", 1, "ssh")...)
	e.stop(t, "stop-01-ssh")
	s.reaches("stop-01", "failed", prompt)
	e.start(t, "stop-01-ssh")
	s.reaches("stop-01", "running", prompt)
	s.consistent("stop-01")
}

func TestPausedContainerIsNotRunning(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "pause", 1, "ssh", "http")...)
	e.pause(t, "pause-01-ssh")
	s.reaches("pause-01", "degraded", prompt)
	e.pause(t, "pause-01-http")
	s.reaches("pause-01", "failed", prompt)
	e.unpause(t, "pause-01-ssh")
	e.unpause(t, "pause-01-http")
	s.reaches("pause-01", "running", prompt)
	s.consistent("pause-01")
}

func TestStateOfTheBaseContainerIsNotJudged(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "base", 1, "ssh")...)
	e.stop(t, "base-01")
	s.quiet("base-01", calm)
}

func TestRenamedContainerCountsByItsLabelsElseByItsName(t *testing.T) {
	e := sharedEngine(t)
	labelled := e.fleet(t, "rename", 1, "ssh")[0]
	bare := declare("rename-02", "ssh")
	id := e.run(t, serviceOf(bare.Name, "ssh").bare())
	s := play(t, e, labelled, bare)

	e.rename(t, "rename-01-ssh", "anything-else")
	s.quiet("rename-01", calm)
	e.kill(t, "anything-else")
	s.reaches("rename-01", "failed", prompt)
	e.start(t, "anything-else")
	s.reaches("rename-01", "running", prompt)

	e.rename(t, id, "no-longer-ours")
	s.reaches("rename-02", "torn_down", prompt)
	// A stranger takes the name that is free now: its labels say whose it is.
	stranger := e.run(t, serviceOf("rename-99", "ssh"))
	e.rename(t, stranger, "rename-02-ssh")
	s.quiet("rename-02", calm)
	e.remove(t, stranger)
	e.rename(t, id, "rename-02-ssh")
	s.reaches("rename-02", "running", prompt)
	s.consistent("rename-01", "rename-02")
}

// TestRecreatedContainerEndsRunning goes through what `docker compose up` does to a changed service: a new container
// under a temporary name, the old one stopped and removed, the new one renamed and started.
func TestRecreatedContainerEndsRunning(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "recreate", 1, "ssh", "http")...)
	for range 3 {
		fresh := e.run(t, serviceOf("recreate-01", "ssh").named("0123456789ab_recreate-01-ssh").stillborn())
		e.stop(t, "recreate-01-ssh")
		e.remove(t, "recreate-01-ssh")
		e.rename(t, fresh, "recreate-01-ssh")
		e.start(t, fresh)
	}
	s.reaches("recreate-01", "running", prompt)
	s.quiet("recreate-01", calm)
	s.consistent("recreate-01")
}

func TestRemovedContainersTearTheDeckyDownAndNewOnesBringItBack(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "remove", 1, "ssh")...)
	e.remove(t, "remove-01-ssh")
	s.reaches("remove-01", "torn_down", prompt)
	e.run(t, serviceOf("remove-01", "ssh"))
	s.reaches("remove-01", "running", prompt)
	s.consistent("remove-01")
}

// TestRestartPolicyBringsTheDeckyBack kills the process, not the container: the engine restarts it by itself, each time
// after a longer wait.
func TestRestartPolicyBringsTheDeckyBack(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "policy", 1, "ssh")...)
	before := e.pid(t, "policy-01-ssh")
	for range 3 {
		e.crash(t, "policy-01-ssh")
		eventually(t, soon, func() error {
			c, err := e.api.ContainerInspect(t.Context(), "policy-01-ssh")
			must(t, err)
			return unless(c.State.Running && c.State.Pid != 0 && c.State.Pid != before, "container is %s", c.State.Status)
		})
		before = e.pid(t, "policy-01-ssh")
	}
	s.reaches("policy-01", "running", prompt)
	s.quiet("policy-01", calm)
	s.consistent("policy-01")
}

func TestContainerThatEndsByItselfWithoutAPolicyFails(t *testing.T) {
	e := sharedEngine(t)
	d := declare("exit-01", "ssh")
	once := serviceOf(d.Name, "ssh")
	once.policy, once.args = "no", []string{"-for", "4s", "-code", "3"}
	s := newStage(t, e, d)
	e.run(t, once)
	s.start()
	s.reaches("exit-01", "failed", soon)
	s.consistent("exit-01")
}
