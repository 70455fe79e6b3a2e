package main

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

const (
	// sharp is how often a witness looks where milliseconds count.
	sharp = time.Millisecond
	// coarse is how often it looks where all rows change at once: counting 10,000 costs it a millisecond.
	coarse = 10 * time.Millisecond
)

// simulated sets up a host with a simulator of so many deckies, all of them declared, a bus and a subscriber. No daemon.
func simulated(ctx context.Context, h *stage.Host, deckies int) error {
	for _, step := range []func() error{
		func() error { return h.StartSim(ctx, deckies) },
		func() error { return h.StartBus(ctx, "bus.sock") },
		func() error { return h.Subscribe(ctx, "bus.sock") },
		func() error { return h.Declare(stage.Fleet(1, deckies, stage.Services()...)) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// serving sets up a host as simulated does, starts the daemon and waits until every decky has a running row that was
// announced.
func serving(ctx context.Context, h *stage.Host, deckies int) error {
	if err := simulated(ctx, h, deckies); err != nil {
		return err
	}
	if err := h.Witness(false, coarse); err != nil {
		return err
	}
	if err := h.Serve(); err != nil {
		return err
	}
	if _, err := h.Converged(ctx, 0, deckies, "running"); err != nil {
		return err
	}
	_, err := arrived(ctx, h, 0, deckies)
	return err
}

// arrived waits until so many state events have come after a mark, and gives the time of the last one. Repetitions count:
// whoever needs exact numbers looks at them afterwards.
func arrived(ctx context.Context, h *stage.Host, mark, n int) (stage.Received, error) {
	left := n
	return h.Received.Await(ctx, mark, time.Minute, func(r stage.Received) bool {
		if r.IsState() {
			left--
		}
		return left <= 0
	})
}

// pause waits: a limit of the product has to pass, or a fleet has to come to rest.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// became matches the row of a decky that shows a state.
func became(name, state string) func(witness.Sight) bool {
	return func(s witness.Sight) bool { return s.Name == name && s.State == state }
}
