package swarm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// port is a worker's shipper with everything around it.
type port struct {
	t     *testing.T
	table *table
	hub   *far
	store *box
	view  *box
	whole atomic.Bool
	ref   *supervise.Ref
}

func newPort(t *testing.T, sys *supervise.System) *port {
	p := &port{t: t, table: &table{}, hub: &far{}, store: &box{}, view: &box{}}
	p.whole.Store(true)
	p.ref = sys.Spawn(supervise.Spec{Kind: "swarm", ID: "shipper", New: func() supervise.Receiver {
		return NewShipper(ShipperConfig{Table: p.table, Hub: p.hub, Store: p.store, View: p.view, Whole: p.whole.Load, NewID: func() string { return "s" },
			Jitter: func() float64 { return 0.5 }, Alone: true})
	}})
	return p
}

func (p *port) tell(msgs ...any) {
	for _, m := range msgs {
		p.ref.Tell(m)
	}
}

var (
	owner     = messages.OwnershipChanged{Owner: true, Token: 1}
	connected = messages.LinkChanged{State: messages.LinkState{Phase: messages.LinkConnected, Hub: "m:1"}}
	away      = messages.LinkChanged{State: messages.LinkState{Phase: messages.LinkAway, Hub: "m:1", Fault: &messages.Fault{Where: "m:1", What: "is away"}}}
)

func (p *port) acked() (ids []int64) {
	for _, a := range of[messages.OutboxAcknowledged](p.store) {
		ids = append(ids, a.IDs...)
	}
	return ids
}

func (p *port) wants(what string, took ...string) {
	p.t.Helper()
	if got := p.hub.list(); !slices.Equal(got, took) {
		p.t.Errorf("%s: the hub took %v, want %v", what, got, took)
	}
}

func TestTransitionsAreShippedInOrderAndForgottenOnceTheHubHasThem(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.table.add("e1", "e2")
		p.tell(owner)
		pass(time.Minute)
		p.wants("without a hub")
		p.hub.set(func(messages.ShipBatch) (messages.ShipAck, error) { return messages.ShipAck{}, errBusy })
		p.tell(connected)
		pass(time.Second)
		if ids := p.acked(); len(ids) > 0 {
			t.Errorf("a busy hub acknowledged %v", ids)
		}
		p.hub.set(nil)
		pass(10 * time.Second)
		p.wants("a hub that can", "e1", "e2", "listing")
		p.table.add("e3")
		p.tell(messages.OutboxAppended{})
		p.wants("what is committed then", "e1", "e2", "listing", "e3")
		if ids := p.acked(); !slices.Equal(ids, []int64{1, 2, 3}) {
			t.Errorf("acknowledged are %v", ids)
		}
	})
}

func TestAnythingThatWasNotToldIsFoundByTheAudit(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.tell(owner, connected)
		pass(time.Second)
		p.table.add("e1") // nobody tells
		pass(shipAudit)
		p.wants("after the audit", "listing", "e1")
	})
}

func TestEveryConnectionBeginsWithAListingOnceNothingWaitsAndTheTableIsWhole(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.whole.Store(false)
		p.table.add("e1")
		p.tell(owner, connected)
		pass(time.Minute)
		p.wants("before the first pass", "e1")
		p.whole.Store(true)
		pass(2 * time.Second)
		p.wants("after it", "e1", "listing")
		pass(time.Hour)
		p.wants("an hour later", "e1", "listing")
		p.tell(away)
		p.table.add("e2")
		p.tell(messages.OutboxAppended{})
		pass(time.Minute)
		p.wants("while it is away", "e1", "listing")
		p.tell(connected)
		p.wants("over a new connection", "e1", "listing", "e2", "listing")
	})
}

func TestWhatTheHubWillNeverTakeCostsNothingElse(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.hub.set(func(b messages.ShipBatch) (messages.ShipAck, error) {
			for _, e := range b.Events {
				if e.EventID == "poison" {
					return messages.ShipAck{}, fmt.Errorf("%w: foreign", messages.ErrShipNever)
				}
			}
			return messages.ShipAck{}, nil
		})
		p.table.add("e1", "poison", "e2")
		p.tell(owner, connected)
		pass(time.Minute)
		p.wants("around the poison", "e1", "e2", "listing")
		if ids := p.acked(); !slices.Equal(ids, []int64{1, 2, 3}) {
			t.Errorf("acknowledged are %v", ids)
		}
		told := of[messages.EventHappened](p.view)
		if len(told) != 1 || told[0].Event.Target != "poison" || !strings.Contains(told[0].Event.Cause, "foreign") {
			t.Errorf("told are %+v", told)
		}
	})
}

func TestAStandbyShipsNothing(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.table.add("e1")
		p.tell(messages.OwnershipChanged{}, connected)
		pass(time.Minute)
		p.wants("a standby")
		if asked := of[messages.OwnershipWanted](p.store); len(asked) == 0 {
			t.Error("it did not ask who owns the rows")
		}
	})
}

func TestTheConsoleShowsHowTheHubIsAndWhatWaits(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		p := newPort(t, sys)
		p.table.add("e1", "e2")
		p.tell(owner, away)
		pass(20 * time.Second)
		last := map[string]messages.ComponentStatus{}
		for _, m := range of[messages.ComponentReported](p.view) {
			last[m.Status.Component] = m.Status
		}
		if h := last["hub"]; h.State != "down" || h.Waiting != 2 || !strings.Contains(h.Detail, "is away") {
			t.Errorf("hub is %+v", h)
		}
		if o := last["outbox"]; o.Waiting != 2 {
			t.Errorf("outbox is %+v", o)
		}
		p.tell(connected)
		pass(20 * time.Second)
		for _, m := range of[messages.ComponentReported](p.view) {
			last[m.Status.Component] = m.Status
		}
		if h := last["hub"]; h.State != "ok" {
			t.Errorf("hub is %+v", h)
		}
	})
}

func TestBeatsStopWithTheRoot(t *testing.T) {
	inLab(t, func(_ *testing.T, sys *supervise.System) {
		var sent atomic.Int64
		var stuck atomic.Bool
		sys.Spawn(supervise.Spec{Kind: "swarm", ID: "beats", New: func() supervise.Receiver {
			return NewBeats(BeatsConfig{Root: func(ctx context.Context) error {
				if stuck.Load() {
					<-ctx.Done()
				}
				return ctx.Err()
			}, Say: func() messages.Beat { return messages.Beat{Pending: 7} }, Send: func(b messages.Beat) error {
				if b.Pending == 7 && int64(b.N) > sent.Load() {
					sent.Add(1)
				}
				return nil
			}})
		}})
		pass(9500 * time.Millisecond)
		if n := sent.Load(); n != 10 {
			t.Errorf("%d beats in ten seconds", n)
		}
		stuck.Store(true)
		pass(10 * time.Second)
		if n := sent.Load(); n > 10 {
			t.Errorf("%d beats although the root is stuck", n-10)
		}
	})
}
