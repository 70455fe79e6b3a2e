package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// again is when a decky may be used for the next sample: commits of one decky are a second apart at least.
const again = 1200 * time.Millisecond

// lateAfter is when a sample counts as lost: the full relist would have found it by then, and no event brought it.
const lateAfter = 30 * time.Second

// latencies are the samples of one measurement: from the kill, and from the engine's event, to row and subscriber.
type latencies struct {
	killToEvent, killToRow, killToHeard, eventToRow, eventToHeard []time.Duration
	lost                                                          int
}

// death kills one service container of a decky that runs and follows what comes of it.
func death(ctx context.Context, h *stage.Host, decky string, kill func() error) (l latencies, err error) {
	container := decky + "-ssh"
	events, rows, heard := h.Engine.Events.Len(), h.Seen.Len(), h.Received.Len()
	killed := time.Now().UnixNano()
	if err := kill(); err != nil {
		return l, fmt.Errorf("kill %q: %w", container, err)
	}
	die, err := h.Engine.Events.Await(ctx, events, lateAfter, func(e stage.EngineEvent) bool { return e.Container == container && e.Action == "die" })
	if err != nil {
		return l, fmt.Errorf("death of %q in the engine's events: %w", container, err)
	}
	row, err1 := h.Seen.Await(ctx, rows, lateAfter, became(decky, "degraded"))
	event, err2 := h.Received.Await(ctx, heard, lateAfter, func(r stage.Received) bool {
		return r.Topic == "decky.local:"+decky+".state"
	})
	if err := errors.Join(err1, err2); err != nil {
		return latencies{lost: 1}, ctx.Err() // a number like any other; only the end of the run is an error
	}
	since := func(from, to int64) []time.Duration { return []time.Duration{time.Duration(to - from)} }
	return latencies{
		killToEvent: since(killed, die.At), killToRow: since(killed, row.At), killToHeard: since(killed, event.At),
		eventToRow: since(die.At, row.At), eventToHeard: since(die.At, event.At),
	}, nil
}

func (l *latencies) add(m latencies) {
	l.killToEvent = append(l.killToEvent, m.killToEvent...)
	l.killToRow = append(l.killToRow, m.killToRow...)
	l.killToHeard = append(l.killToHeard, m.killToHeard...)
	l.eventToRow = append(l.eventToRow, m.eventToRow...)
	l.eventToHeard = append(l.eventToHeard, m.eventToHeard...)
	l.lost += m.lost
}

// deaths kills one container of every decky, one after the other, brings all back, and does so again for every round.
func deaths(ctx context.Context, h *stage.Host, deckies []stage.Decky, rounds int, kill func(container string) func() error) (latencies, error) {
	var all latencies
	for range rounds {
		var containers []string
		for _, d := range deckies {
			container := d.Name + "-ssh"
			l, err := death(ctx, h, d.Name, kill(container))
			if err != nil {
				return all, err
			}
			all.add(l)
			containers = append(containers, container)
			if err := pause(ctx, time.Duration(rand.IntN(20))*time.Millisecond); err != nil { // so that no timer of the daemon is met always at the same time
				return all, err
			}
		}
		if err := revive(ctx, h, deckies, containers); err != nil {
			return all, err
		}
	}
	return all, nil
}

// revive starts containers and waits until every decky runs again and may change again.
func revive(ctx context.Context, h *stage.Host, deckies []stage.Decky, containers []string) error {
	mark := h.Seen.Len()
	if err := h.Engine.Start(ctx, containers); err != nil {
		return fmt.Errorf("start containers: %w", err)
	}
	for _, d := range deckies {
		if _, err := h.Seen.Await(ctx, mark, lateAfter, became(d.Name, "running")); err != nil {
			return fmt.Errorf("%s after its container was started: %w\n%s", d.Name, err, h.Daemon.Tail())
		}
	}
	return pause(ctx, again)
}

