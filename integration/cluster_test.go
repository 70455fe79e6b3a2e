package integration

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestASwarmShowsItsWholeFleetWhateverBreaks: three workers and a hub; cables are cut, one way and both, every process
// dies by kill -9, and in the end the hub's table, its bus and the containers of every host tell one story.
func TestASwarmShowsItsWholeFleetWhateverBreaks(t *testing.T) {
	onEveryDBMS(t, func(t *testing.T, d *dbms) {
		s := newSwarm(t, d, 3, 4)
		wire := listenOn(t, s.workers[0])
		s.hub()
		for _, w := range s.workers {
			w.join()
		}
		s.judged(soon, "after the start")
		must(t, s.db.state(t, "m1", "running"))
		for _, r := range s.db.rows(t) {
			if r.Host != "local" && !strings.Contains(r.Config.String, `"host_uuid":"`+r.Host+`"`) {
				t.Errorf("the configuration of %s does not name its host: %s", r.Name, r.Config.String)
			}
		}
		w1, w2, w3 := s.workers[0], s.workers[1], s.workers[2]

		began := time.Now()
		w1.cut()
		w1.flip(w1.names[0])
		w2.flip(w2.names[0])
		suspect := s.health(w1, "suspect", began, soon)
		stale := s.health(w1, "stale", began, soon)
		if d := stale.Sub(began); d < 4*time.Second || d > 8*time.Second {
			t.Errorf("stale after %v, suspect after %v", d, suspect.Sub(began))
		}
		if r := stateOf(s, w1, w1.names[0]); r != "running" {
			t.Errorf("the row of a host that is cut off changed to %q", r)
		}
		if got := s.decky(w1, w1.names[0]); !got.Stale || got.Node != "w1" {
			t.Errorf("the list shows %+v", got)
		}
		healed := time.Now()
		w1.heal()
		back := s.health(w1, "up", healed, soon).Sub(healed)
		t.Logf("suspect %v, stale %v after the cable was cut; back %v after it was in again", suspect.Sub(began), stale.Sub(began), back)
		if back > 8*time.Second { // 2 s where nobody else runs
			t.Errorf("back %v after its cable", back)
		}
		s.judged(soon, "after the cable was back")

		deaf := time.Now()
		w3.deafen()
		w3.flip(w3.names[1])
		s.health(w3, "stale", deaf, soon)
		w3.undeafen()
		s.judged(soon, "after a worker was deaf")

		w2.daemon.kill9(t)
		w2.flip(w2.names[0])
		w2.flip(w2.names[1])
		w2.join()
		s.judged(soon, "after kill -9 of a worker")

		s.kill9()
		for _, w := range s.workers {
			w.flip(w.names[2])
		}
		s.hub()
		s.judged(soon, "after kill -9 of the hub")

		left := time.Now()
		w3.daemon.signal(t, syscall.SIGTERM)
		w3.daemon.exit(t, soon)
		s.health(w3, "left", left, soon)
		s.judged(soon, "after a worker left")
		wire.onlyTLS(s.port)
	})
}

func stateOf(s *swarm, w *worker, name string) string {
	s.t.Helper()
	for _, r := range s.db.rows(s.t) {
		if r.Host == w.uuid && r.Name == name {
			return r.State
		}
	}
	return ""
}

type shownDecky struct {
	HostUUID string `json:"host_uuid"`
	Name     string
	State    string
	Node     string
	Stale    bool
}

// decky is one of the hub's list.
func (s *swarm) decky(w *worker, name string) shownDecky {
	s.t.Helper()
	out, _ := s.command("deckies", "-o", "json")
	var list struct{ Items []shownDecky }
	must(s.t, json.Unmarshal([]byte(out), &list))
	for _, d := range list.Items {
		if d.HostUUID == w.uuid && d.Name == name {
			return d
		}
	}
	s.t.Fatalf("the hub does not list %s of %s: %s", name, w.name, out)
	return shownDecky{}
}

// TestAWorkerVanishesWithItsAgent: what DECNET's self-destruct removes it cannot know of us.
func TestAWorkerVanishesWithItsAgent(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 1)
	w := s.workers[0]
	time.Sleep(3 * time.Second) // it has looked at what may vanish
	must(t, os.RemoveAll(w.path("agent")))
	throughout(t, calm, func() error { return unless(w.daemon.alive(), "the worker ended before the unit had gone") })
	must(t, os.Remove(w.path("decnet-agent.service")))
	if code := w.daemon.exit(t, soon); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if _, err := os.Stat(w.path("state")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state directory is left: %v", err)
	}
}
