package fleet

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestNobodyDecidesBeforeEverySourceAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.file("d1")
		w.rows()
		w.expect("Docker has not answered")
		w.docker(map[string]string{"d1": "running"})
		w.expect("all have answered", "d1 insert running")
	})
}

func TestASilentDockerCountsAsUnknownAfterFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.file("d1")
		w.rows()
		time.Sleep(5 * time.Second)
		w.expect("after five seconds", "d1 insert pending")
	})
}

func TestAContainersDeathBecomesAnOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.expect("converged")
		w.fleet.Tell(messages.RuntimeChanged{Stamp: w.stamp(), Cause: "die", ReadAt: time.Now(),
			Changed: []messages.Container{{ID: "d1", Name: "d1-ssh", Decky: "d1", Service: "ssh", State: "exited"}}})
		w.expect("it died", "d1 update failed")
		w.fleet.Tell(messages.SourceDown{Source: messages.SourceObserved, Stamp: w.stamp()})
		w.expect("Docker is gone: silence")
	})
}

func TestARejectedEntryMakesItsNameUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.row("d2", "running")
		w.file("d1", "d2")
		w.rows()
		w.docker(map[string]string{"d1": "running", "d2": "running"})
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileValid, ReadAt: time.Now(), Gone: []string{"d1"},
			Rejected: []messages.Rejected{{Index: 0, Name: "d1"}}})
		w.docker(map[string]string{"d1": "exited", "d2": "exited"})
		w.wait(5*time.Second, "d2")
		w.expect("only the other one is judged", "d2 update failed")
	})
}

func TestAForeignEntryIsNotOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.rows()
		w.docker(nil)
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Full: true, Status: messages.FileValid, ReadAt: time.Now(),
			Entries: []messages.Declared{{Name: "d1", HostUUID: "5f0c9a0e", Services: []string{"ssh"}}}})
		time.Sleep(10 * time.Second)
		w.expect("nothing is written for another host")
	})
}

func TestARedeployHoldsStateChangesUntilSomethingStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		names, up := []string{"d1", "d2", "d3", "d4"}, map[string]string{}
		var lost []messages.Container
		for _, n := range names {
			w.row(n, "running")
			up[n] = "running"
			lost = append(lost, messages.Container{ID: n, Decky: n, Service: "ssh"})
		}
		w.file(names...)
		w.rows()
		w.docker(up)
		w.fleet.Tell(messages.RuntimeHinted{Destroyed: lost})
		w.docker(nil)
		time.Sleep(5 * time.Second)
		w.expect("compose down is under way")
		w.docker(up)
		w.fleet.Tell(messages.RuntimeHinted{Started: 4})
		w.expect("up again: nothing happened")
	})
}

func TestAPassEndsWhenEverybodyIsDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d2", "running")
		answer := make(chan any, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			a, err := w.fleet.Ask(ctx, messages.GetPass{First: true})
			if err != nil {
				a = err
			}
			answer <- a
		}()
		w.file("d1", "d2")
		w.rows()
		w.docker(map[string]string{"d1": "running", "d2": "exited"})
		r, ok := (<-answer).(messages.PassReport)
		if !ok || r.Inserted != 1 || r.StateUpdated != 1 || r.Deleted != 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestFleetFindsItsDeckiesAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		before := len(w.sys.Refs())
		w.sys.Restart(w.fleet, "test")
		time.Sleep(time.Second)
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "exited"})
		w.expect("the same decky decides", "d1 update failed")
		if after := len(w.sys.Refs()); after != before {
			t.Errorf("%d actors, were %d", after, before)
		}
	})
}

func TestTwoPassesAtOnceBothEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		var ended sync.WaitGroup
		for range 2 {
			ended.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				if a, err := w.fleet.Ask(ctx, messages.GetPass{First: true}); err != nil || a.(messages.PassReport).Late {
					t.Errorf("%+v %v", a, err)
				}
			})
		}
		ended.Wait()
	})
}

func TestAPassOfAStandbyEndsAndSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.store.reply = nil // nobody writes
		w.fleet.Tell(messages.OwnershipChanged{})
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		a, err := w.fleet.Ask(context.Background(), messages.GetPass{First: true})
		if r, ok := a.(messages.PassReport); !ok || !r.NotOwner {
			t.Errorf("%+v %v", a, err)
		}
	})
}

func TestADeckyOutOfQuarantineIsAMemberAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		for range 2 {
			w.fleet.Tell(messages.DeckyCrashed{Name: "d1", Quarantined: true, Reason: "boom"})
			w.expect("its row says so each time, and the living decky takes it back", "d1 update running", "d1 update running")
			w.fleet.Tell(messages.FactsWanted{Name: "d1"})
			time.Sleep(2 * time.Second) // changes of one row are paced
		}
	})
}

func TestALookThatBeganBeforeADeleteDoesNotBringTheDeckyBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(nil)
		w.orders()
		stale := messages.RecordedChanged{Full: true, Rows: []messages.Recorded{w.table["d1"]}, ReadAt: time.Now()}
		w.file()
		w.wait(4 * time.Second)
		w.expect("the file has it no more", "d1 delete torn_down")
		stale.Stamp = w.stamp()
		w.fleet.Tell(stale)
		synctest.Wait()
		if names := w.staff(); len(names) != 0 {
			t.Errorf("%v came back from an old look", names)
		}
		if !slices.ContainsFunc(w.sources[messages.SourceRecorded].take(), func(m any) bool { return m == messages.RowWritten{Name: "d1"} }) {
			t.Error("the source is not asked to tell it again")
		}
		w.row("d1", "running")
		w.rows()
		if names := w.staff(); len(names) != 1 {
			t.Errorf("a row that is there again has %v", names)
		}
	})
}

func TestTheDeploymentOffersServicesAndTheContainersChoose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.orders()
		deployed := messages.RecordedChanged{Stamp: w.stamp(), ReadAt: time.Now(), Deployed: []messages.Deployed{{Name: "d1", Services: []string{"http"}, LastMutated: 5}, {Name: "nobody", Services: []string{"ftp"}}}}
		w.fleet.Tell(deployed)
		w.expect("its containers are still the file's")
		change := func(c messages.RuntimeChanged) {
			c.Stamp, c.Cause, c.ReadAt = w.stamp(), "start", time.Now()
			w.fleet.Tell(c)
		}
		w.sources[messages.SourceRecorded].take()
		change(messages.RuntimeChanged{Changed: []messages.Container{{ID: "x", Name: "d1-http", Decky: "d1", Service: "http", State: "running"}}})
		w.expect("both are there: held")
		change(messages.RuntimeChanged{Gone: []string{"d1"}})
		w.expect("the mutation is done", "d1 update running")
		if s := w.table["d1"].Services; !slices.Equal(s, []string{"http"}) {
			t.Errorf("the row has %v", s)
		}
		if names := w.staff(); len(names) != 1 {
			t.Errorf("the deployment made deckies: %v", names)
		}
		change(messages.RuntimeChanged{Changed: []messages.Container{{ID: "y", Name: "d1-ftp", Decky: "d1", Service: "ftp", State: "running"}}})
		synctest.Wait()
		if !asked(w.sources[messages.SourceRecorded].take()) {
			t.Error("a service that nobody declares does not have the deployment read")
		}
	})
}
