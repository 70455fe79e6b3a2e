package main

import (
	"context"
	"fmt"
	"time"

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
	var late error
	h.reader, late = isReaderWell(h.reader, h.reads(), began)
	c.Go("round trip", func(ctx context.Context) {
		err := h.roundTrip(ctx)
		if err == nil {
			err = late
		}
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
	a, err := h.store.Ask(ctx, messages.GetStatementAge{})
	if err != nil {
		return err
	}
	return isStoreWell(a)
}

// overdue is how long a statement may outlive its own deadline. Source: the design; a driver gives up within a second,
// and what still has not come back by then waits inside the driver for something that will not happen.
const overdue = 20 * time.Second

// isStoreWell: a store that waits for a lock is well, however many others wait with it.
func isStoreWell(answer any) error {
	m, ok := answer.(messages.StatementAge)
	switch {
	case !ok:
		return fmt.Errorf("the store answers with a %T", answer)
	case m.Age > m.Deadline+overdue:
		return fmt.Errorf("the database has not answered a statement for %s, whose deadline is %s", m.Age.Round(time.Second), m.Deadline)
	}
	return nil
}

// readerPatience is how long the event reader may do nothing at all. Source: it lists at least every 28 s, a call takes
// at most 5 s, a retry comes after at most 5 s; as much again, before it counts as dead.
const readerPatience = time.Minute

// reader is what the watchdog knows of the event reader: how much it has done, and since when it has not done more.
type reader struct {
	done  int64
	since time.Time
}

// isReaderWell folds a look at what the reader has done.
func isReaderWell(r reader, done int64, now time.Time) (reader, error) {
	if r.since.IsZero() || done != r.done {
		return reader{done, now}, nil
	}
	if idle := now.Sub(r.since); idle > readerPatience {
		return r, fmt.Errorf("the reader of Docker's events has done nothing for %s", idle.Round(time.Second))
	}
	return r, nil
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
