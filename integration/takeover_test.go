package integration

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// python plays DECNET's own reconciler on the bus: it sends heartbeats until it hears the stop that its control listener
// obeys, and only that one.
type python struct {
	s       *stage
	stopped atomic.Bool
	beats   atomic.Int64
}

// beatEvery is faster than DECNET's 30 s: nothing else differs.
const beatEvery = 200 * time.Millisecond

func (p *python) run(stop <-chan struct{}) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for !p.stopped.Load() {
		publish(p.s.t, p.s.path("bus.sock"), "system.reconciler.health", "health",
			fmt.Sprintf(`{"worker":"reconciler","ts":%.6f}`, float64(time.Now().UnixMicro())/1e6))
		p.beats.Add(1)
		for _, e := range p.s.sub.all(p.s.t) {
			if e.topic == "system.reconciler.control" && strings.Contains(string(e.raw), `"action":"stop"`) {
				p.stopped.Store(true)
			}
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}

// controls are the control messages that were published, of any worker.
func (s *stage) controls() (all []event) {
	for _, e := range s.sub.all(s.t) {
		if strings.HasSuffix(e.topic, ".control") || e.kind == "control" {
			all = append(all, e)
		}
	}
	return all
}

func (s *stage) runPython(t *testing.T) *python {
	t.Helper()
	p, stop, done := &python{s: s}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		p.run(stop)
	}()
	t.Cleanup(func() { close(stop); <-done })
	return p
}

// TestTakeoverStopsTheOtherReconcilerAndNobodyElse: a stop for enrich, orchestrator or mutator would end the whole batch
// they live in.
func TestTakeoverStopsTheOtherReconcilerAndNobodyElse(t *testing.T) {
	e := sharedEngine(t)
	s := newStage(t, e, e.fleet(t, "takeover", 1, "ssh")...)
	s.start("--takeover")
	s.reaches("takeover-01", "running", soon)
	for _, other := range []string{"enrich", "orchestrator", "mutator"} { // the rest of decnet-supervise-batch
		publish(t, s.path("bus.sock"), "system."+other+".health", "health", `{"worker":"`+other+`","ts":1.5}`)
	}
	p := s.runPython(t)
	eventually(t, soon, func() error { return unless(p.stopped.Load(), "the other reconciler was not told to stop") })
	throughout(t, calm, func() error {
		for _, c := range s.controls() {
			if c.topic != "system.reconciler.control" || c.kind != "control" || !strings.Contains(string(c.raw), `"requested_by":"decnet-fleetd"`) {
				return fmt.Errorf("published on %s: %s", c.topic, c.raw)
			}
		}
		return errors.Join(unless(s.daemon.alive(), "it stopped itself\n%s", s.daemon.tail()),
			unless(len(s.controls()) == 1, "%d orders to stop", len(s.controls())))
	})
	e.kill(t, "takeover-01-ssh")
	s.reaches("takeover-01", "failed", prompt)
}

// TestAnotherReconcilerIsShownAndLeftAlone: without --takeover nobody is told to stop; status and doctor say who is there.
func TestAnotherReconcilerIsShownAndLeftAlone(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "rival", 1, "ssh")...)
	p := s.runPython(t)
	eventually(t, prompt, func() error {
		status, _ := s.command("status", "--json")
		doctor, _ := s.command("doctor", "--json")
		const who = "DECNET's own reconciler on this bus too"
		return errors.Join(unless(strings.Contains(status, who), "status: %s", status),
			unless(strings.Contains(doctor, who) && strings.Contains(doctor, "--takeover"), "doctor: %s", doctor))
	})
	if len(s.controls()) != 0 || p.stopped.Load() || p.beats.Load() == 0 {
		t.Errorf("controls %v after %d heartbeats", s.controls(), p.beats.Load())
	}
	eventually(t, prompt, func() error { return s.ready(200, `"reasons":[]`) }) // a worry, not an outage
}
