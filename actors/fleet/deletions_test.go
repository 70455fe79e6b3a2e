package fleet

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestAMissingFileDeletesNothingWhileContainersAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.row("d1", "running")
		w.file("d1")
		w.rows()
		w.docker(map[string]string{"d1": "running"})
		w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileMissing, Gone: []string{"d1"}, ReadAt: time.Now()})
		time.Sleep(10 * time.Second)
		w.expect("its container is there: held")
		w.docker(nil)
		for range 3 {
			w.fleet.Tell(messages.DeclaredChanged{Stamp: w.stamp(), Status: messages.FileMissing, ReadAt: time.Now()})
			w.rows()
			time.Sleep(3 * time.Second)
		}
		w.expect("Docker bears witness", "d1 delete torn_down")
	})
}

func TestMassDeletionIsHeldWithoutWitness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		names := w.six()
		w.file("d1")
		w.wait(10*time.Second, "d1")
		w.expect("five of six with containers: held")
		w.file(names...)
		w.wait(3*time.Second, names...)
		w.file("d1", "d2", "d3", "d4", "d5")
		w.wait(4*time.Second, "d1", "d2", "d3", "d4", "d5")
		w.expect("a single one goes", "d6 delete torn_down")
	})
}

func TestApprovalReleasesTheHeldSetAndWhatIsLeftOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.six()
		w.file("d1")
		w.wait(4*time.Second, "d1")
		w.expect("held")
		ask := func(hash string, dry bool) messages.ApproveReply {
			a, err := w.fleet.Ask(context.Background(), messages.ApproveDeletes{Hash: hash, DryRun: dry})
			if err != nil {
				t.Fatal(err)
			}
			return a.(messages.ApproveReply)
		}
		r := ask("another", false)
		if !r.Held || r.Accepted || len(r.Names) != 5 || r.Hash == "" {
			t.Fatalf("another hash: %+v", r)
		}
		if dry := ask(r.Hash, true); !dry.Accepted || w.orders() != nil {
			t.Fatalf("dry: %+v", dry)
		}
		w.wait(70*time.Second, "d1")
		w.expect("dry runs approve nothing")
		if got := ask(r.Hash, false); !got.Accepted || !got.Released {
			t.Fatalf("approved: %+v", got)
		}
		w.wait(4*time.Second, "d1")
		w.expect("released", "d2 delete torn_down", "d3 delete torn_down", "d4 delete torn_down", "d5 delete torn_down", "d6 delete torn_down")
	})
}

func TestAnApprovalDoesNotCoverANameThatCameLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.six()
		w.file("d1", "d2")
		w.wait(4*time.Second, "d1", "d2")
		a, err := w.fleet.Ask(context.Background(), messages.ApproveDeletes{Hash: setHash([]string{"d3", "d4", "d5", "d6"})})
		if r, ok := a.(messages.ApproveReply); err != nil || !ok || !r.Accepted || r.Released {
			t.Fatalf("%+v %v", a, err)
		}
		w.file("d1")
		w.wait(90*time.Second, "d1")
		w.expect("five, of which four are approved")
	})
}

// TestAHeldDeletionGoesWhenTheWindowIsOver: nothing but time passes, and no audit comes near.
func TestAHeldDeletionGoesWhenTheWindowIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.fleet.Tell(messages.AuditEvery{Every: time.Hour})
		names := w.six()
		began := time.Now()
		for i := range 3 {
			w.file(names[i+1:]...)
			w.wait(4*time.Second, names[i+1:]...)
			w.expect("within the limit", names[i]+" delete torn_down")
		}
		w.file(names[4:]...)
		w.wait(4*time.Second, names[4:]...)
		w.expect("the fourth within a minute is held")
		for time.Since(began) < 58*time.Second {
			w.wait(time.Second, names[4:]...)
		}
		w.expect("still within the minute")
		w.wait(20*time.Second, names[4:]...)
		w.expect("the first is a minute ago", "d4 delete torn_down")
	})
}
