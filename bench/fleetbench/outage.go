package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// outage: the bus is away while every decky flips; what waits costs memory, and comes when the bus is back.
func outage(ctx context.Context, b *bench) ([]report.Row, error) {
	n := b.pick(10000, 1000)
	what := fmt.Sprintf("bus away, %d transitions waiting: ", n)
	back := report.Row{Key: "outage/delivered", What: what + "delivered after its return", Hold: "≤ 10 s, 0 lost"}
	more := report.Row{Key: "outage/rss", What: what + "level of RSS above that before", Hold: "≤ 8 MiB"}
	err := b.on(ctx, func(h *stage.Host) error {
		before, err := beforeOutage(ctx, h, n)
		if err != nil {
			return err
		}
		peak, after, err := away(ctx, h, n)
		if err != nil {
			return err
		}
		mib := float64(after-before) / 1024
		more.OK, more.Measured = mib <= 8, fmt.Sprintf("%+.1f MiB (at most %+.1f for a moment)", mib, float64(peak-before)/1024)
		more.Values = map[string]float64{"more_mib": mib, "peak_mib": float64(peak-before) / 1024}
		began, err := returned(ctx, h)
		if err != nil {
			return err
		}
		last, lost, twice, err := followed(ctx, h, 0, n, "running")
		took := time.Duration(last - began)
		back.OK = lost == 0 && took <= 10*time.Second
		back.Measured = fmt.Sprintf("%s, %d lost, %d repeated", report.Short(took), lost, twice)
		back.Values = map[string]float64{"seconds": took.Seconds(), "lost": float64(lost), "repeated": float64(twice)}
		return err
	})
	return []report.Row{back, more}, err
}

// calm is how long memory is watched after a flip, with the bus or without. Between two collections of garbage it goes up
// and down by a third of the heap, so two single readings say nothing: the level is the lowest of an audit and more.
const calm = 40 * time.Second

// level watches the daemon's RSS for a while and gives the least and the most of it, in KiB.
func level(ctx context.Context, h *stage.Host) (least, most int64, err error) {
	for began := time.Now(); time.Since(began) < calm; {
		m, err := stage.MemoryOf(h.Daemon.PID())
		if err != nil {
			return 0, 0, err
		}
		if most = max(most, m.RSS); least == 0 || m.RSS < least {
			least = m.RSS
		}
		if err := pause(ctx, calm/160); err != nil {
			return 0, 0, err
		}
	}
	return least, most, nil
}

// beforeOutage flips once with the bus there, so that what a flip itself leaves behind is not counted, and gives the level of the RSS.
func beforeOutage(ctx context.Context, h *stage.Host, n int) (int64, error) {
	if err := serving(ctx, h, n); err != nil {
		return 0, err
	}
	for _, state := range []string{"degraded", "running", "degraded"} {
		if err := pause(ctx, rested); err != nil {
			return 0, err
		}
		if _, err := flip(ctx, h, n, state); err != nil {
			return 0, err
		}
	}
	least, _, err := level(ctx, h)
	return least, err
}

// away stops the bus, flips all deckies, and gives the RSS: the most there was, and its level.
func away(ctx context.Context, h *stage.Host, n int) (peak, after int64, err error) {
	if err := h.Bus.Signal(os.Interrupt); err != nil {
		return 0, 0, err
	}
	if _, _, err := h.Bus.Exit(ctx); err != nil {
		return 0, 0, err
	}
	mark := h.Seen.Len()
	if err := h.Engine.Flip(ctx, n); err != nil {
		return 0, 0, err
	}
	if _, err := h.Converged(ctx, mark, n, "running"); err != nil {
		return 0, 0, err
	}
	if after, peak, err = level(ctx, h); err != nil {
		return 0, 0, err
	}
	waiting, err := h.Waiting(ctx)
	if err == nil && waiting != n {
		err = fmt.Errorf("%d transitions wait in the outbox, not %d", waiting, n)
	}
	return peak, after, err
}

// returned brings the bus back: it listens elsewhere first and is moved to its place when the subscriber stands, because no
// bus of DECNET's repeats anything for who comes late. It gives the moment of the move.
func returned(ctx context.Context, h *stage.Host) (int64, error) {
	if err := os.Remove(h.Path("bus.sock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, err
	}
	if err := h.StartBus(ctx, "next.sock"); err != nil {
		return 0, err
	}
	if err := h.Subscribe(ctx, "next.sock"); err != nil {
		return 0, err
	}
	began := time.Now().UnixNano()
	return began, os.Rename(h.Path("next.sock"), h.Path("bus.sock"))
}
