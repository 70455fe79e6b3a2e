package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// crash: the daemon is killed and started again at once, at rest and in the middle of its work.
func crash(ctx context.Context, b *bench) ([]report.Row, error) {
	const n = 1000
	row := report.Row{Key: "crash/1000", Hold: "≤ 2 s, 0 lost, duplicates share their id",
		What: "own kill -9 → first complete pass, 1000 deckies, all of which changed meanwhile"}
	var asleep, amid []time.Duration
	var told tally
	err := b.on(ctx, func(h *stage.Host) (err error) {
		if err := serving(ctx, h, n); err != nil {
			return err
		}
		state := "running"
		for round := range b.pick(30, 6) {
			if err := pause(ctx, rested); err != nil {
				return err
			}
			state = other(state)
			took, err := killed(ctx, h, state, round%2 == 0)
			if err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			if round%2 == 0 {
				asleep = append(asleep, took)
			} else {
				amid = append(amid, took)
			}
		}
		told, err = tallied(ctx, h)
		return err
	})
	row = judged(row, asleep, 0, 0)
	row.Measured = fmt.Sprintf("median %s, worst %s; killed amid a flip: worst %s; %d committed, %d lost, %d repeated, %d of those differ",
		report.Short(report.Quantile(asleep, 0.5)), report.Short(report.Quantile(asleep, 1)), report.Short(report.Quantile(amid, 1)),
		told.committed, told.lost, told.twice, told.differ)
	row.N += len(amid)
	row.OK = err == nil && told.lost+told.differ == 0 && max(report.Quantile(asleep, 1), report.Quantile(amid, 1)) <= 2*time.Second
	row.Values["amid_max_ms"], row.Values["committed"] = report.Millis(report.Quantile(amid, 1)), float64(told.committed)
	row.Values["lost"], row.Values["repeated"], row.Values["differing"] = float64(told.lost), float64(told.twice), float64(told.differ)
	return []report.Row{row}, err
}

// killed kills the daemon and starts it again. While it is dead everything flips; or it is killed somewhere in the middle of
// a flip. It gives the time from the kill until every row is right.
func killed(ctx context.Context, h *stage.Host, state string, asleep bool) (time.Duration, error) {
	const n = 1000
	mark := h.Seen.Len()
	if !asleep {
		if err := h.Engine.Flip(ctx, n); err != nil {
			return 0, err
		}
		if err := pause(ctx, time.Duration(rand.IntN(300))*time.Millisecond); err != nil {
			return 0, err
		}
	}
	began := time.Now().UnixNano()
	if err := h.Daemon.Kill9(ctx); err != nil {
		return 0, err
	}
	if asleep {
		if err := h.Engine.Flip(ctx, n); err != nil {
			return 0, err
		}
	}
	if err := h.Serve(); err != nil {
		return 0, err
	}
	s, err := h.Converged(ctx, mark, n, state)
	return max(0, time.Duration(s.At-began)), err
}

// tally compares what was committed with what was received, over the whole life of a host.
type tally struct{ committed, lost, twice, differ int }

// tallied waits until the subscriber has everything, or nothing comes any more, and compares.
func tallied(ctx context.Context, h *stage.Host) (t tally, err error) {
	if err := pause(ctx, rested); err != nil {
		return t, err
	}
	revs, _, err := h.Revisions(ctx)
	if err != nil {
		return t, err
	}
	ids := map[string]map[int64]string{} // by name and revision
	for _, r := range h.Received.Since(0) {
		if !r.IsState() {
			continue
		}
		e, err := r.Transition()
		if err != nil {
			return t, err
		}
		if ids[e.Name] == nil {
			ids[e.Name] = map[int64]string{}
		}
		switch ids[e.Name][e.Rev] {
		case "":
			ids[e.Name][e.Rev] = e.EventID
		case e.EventID:
			t.twice++
		default:
			t.differ++
		}
	}
	for name, rev := range revs {
		t.committed += int(rev)
		for r := int64(1); r <= rev; r++ {
			if ids[name][r] == "" {
				t.lost++
			}
		}
	}
	return t, nil
}

// term: how long an orderly end takes, at rest and in the middle of work.
func term(ctx context.Context, b *bench) ([]report.Row, error) {
	const n = 1000
	row := report.Row{Key: "term/1000", What: "SIGTERM → exit, 1000 deckies, every other time amid a flip", Hold: "p99 ≤ 1 s"}
	var samples []time.Duration
	err := b.on(ctx, func(h *stage.Host) error {
		if err := serving(ctx, h, n); err != nil {
			return err
		}
		state := "running"
		for round := range b.pick(50, 8) {
			if err := h.Answers(ctx); err != nil { // a process that has not come so far dies by the signal, as any does
				return err
			}
			mark := h.Seen.Len()
			if err := h.Engine.Flip(ctx, n); err != nil {
				return err
			}
			state = other(state)
			if round%2 == 0 {
				if _, err := h.Converged(ctx, mark, n, state); err != nil {
					return fmt.Errorf("round %d: %w", round, err)
				}
			} else if err := pause(ctx, time.Duration(rand.IntN(400))*time.Millisecond); err != nil {
				return err
			}
			took, err := h.Daemon.Term(ctx)
			if err != nil {
				return err
			}
			samples = append(samples, took)
			if err := h.Serve(); err != nil {
				return err
			}
		}
		return nil
	})
	return []report.Row{judged(row, samples, 0, time.Second)}, err
}
