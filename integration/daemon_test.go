package integration

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

func TestKilledDaemonCatchesUpOnWhatItMissed(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "missed", 3, "ssh")
	s := play(t, e, deckies[:2]...)

	s.kill9()
	e.kill(t, "missed-01-ssh")
	s.declare(deckies[0], deckies[2])
	e.remove(t, "missed-02-ssh")
	s.start()

	s.reaches("missed-01", "failed", soon)
	s.reaches("missed-03", "running", soon)
	s.vanishes("missed-02", soon)
	s.consistent("missed-01", "missed-02", "missed-03")
}

// TestDaemonKilledAgainAndAgainUnderLoadLosesNothing: whatever was committed is published, by whichever incarnation,
// in order, and twice at most with the same id and content.
func TestDaemonKilledAgainAndAgainUnderLoadLosesNothing(t *testing.T) {
	e := sharedEngine(t)
	deckies := e.fleet(t, "load", 4, "ssh")
	s := play(t, e, deckies...)

	var unrest sync.WaitGroup
	stop := make(chan struct{})
	for _, d := range deckies {
		unrest.Go(func() { churn(t, e, d.Name+"-ssh", stop) })
	}
	for range 5 {
		pause := time.NewTimer(time.Duration(500+rand.IntN(2000)) * time.Millisecond)
		<-pause.C
		s.kill9()
		s.start()
	}
	eventually(t, soon, func() error { return unless(len(s.sub.states(t, "load-01")) > 3, "no unrest") })
	close(stop)
	unrest.Wait()

	for _, d := range deckies {
		s.reaches(d.Name, e.aggregate(t, d.Name, "ssh"), soon)
		s.consistent(d.Name)
	}
}

// churn kills and starts a container until it is told to end, which it does with the container in any state. It uses
// Errorf only: it is not the test's goroutine.
func churn(t *testing.T, e *engine, id string, stop <-chan struct{}) {
	for running := true; ; running = !running {
		pause := time.NewTimer(time.Duration(200+rand.IntN(1200)) * time.Millisecond)
		select {
		case <-stop:
			pause.Stop()
			return
		case <-pause.C:
		}
		var err error
		if running {
			err = e.api.ContainerKill(t.Context(), id, "KILL")
		} else {
			err = e.api.ContainerStart(t.Context(), id, container.StartOptions{})
		}
		if err != nil {
			t.Errorf("churn %s: %v", id, err)
			return
		}
	}
}

func TestTermEndsTheDaemonWithinASecond(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "term", 1, "ssh")...)
	// A second is the promise; the race detector makes everything several times slower.
	if took := s.terminate(); took > 3*time.Second {
		t.Errorf("exit after %s", took)
	}
	if _, err := os.Stat(s.path("control.sock")); err == nil {
		t.Error("the control socket is still there")
	}
	s.consistent("term-01")
}

// TestAStartThatIsCalledOffIsNoFault: whatever TERM interrupts while the daemon starts, it ends in order.
func TestAStartThatIsCalledOffIsNoFault(t *testing.T) {
	s := quietStage(t)
	for i := range 30 {
		p := launch(t, s.path(fmt.Sprintf("called-off-%d.log", i)), fleetd(t), append([]string{"serve"}, s.flags()...)...)
		time.Sleep(time.Duration(i) * 8 * time.Millisecond) // the moment is what is tried
		p.signal(t, syscall.SIGTERM)
		// A process that has not come to main, and has said nothing, is ended by the signal itself.
		if code := p.exit(t, soon); code != 0 && (code != -1 || p.tail() != "") {
			t.Fatalf("TERM after %d ms: exit %d\n%s", i*8, code, p.tail())
		}
		p.scars(t)
	}
}

func TestHeartbeatIsWhatDecnetsRegistryReads(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "pulse", 1, "ssh")...)
	eventually(t, prompt, func() error {
		for _, heard := range s.sub.all(t) {
			if heard.topic != "system.reconciler.health" {
				continue
			}
			var beat struct {
				Worker string
				TS     *float64
			}
			must(t, json.Unmarshal(heard.raw, &beat))
			return unless(heard.kind == "health" && beat.Worker == "reconciler" && beat.TS != nil, "heartbeat %s", heard.raw)
		}
		return unless(false, "no heartbeat")
	})
}

func TestControlStopEndsTheDaemonAndNothingElseDoes(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "control", 1, "ssh")...)
	for _, ignored := range []string{`{"action":"start"}`, `{}`, `[]`, `"stop"`, `null`, `{"action":["stop"]}`} {
		publish(t, s.path("bus.sock"), "system.reconciler.control", "control", ignored)
	}
	publish(t, s.path("bus.sock"), "system.mutator.control", "control", `{"action":"stop"}`)
	throughout(t, calm, func() error { return unless(s.daemon.alive(), "the daemon ended\n%s", s.daemon.tail()) })
	publish(t, s.path("bus.sock"), "system.reconciler.control", "control", `{"action":"stop","requested_by":"admin","ts":1.5}`)
	if code := s.daemon.exit(t, prompt); code != 0 {
		t.Errorf("exit code %d after a stop\n%s", code, s.daemon.tail())
	}
}
