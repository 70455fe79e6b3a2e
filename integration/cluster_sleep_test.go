package integration

import (
	"syscall"
	"testing"
	"time"
)

// TestAHubThatSleptRaisesNoAlarm: it heard nobody because it was stopped itself; that is no silence of a worker. What happened
// meanwhile is told once, as after any other gap. A worker that sleeps is silent indeed.
func TestAHubThatSleptRaisesNoAlarm(t *testing.T) {
	t.Parallel()
	s := standing(t, 2, 2)
	asleep, other := s.workers[0], s.workers[1]

	began := time.Now()
	s.daemon.signal(t, syscall.SIGSTOP)
	for _, w := range s.workers {
		w.flip(w.names[0])
	}
	s.gap(12 * time.Second) // longer than every patience of hub and workers
	s.daemon.signal(t, syscall.SIGCONT)
	woken := time.Now()
	s.judged(soon, "after the hub slept")
	s.gap(time.Until(woken.Add(8 * time.Second))) // who was never heard again is stale by then
	for _, w := range s.workers {
		if n := s.silences(w, began); n > 0 {
			t.Errorf("%d alarms about %s, which was there all the time", n, w.name)
		}
	}

	began = time.Now()
	asleep.daemon.signal(t, syscall.SIGSTOP)
	asleep.flip(asleep.names[1])
	s.health(asleep, "stale", began, soon)
	woken = time.Now()
	asleep.daemon.signal(t, syscall.SIGCONT)
	s.health(asleep, "up", woken, soon)
	s.judged(soon, "after a worker slept")
	if n := s.silences(other, began); n > 0 {
		t.Errorf("%d alarms about %s, whose neighbour slept", n, other.name)
	}
}
