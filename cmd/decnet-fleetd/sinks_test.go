package main

import (
	"slices"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

type acksHeard struct {
	ids  []int64
	full bool
	rest int
}

func (a *acksHeard) Tell(msg any) bool {
	if m, is := msg.(messages.OutboxAcknowledged); is && !a.full {
		a.ids = append(a.ids, m.IDs...)
	} else {
		a.rest++
	}
	return !a.full
}

func TestATransitionGoesWhenBusAndHubHaveIt(t *testing.T) {
	to := &acksHeard{}
	s := newSinks(to)
	bus, hub := sink{s, 0}, sink{s, 1}
	ack := func(at sink, ids ...int64) bool { return at.Tell(messages.OutboxAcknowledged{IDs: ids}) }
	ack(bus, 1, 2, 3)
	if len(to.ids) > 0 {
		t.Errorf("gone although the hub has none: %v", to.ids)
	}
	to.full = true
	if ack(hub, 2) {
		t.Error("the store took none, and nobody was told")
	}
	to.full = false
	ack(hub, 2, 4)
	ack(bus, 4)
	ack(hub, 1, 3)
	if want := []int64{2, 4, 1, 3}; !slices.Equal(to.ids, want) {
		t.Errorf("gone are %v, want %v", to.ids, want)
	}
	if n := len(s.had[0]) + len(s.had[1]); n != 0 {
		t.Errorf("%d ids are kept in mind for nothing", n)
	}
	if !bus.Tell(messages.OwnershipWanted{}) {
		t.Error("a question was refused")
	}
}
