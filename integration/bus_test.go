package integration

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// TestTransitionsWaitForTheBusAndArriveInOrder: the broker dies; what happens meanwhile is told when there is one again.
// The new broker is put in place only when the subscriber is on it, because a bus replays nothing.
func TestTransitionsWaitForTheBusAndArriveInOrder(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "wait", 2, "ssh")...)

	s.bus.kill9(t)
	for _, step := range []struct {
		do   func(*testing.T, string)
		want string
	}{{e.kill, "failed"}, {e.start, "running"}, {e.pause, "failed"}} {
		step.do(t, "wait-01-ssh")
		eventually(t, prompt, func() error { return s.db.state(t, "wait-01", step.want) })
	}
	s.startBus(s.path("bus2.sock"))
	s.sub.join(t, s.path("bus2.sock"))
	must(t, os.Rename(s.path("bus2.sock"), s.path("bus.sock")))

	want := []string{"inserted running", "state_changed failed", "state_changed running", "state_changed failed"}
	eventually(t, soon, func() error {
		story := s.sub.story(t, "wait-01")
		return unless(slices.Equal(story, want), "told %v, not %v", story, want)
	})
	e.unpause(t, "wait-01-ssh")
	s.reaches("wait-01", "running", prompt)
	s.consistent("wait-01", "wait-02")
}

// TestBusRestartedInItsPlaceIsFoundAgain restarts the broker as systemd would, by TERM and by KILL.
func TestBusRestartedInItsPlaceIsFoundAgain(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "again", 1, "ssh")...)
	end := map[string]func(){
		"TERM": func() {
			s.bus.signal(t, syscall.SIGTERM)
			if code := s.bus.exit(t, prompt); code != 0 {
				t.Errorf("the bus exits with %d on TERM\n%s", code, s.bus.tail())
			}
		},
		"KILL": func() { s.bus.kill9(t) },
	}
	for _, how := range []string{"TERM", "KILL"} {
		end[how]()
		s.startBus(s.path("bus.sock"))
		s.sub.join(t, s.path("bus.sock"))
		e.stop(t, "again-01-ssh")
		s.reaches("again-01", "failed", soon)
		e.start(t, "again-01-ssh")
		s.reaches("again-01", "running", soon)
	}
	s.consistent("again-01")
}

func TestDaemonStartedBeforeTheBusTellsEverythingLater(t *testing.T) {
	e := sharedEngine(t)
	s := newStage(t, e, e.fleet(t, "early", 2, "ssh")...)
	s.bus.kill9(t)
	must(t, os.Remove(s.path("bus.sock")))
	s.start()
	eventually(t, soon, func() error { return s.db.state(t, "early-02", "running") })
	s.startBus(s.path("bus2.sock"))
	s.sub.join(t, s.path("bus2.sock"))
	must(t, os.Rename(s.path("bus2.sock"), s.path("bus.sock")))
	s.reaches("early-01", "running", soon)
	s.reaches("early-02", "running", soon)
	s.consistent("early-01", "early-02")
}
