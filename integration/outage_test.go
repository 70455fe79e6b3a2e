package integration

import (
	"syscall"
	"testing"
)

// Each test has an engine of its own, because the others need theirs.

// TestEngineKilledWithLiveRestoreKeepsRowsAndFindsWhatDied: no event tells of a container that died while the engine was
// down; only the list after its return does.
func TestEngineKilledWithLiveRestoreKeepsRowsAndFindsWhatDied(t *testing.T) {
	d := startDockerd(t, true)
	deckies := d.fleet(t, "live", 2, "ssh")
	dies := serviceOf("live-03", "ssh")
	dies.policy = "no"
	d.run(t, dies)
	s := play(t, d.engine, append(deckies, declare("live-03", "ssh"))...)
	pid := d.pid(t, "live-03-ssh")

	d.kill9(t)
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	for _, name := range []string{"live-01", "live-03"} {
		s.quiet(name, calm) // an engine that is down says nothing about anybody
	}
	d.start(t)

	s.reaches("live-03", "failed", soon)
	s.quiet("live-03", calm)
	if story := s.sub.story(t, "live-03"); len(story) != 2 {
		t.Errorf("one death, told as %v", story)
	}
	for _, name := range []string{"live-01", "live-02"} {
		if story := s.sub.story(t, name); len(story) != 1 {
			t.Errorf("%s ran all the time, told as %v", name, story)
		}
	}
	s.consistent("live-01", "live-02", "live-03")
}

// TestEngineKilledWithoutLiveRestoreEndsAsTheEngineSays: the engine that comes back stops the containers it finds. What
// it then restarts is its own affair; the rows must say the same as it does.
func TestEngineKilledWithoutLiveRestoreEndsAsTheEngineSays(t *testing.T) {
	d := startDockerd(t, false)
	s := play(t, d.engine, d.fleet(t, "dead", 2, "ssh")...)
	d.kill9(t)
	s.quiet("dead-01", calm)
	d.start(t)
	for _, name := range []string{"dead-01", "dead-02"} {
		eventually(t, soon, func() error { return s.db.state(t, name, d.aggregate(t, name, "ssh")) })
		s.reaches(name, d.aggregate(t, name, "ssh"), soon)
		d.engine.start(t, name+"-ssh")
		s.reaches(name, "running", prompt)
		s.consistent(name)
	}
}

func TestEngineRestartedWithoutLiveRestoreBringsTheFleetBackByPolicy(t *testing.T) {
	d := startDockerd(t, false)
	s := play(t, d.engine, d.fleet(t, "restart", 2, "ssh", "http")...)
	d.stop(t)
	d.start(t)
	for _, name := range []string{"restart-01", "restart-02"} {
		s.reaches(name, "running", soon)
		s.quiet(name, calm)
		s.consistent(name)
	}
}

func TestEngineRestartedWithLiveRestoreIsNoEvent(t *testing.T) {
	d := startDockerd(t, true)
	s := play(t, d.engine, d.fleet(t, "kept", 1, "ssh")...)
	d.stop(t)
	s.quiet("kept-01", calm)
	d.start(t)
	s.quiet("kept-01", calm)
	d.kill(t, "kept-01-ssh")
	s.reaches("kept-01", "failed", soon) // it listens again
	s.consistent("kept-01")
}

// TestDaemonStartedWithoutAnEngineClaimsNothing: a row may be made, but says pending until somebody has looked.
func TestDaemonStartedWithoutAnEngineClaimsNothing(t *testing.T) {
	d := startDockerd(t, true)
	deckies := d.fleet(t, "blind", 1, "ssh")
	d.kill9(t)
	s := newStage(t, d.engine, deckies...)
	s.start()
	s.reaches("blind-01", "pending", soon)
	d.start(t)
	s.reaches("blind-01", "running", soon)
	s.consistent("blind-01")
}
