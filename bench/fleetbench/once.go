package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// cold: one pass over an empty table, from the start of the process to the last commit.
func cold(ctx context.Context, b *bench) ([]report.Row, error) {
	var rows []report.Row
	for _, size := range []struct {
		deckies, runs int
		limit         time.Duration
		hold          string
	}{
		{1000, b.pick(5, 2), 500 * time.Millisecond, "≤ 0.5 s"},
		{10000, b.pick(3, 1), 2500 * time.Millisecond, "≤ 2.5 s"},
	} {
		var commits, exits []time.Duration
		for range size.runs {
			err := b.on(ctx, func(h *stage.Host) error {
				commit, exit, err := coldOnce(ctx, h, size.deckies)
				commits, exits = append(commits, commit), append(exits, exit)
				return err
			})
			if err != nil {
				return rows, err
			}
		}
		r := judged(report.Row{Key: fmt.Sprintf("cold/%d", size.deckies), Hold: size.hold,
			What: fmt.Sprintf("reconcile --once, empty table, %d deckies, process start → last commit", size.deckies)}, commits, 0, 0)
		r.Measured = fmt.Sprintf("median %s, worst %s (exit, all announced: worst %s)", report.Short(report.Quantile(commits, 0.5)),
			report.Short(report.Quantile(commits, 1)), report.Short(report.Quantile(exits, 1)))
		r.OK = report.Quantile(commits, 1) <= size.limit
		r.Values["exit_max_ms"] = report.Millis(report.Quantile(exits, 1))
		rows = append(rows, r)
	}
	return rows, nil
}

func coldOnce(ctx context.Context, h *stage.Host, n int) (commit, exit time.Duration, err error) {
	if err := simulated(ctx, h, n); err != nil {
		return 0, 0, err
	}
	if err := h.Witness(false, coarse/2); err != nil {
		return 0, 0, err
	}
	p, err := h.Once(ctx)
	if err != nil {
		return 0, 0, err
	}
	if want := fmt.Sprintf("reconcile: inserted=%d deleted=0 state_updated=0", n); !strings.HasPrefix(p.Said(), want) {
		return 0, 0, fmt.Errorf("reconcile --once says %q, not %q", p.Said(), want)
	}
	s, err := h.Converged(ctx, 0, n, "running")
	if err != nil {
		return 0, 0, err
	}
	if _, err := arrived(ctx, h, 0, n); err != nil {
		return 0, 0, fmt.Errorf("events of the pass: %w", err)
	}
	return time.Duration(s.At - p.Began.UnixNano()), p.Ran(), nil
}

// nothing: one pass where everything agrees, and what it asks of the engine.
func nothing(ctx context.Context, b *bench) ([]report.Row, error) {
	small, err := b.nothingOf(ctx, 1000, b.pick(20, 5), 300*time.Millisecond)
	if err != nil {
		return []report.Row{small}, err
	}
	large, err := b.nothingOf(ctx, 10000, b.pick(10, 2), 0)
	return []report.Row{small, large}, err
}

// nothingOf measures one size of fleet; within is the limit of the time, 0 where none is promised.
func (b *bench) nothingOf(ctx context.Context, n, runs int, within time.Duration) (report.Row, error) {
	row := report.Row{Key: fmt.Sprintf("quiet/%d", n), Hold: "1 list, 0 inspects",
		What: fmt.Sprintf("reconcile --once, nothing to do, %d deckies, process start → exit", n)}
	if within > 0 {
		row.Hold = fmt.Sprintf("≤ %g s, ", within.Seconds()) + row.Hold
	}
	err := b.on(ctx, func(h *stage.Host) error {
		if _, _, err := coldOnce(ctx, h, n); err != nil {
			return err
		}
		var samples []time.Duration
		var worst stage.SimStats
		for range runs {
			took, asked, err := quietOnce(ctx, h)
			if err != nil {
				return err
			}
			samples = append(samples, took)
			worst.Lists, worst.Looks = max(worst.Lists, asked.Lists), max(worst.Looks, asked.Looks)
			worst.Inspects = max(worst.Inspects, asked.Inspects)
		}
		row = judged(row, samples, 0, 0)
		row.Measured = fmt.Sprintf("median %s, worst %s, %d list, %d filtered lists, %d inspects", report.Short(report.Quantile(samples, 0.5)),
			report.Short(report.Quantile(samples, 1)), worst.Lists, worst.Looks, worst.Inspects)
		row.OK = (within == 0 || report.Quantile(samples, 1) <= within) && worst.Lists == 1 && worst.Looks == 0 && worst.Inspects == 0
		return nil
	})
	return row, err
}

func quietOnce(ctx context.Context, h *stage.Host) (time.Duration, stage.SimStats, error) {
	before, err := h.Engine.Stats(ctx)
	if err != nil {
		return 0, before, err
	}
	p, err := h.Once(ctx)
	if err != nil {
		return 0, before, err
	}
	if !strings.HasPrefix(p.Said(), "reconcile: inserted=0 deleted=0 state_updated=0") {
		return 0, before, fmt.Errorf("reconcile --once had something to do: %q", p.Said())
	}
	after, err := h.Engine.Stats(ctx)
	return p.Ran(), stage.SimStats{Lists: after.Lists - before.Lists, Looks: after.Looks - before.Looks,
		Inspects: after.Inspects - before.Inspects}, err
}