// dockerLatency: 20 deckies with three services each on a real engine; the process is killed behind its back.
func dockerLatency(ctx context.Context, b *bench) ([]report.Row, error) {
	const p50, p99 = "p50 ≤ 75 ms, p99 ≤ 250 ms", "p99 ≤ 300 ms"
	what := "container death (SIGKILL), real Docker → "
	rows := []report.Row{{Key: "docker/row", What: what + "row committed", Hold: p50}, {Key: "docker/heard", What: what + "event at the subscriber", Hold: p99}}
	if b.docker == "" {
		for i := range rows {
			rows[i].Skipped = "no engine of our own: integration/services.sh up docker"
		}
		return rows, nil
	}
	var l latencies
	err := b.on(ctx, func(h *stage.Host) (err error) {
		deckies := stage.Fleet(1, 20, stage.Services()...)
		if h.Engine, err = stage.Connect(ctx, b.docker); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, h.Engine.Remove(ctx)) }()
		h.Engine.Listen(ctx)
		if err := real20(ctx, h, deckies); err != nil {
			return err
		}
		l, err = deaths(ctx, h, deckies, b.pick(26, 2), func(container string) func() error {
			pid, err := h.Engine.PID(ctx, container)
			return func() error { return errors.Join(err, h.Engine.Crash(pid)) }
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	rows[0] = l.row(rows[0], l.killToRow, 75*time.Millisecond, 250*time.Millisecond)
	rows[1] = l.row(rows[1], l.killToHeard, 0, 300*time.Millisecond)
	return append(rows,
		l.row(report.Row{Key: "docker/floor", What: "of which inside Docker, SIGKILL → time in its die event"}, l.killToEvent, 0, 0),
		l.row(report.Row{Key: "docker/ours", What: "the rest, time in Docker's die event → event at the subscriber"}, l.eventToHeard, 0, 0)), nil
}

// real20 brings up what dockerLatency measures on.
func real20(ctx context.Context, h *stage.Host, deckies []stage.Decky) error {
	for _, step := range []func() error{
		func() error { return h.Engine.Remove(ctx) }, // what an interrupted run left
		func() error { return h.Engine.Create(ctx, deckies, "no") },
		func() error { return h.StartBus(ctx, "bus.sock") },
		func() error { return h.Subscribe(ctx, "bus.sock") },
		func() error { return h.Declare(deckies) },
		func() error { return h.Witness(true, sharp) },
		func() error { return h.Serve() },
		func() error { return rowsRun(ctx, h, deckies) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// rowsRun waits until a witness of rows has seen every decky running, and a little longer.
func rowsRun(ctx context.Context, h *stage.Host, deckies []stage.Decky) error {
	for _, d := range deckies {
		if _, err := h.Seen.Await(ctx, 0, time.Minute, became(d.Name, "running")); err != nil {
			return fmt.Errorf("first row of %s: %w\n%s", d.Name, err, h.Daemon.Tail())
		}
	}
	return pause(ctx, again)
}

// simLatency: 200 deckies on the simulator, which has no latency of its own.
func simLatency(ctx context.Context, b *bench) ([]report.Row, error) {
	const fleet = 200 // a round of them takes long enough for each to rest
	var l latencies
	err := b.on(ctx, func(h *stage.Host) (err error) {
		if err := simulated(ctx, h, fleet); err != nil {
			return err
		}
		h.Engine.Listen(ctx)
		deckies := stage.Fleet(1, fleet, stage.Services()...)
		if err := errors.Join(h.Witness(true, sharp), h.Serve()); err != nil {
			return err
		}
		if err := rowsRun(ctx, h, deckies); err != nil {
			return err
		}
		l, err = deaths(ctx, h, deckies, b.pick(5, 1), func(container string) func() error {
			return func() error { return h.Engine.Kill(ctx, container) }
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	const hold = "p50 ≤ 10 ms, p99 ≤ 50 ms"
	what := "the same, simulator, time in the engine's event → "
	return []report.Row{
		l.row(report.Row{Key: "sim/row", What: what + "row committed", Hold: hold}, l.eventToRow, 10*time.Millisecond, 50*time.Millisecond),
		l.row(report.Row{Key: "sim/heard", What: what + "event at the subscriber", Hold: hold}, l.eventToHeard, 10*time.Millisecond, 50*time.Millisecond),
	}, nil
}

// row judges samples: p50 and p99 must hold (0: need not), and none may be lost.
func (l *latencies) row(r report.Row, samples []time.Duration, p50, p99 time.Duration) report.Row {
	r = judged(r, samples, p50, p99)
	if l.lost > 0 {
		r.OK = false
		r.Measured += fmt.Sprintf(", %d not within %v", l.lost, lateAfter)
	}
	return r
}

func judged(r report.Row, samples []time.Duration, p50, p99 time.Duration) report.Row {
	r.N, r.Measured = len(samples), report.Spread(samples)
	r.Values = map[string]float64{"p50_ms": report.Millis(report.Quantile(samples, 0.5)),
		"p99_ms": report.Millis(report.Quantile(samples, 0.99)), "max_ms": report.Millis(report.Quantile(samples, 1))}
	r.OK = len(samples) > 0 && (p50 == 0 || report.Quantile(samples, 0.5) <= p50) && (p99 == 0 || report.Quantile(samples, 0.99) <= p99)
	return r
}
