package fleet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func pause(target, by string, since time.Time) messages.Pause {
	return messages.Pause{Target: target, By: by, Since: messages.Moment{Time: since}}
}

func TestAPauseStopsOrdersOfItsDeckyAndAResumeBringsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("a", "running")
		w.row("b", "running")
		w.file("a", "b")
		w.rows()
		w.docker(map[string]string{"a": "running", "b": "running"})
		w.wait(time.Second, "a", "b")
		w.orders()
		w.fleet.Tell(messages.PausesChanged{Pauses: []messages.Pause{pause("a", "alice", time.Now())}})
		synctest.Wait()
		w.docker(map[string]string{"a": "exited", "b": "exited"})
		w.wait(5*time.Second, "a", "b")
		w.expect("one is paused", "b update failed")
		w.fleet.Tell(messages.PausesChanged{})
		w.wait(2*time.Second, "a", "b")
		w.expect("resumed", "a update failed")
		w.fleet.Tell(messages.PausesChanged{Pauses: []messages.Pause{pause(messages.PauseHost, "bob", time.Now())}})
		synctest.Wait()
		w.docker(map[string]string{"a": "running", "b": "running"})
		w.fleet.Tell(messages.DeckyCrashed{Name: "a", Quarantined: true, Reason: "drill"})
		w.wait(5*time.Second, "a", "b")
		w.expect("the host is paused")
	})
}

func TestADeckysOwnPauseCountsBeforeTheHosts(t *testing.T) {
	p := pausesOf([]messages.Pause{{Target: "*", By: "bob"}, {Target: "a", By: "alice", Reason: "drill"}})
	if got := p.of("a"); got.Why != "paused by alice: drill" || !got.Paused {
		t.Errorf("%+v", got)
	}
	if got := p.of("b"); got.Why != "host paused by bob" || !got.Paused {
		t.Errorf("%+v", got)
	}
	if got := (pauses{}).of("a"); got.Paused {
		t.Errorf("%+v", got)
	}
}

func TestALongPauseIsRemindedOfOnceADay(t *testing.T) {
	began := time.Unix(0, 0)
	p := pausesOf([]messages.Pause{pause("a", "alice", began), pause("b", "bob", began.Add(time.Hour))})
	for at, want := range map[time.Duration]int{23 * time.Hour: 0} {
		if got := p.due(began.Add(at)); len(got) != want {
			t.Errorf("after %v: %v", at, got)
		}
	}
	if got := p.due(began.Add(24 * time.Hour)); len(got) != 1 || got[0].Target != "a" {
		t.Errorf("after a day: %v", got)
	}
	if got := p.due(began.Add(26 * time.Hour)); len(got) != 1 || got[0].Target != "b" {
		t.Errorf("after 26 h: %v", got)
	}
	if got := p.due(began.Add(48 * time.Hour)); len(got) != 1 || got[0].Target != "a" {
		t.Errorf("after two days: %v", got)
	}
}

func TestAPassAboutOneDeckyWaitsForThatOneOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("a", "running")
		w.row("b", "running")
		w.file("a", "b")
		w.rows()
		w.docker(map[string]string{"a": "exited", "b": "exited"})
		done := make(chan messages.PassReport, 1)
		go func() {
			a, err := w.fleet.Ask(t.Context(), messages.GetPass{Only: []string{"a"}})
			if err == nil {
				done <- a.(messages.PassReport)
			}
			close(done)
		}()
		synctest.Wait()
		w.wait(time.Second, "a", "b")
		w.docker(map[string]string{"a": "exited", "b": "exited"})
		w.wait(6*time.Second, "a", "b")
		if r, ok := <-done; !ok || r.Late {
			t.Errorf("%+v %v", r, ok)
		}
	})
}
