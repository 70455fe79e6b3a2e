package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// A storm: 20 deckies flap so that 5,000 events happen a second; the other 80 die one by one, as they did before it.
const (
	stormRate  = 5000
	stormSpare = 80
	stormAll   = 100
	stormAfter = time.Second // converged then
	// stormWorse is by how much the others' p99 may grow, and jitter what two quiet runs differ by anyway.
	stormWorse  = 1.2
	stormJitter = 2 * time.Millisecond
)

// stormy is what a storm showed.
type stormy struct {
	before, amid []time.Duration // kill → event at the subscriber, of the deckies that were spared
	events       int
	lost         int64 // events that the daemon's reader was too slow for
	streams      int64 // times it had to subscribe again
	converged    time.Duration
	rss          [2]int64 // KiB, before and after
}

// storm: the reader keeps up, the others do not notice, and all is true a second after.
func storm(ctx context.Context, b *bench) ([]report.Row, error) {
	var r stormy
	during := time.Duration(b.pick(60, 10)) * time.Second
	err := b.on(ctx, func(h *stage.Host) (err error) {
		if err := simulated(ctx, h, stormAll); err != nil {
			return err
		}
		if err := errors.Join(h.Witness(true, sharp), h.Serve()); err != nil {
			return err
		}
		if err := rowsRun(ctx, h, stage.Fleet(1, stormAll, stage.Services()...)); err != nil {
			return err
		}
		r, err = stormed(ctx, h, during)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.rows(during), nil
}

func stormed(ctx context.Context, h *stage.Host, during time.Duration) (r stormy, err error) {
	spared := stage.Fleet(1, stormSpare, stage.Services()...)
	if r.before, err = spareDeaths(ctx, h, spared, during/2); err != nil {
		return r, err
	}
	memory, err1 := stage.MemoryOf(h.Daemon.PID())
	stats, err2 := h.Engine.Stats(ctx)
	if err := errors.Join(err1, err2); err != nil {
		return r, err
	}
	r.rss[0] = memory.RSS
	over := make(chan error, 1)
	go func() {
		n, err := h.Engine.Storm(ctx, stormRate, stormSpare, during)
		r.events = n
		over <- err
	}()
	r.amid, err = spareDeaths(ctx, h, spared, during-3*time.Second)
	if err := errors.Join(err, <-over); err != nil {
		return r, err
	}
	if r.converged, err = convergedAfter(ctx, h, time.Now()); err != nil {
		return r, err
	}
	after, err1 := h.Engine.Stats(ctx)
	memory, err2 = stage.MemoryOf(h.Daemon.PID())
	r.lost, r.streams, r.rss[1] = after.Lost-stats.Lost, after.Streams-stats.Streams, memory.RSS
	return r, errors.Join(err1, err2)
}

// spareDeaths kills one container of one decky after the other, round by round, and gives how long each took to be heard.
func spareDeaths(ctx context.Context, h *stage.Host, deckies []stage.Decky, during time.Duration) ([]time.Duration, error) {
	var all []time.Duration
	for began := time.Now(); time.Since(began) < during; {
		var containers []string
		for _, d := range deckies {
			mark, at := h.Received.Len(), time.Now()
			if err := h.Engine.Kill(ctx, d.Name+"-ssh"); err != nil {
				return all, fmt.Errorf("kill a container of %s: %w", d.Name, err)
			}
			heard, err := h.Received.Await(ctx, mark, lateAfter, func(r stage.Received) bool { return r.Topic == "decky.local:"+d.Name+".state" })
			if err != nil {
				return all, fmt.Errorf("event of %s: %w", d.Name, err)
			}
			all, containers = append(all, time.Duration(heard.At-at.UnixNano())), append(containers, d.Name+"-ssh")
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return all, err
			}
		}
		if err := revive(ctx, h, deckies, containers); err != nil {
			return all, err
		}
	}
	return all, nil
}

// convergedAfter waits until every row says what the containers do, and gives when the last one came to, after the storm's end.
func convergedAfter(ctx context.Context, h *stage.Host, end time.Time) (time.Duration, error) {
	truth, err := h.Engine.Aggregates(ctx)
	if err != nil {
		return 0, err
	}
	var last time.Duration
	err = stage.Until(ctx, lateAfter, func() error {
		rows, at := map[string]string{}, end.UnixNano()
		for _, s := range h.Seen.Since(0) {
			if rows[s.Name] != s.State {
				rows[s.Name], at = s.State, max(at, s.At)
			}
		}
		for name, state := range truth {
			if rows[name] != state {
				return fmt.Errorf("%s: the row says %q, the containers %q", name, rows[name], state)
			}
		}
		last = time.Duration(at - end.UnixNano())
		return nil
	})
	return last, err
}

func (r stormy) rows(during time.Duration) []report.Row {
	what := fmt.Sprintf("%d events/s for %.0f s: ", stormRate, during.Seconds())
	before, amid := report.Quantile(r.before, 0.99), report.Quantile(r.amid, 0.99)
	mib := func(i int) float64 { return float64(r.rss[i]) / 1024 }
	return []report.Row{
		{Key: "storm/reader", What: what + "the reader is never behind", Hold: "0 lost, 0 reconnects", OK: r.lost == 0 && r.streams == 0 && r.events > 0,
			Measured: fmt.Sprintf("%d events, %d lost, %d reconnects", r.events, r.lost, r.streams), N: r.events},
		{Key: "storm/converged", What: what + "converged after its end", Hold: "≤ 1 s", OK: r.converged <= stormAfter, Measured: report.Short(r.converged),
			Values: map[string]float64{"ms": report.Millis(r.converged)}},
		{Key: "storm/others", What: what + "kill → event, deckies that are not in it", Hold: "p99 + 20 %", N: len(r.amid),
			OK:       float64(amid) <= max(stormWorse*float64(before), float64(before+stormJitter)),
			Measured: fmt.Sprintf("p50 %s, p99 %s; without: p50 %s, p99 %s (n %d)", report.Short(report.Quantile(r.amid, 0.5)), report.Short(amid), report.Short(report.Quantile(r.before, 0.5)), report.Short(before), len(r.before)),
			Values:   map[string]float64{"p99_ms": report.Millis(amid), "before_p99_ms": report.Millis(before)}},
		{Key: "storm/rss", What: what + "RSS before and after", Measured: fmt.Sprintf("%.1f MiB, %.1f MiB", mib(0), mib(1)), OK: true,
			Values: map[string]float64{"before_mib": mib(0), "after_mib": mib(1)}},
	}
}
