package database

import (
	"errors"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// TestADeliveryThatTheProgramFailsOverCostsNoOtherHost: what a lane read is spoiled, so that the transaction meets an index that
// is not there.
func TestADeliveryThatTheProgramFailsOverCostsNoOtherHost(t *testing.T) {
	everywhere(t, func(t *testing.T, s site) {
		w := hubWorld(t, s, workerA, workerB)
		spoiled := events(workerA, w.shipped(workerA, "a1", 1, messages.TransitionInserted, "", "running"))
		spoiled.Read = sense{}
		out := w.mirror(spoiled, events(workerB, w.shipped(workerB, "b1", 1, messages.TransitionInserted, "", "running")))
		var e *Error
		if err := out[0].Err; !errors.As(err, &e) || Retryable(err) || !strings.Contains(err.Error(), "panic at mirror.go:") || !strings.Contains(e.Remedy, "report") {
			t.Errorf("error %v", err)
		}
		if out[1].Err != nil || len(out[1].Queued) != 1 || w.states(workerA) != "" || w.states(workerB) != "b1 running" {
			t.Errorf("%+v; %q, %q", out[1], w.states(workerA), w.states(workerB))
		}
		spoiled.Read = nil
		if out := w.mirror(spoiled); out[0].Err != nil || w.states(workerA) != "a1 running" {
			t.Errorf("shipped again: %+v, %q", out, w.states(workerA))
		}
	})
}

// TestARowThatTheProgramFailsToReadIsRefused: it alone, in a batch and in a listing.
func TestARowThatTheProgramFailsToReadIsRefused(t *testing.T) {
	w := hubWorld(t, onSQLite, workerA)
	rehome := w.db.cfg.Rehome
	w.db.cfg.Rehome = func(config, host string) (string, error) {
		if strings.Contains(config, `"poison"`) {
			panic("no such configuration")
		}
		return rehome(config, host)
	}
	poison := w.shipped(workerA, "poison", 1, messages.TransitionInserted, "", "running")
	for _, d := range []messages.Delivery{
		events(workerA, w.shipped(workerA, "a1", 1, messages.TransitionInserted, "", "running"), poison),
		listing(workerA, shippedRow("a2", "running"), shippedRow("poison", "running"), shippedRow("a1", "running")),
	} {
		got := w.mirror(w.db.Understand(d))[0]
		if got.Err != nil || len(got.Refused) != 1 || got.Refused[0].Name != "poison" || !strings.Contains(got.Refused[0].Why, "panic at mirrorbug_test.go:") {
			t.Errorf("%+v", got)
		}
	}
	if got := w.states(workerA); got != "a1 running, a2 running" {
		t.Errorf("rows: %s", got)
	}
}
