package main

import (
	"context"
	"fmt"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// rested is how long a subscriber may hear nothing of a flip before it is taken to be over.
const rested = 2 * time.Second

// flipped is one flip of all deckies.
type flipped struct {
	committed, received time.Duration // until the last one
	lost, twice         int
}

// other is the state that a flip leads to.
func other(state string) string {
	if state == "running" {
		return "degraded"
	}
	return "running"
}

// flips: one container of every decky dies, or starts, in the same instant.
func flips(ctx context.Context, b *bench) ([]report.Row, error) {
	var rows []report.Row
	for _, size := range []struct {
		deckies, runs int
		limit         time.Duration
		hold          string
	}{
		{1000, b.pick(10, 2), 500 * time.Millisecond, "≤ 0.5 s, 0 lost"},
		{10000, b.pick(6, 2), 4 * time.Second, "≤ 4 s, 0 lost"},
	} {
		row := report.Row{Key: fmt.Sprintf("flip/%d", size.deckies), Hold: size.hold,
			What: fmt.Sprintf("%d flip at once → all committed, published, received", size.deckies)}
		err := b.on(ctx, func(h *stage.Host) error {
			if err := serving(ctx, h, size.deckies); err != nil {
				return err
			}
			all, err := flipAll(ctx, h, size.deckies, size.runs)
			row = flipRow(row, all, size.limit)
			return err
		})
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func flipAll(ctx context.Context, h *stage.Host, deckies, runs int) ([]flipped, error) {
	var all []flipped
	state := "running"
	for range runs {
		if err := pause(ctx, rested); err != nil {
			return nil, err
		}
		state = other(state)
		f, err := flip(ctx, h, deckies, state)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// flip flips all deckies to a state and follows them to the table and to the subscriber.
func flip(ctx context.Context, h *stage.Host, deckies int, state string) (f flipped, err error) {
	rows, events := h.Seen.Len(), h.Received.Len()
	began := time.Now().UnixNano()
	if err := h.Engine.Flip(ctx, deckies); err != nil {
		return f, err
	}
	row, err := h.Converged(ctx, rows, deckies, state)
	if err != nil {
		return f, err
	}
	f.committed = time.Duration(row.At - began)
	last, lost, twice, err := followed(ctx, h, events, deckies, state)
	f.received, f.lost, f.twice = time.Duration(last-began), lost, twice
	return f, err
}

// followed waits until every decky's event with that state has come, or none came for a while, and counts.
func followed(ctx context.Context, h *stage.Host, mark, deckies int, state string) (last int64, lost, twice int, err error) {
	settled(ctx, h, mark, deckies)
	heard := map[string]bool{}
	names := map[string]bool{}
	for len(names) < deckies {
		r, err := h.Received.Await(ctx, mark, rested, func(stage.Received) bool { return true })
		if err != nil {
			break // nothing for a while: the rest is lost, or ctx ended
		}
		mark++
		if !r.IsState() {
			continue
		}
		t, err := r.Transition()
		if err != nil {
			return 0, 0, 0, err
		}
		if heard[t.EventID] {
			twice++
			continue
		}
		heard[t.EventID] = true
		if t.State == state && !names[t.Name] {
			names[t.Name] = true
			last = r.At
		}
	}
	return last, deckies - len(names), twice, ctx.Err()
}

// settled waits until so many state events have come, or none came for a while, without decoding any: the processors
// are being measured.
func settled(ctx context.Context, h *stage.Host, mark, n int) {
	for n > 0 {
		r, err := h.Received.Await(ctx, mark, rested, func(stage.Received) bool { return true })
		if err != nil {
			return
		}
		mark++
		if r.IsState() {
			n--
		}
	}
}

func flipRow(r report.Row, all []flipped, limit time.Duration) report.Row {
	var committed, received []time.Duration
	lost, twice := 0, 0
	for _, f := range all {
		committed, received = append(committed, f.committed), append(received, f.received)
		lost, twice = lost+f.lost, twice+f.twice
	}
	r = judged(r, received, 0, 0)
	r.Values["committed_p50_ms"] = report.Millis(report.Quantile(committed, 0.5))
	r.Values["committed_max_ms"] = report.Millis(report.Quantile(committed, 1))
	r.Values["lost"], r.Values["repeated"] = float64(lost), float64(twice)
	r.Measured = fmt.Sprintf("committed median %s, worst %s; received median %s, worst %s; %d lost, %d repeated",
		report.Short(report.Quantile(committed, 0.5)), report.Short(report.Quantile(committed, 1)),
		report.Short(report.Quantile(received, 0.5)), report.Short(report.Quantile(received, 1)), lost, twice)
	r.OK = len(all) > 0 && lost == 0 && report.Quantile(received, 1) <= limit && report.Quantile(committed, 1) <= limit
	return r
}
