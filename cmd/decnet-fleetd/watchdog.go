package main

import (
	"context"
	"errors"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// trip makes the round trip that proves the daemon alive. A timer alone would feed the watchdog of a daemon whose actors
// wait for each other for ever.
func (h *herald) trip(c *supervise.Ctx) {
	if h.feed == 0 {
		return
	}
	began := c.Now()
	c.Go("round trip", func(ctx context.Context) {
		err := h.roundTrip(ctx)
		if err == nil {
			err = h.to.Watchdog()
		}
		c.After(0, fed{err, c.Now().Sub(began)})
	})
}

// roundTrip asks everything the daemon cannot do without, one after the other; all of it together may take until the next.
func (h *herald) roundTrip(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, h.feed)
	defer cancel()
	if err := h.ping(ctx); err != nil {
		return err
	}
	if _, err := h.view.Ask(ctx, messages.GetStatus{}); err != nil {
		return err
	}
	a, err := h.store.Ask(ctx, messages.GetQuiesced{})
	if _, ok := a.(int64); err == nil && !ok {
		return errors.New("the store does not know what it waits for")
	}
	return err
}

func (h *herald) fed(c *supervise.Ctx, m fed) {
	if why := reason(m.err); why != h.ill {
		h.ill = why
		if why != "" {
			c.Log().Error().Str("error", why).Msg("watchdog not fed: no answer to the round trip")
		} else {
			c.Log().Info().Msg("watchdog fed again")
		}
	}
	c.After(max(0, h.feed-m.took), messages.Tick{Name: "feed"})
}
