package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

const (
	// stormRate is the events a second. Source: DESIGN, numbers to hold.
	stormRate = 5000
	// stormed deckies, the oldest ones, are in the storm; bystanders are not, and die one at a time meanwhile.
	stormed, bystanders = 100, 200
	// perDecky is base and three services.
	perDecky = 4
)

// stormy is what was seen of a storm.
type stormy struct {
	calm, amid            []time.Duration // deaths of bystanders: time in the engine's event → event at the subscriber
	events                int
	lost                  int64 // events the engine could not get rid of: the reader was that far behind
	missing               int   // deaths of bystanders that were not heard of
	after                 time.Duration
	before, peak, settled int64 // RSS, KiB
}

// storm: events rain on some deckies for a minute; the others must not notice.
func storm(ctx context.Context, b *bench) ([]report.Row, error) {
	during := time.Duration(b.pick(60, 10)) * time.Second
	var s stormy
	err := b.on(ctx, func(h *stage.Host) error {
		if err := serving(ctx, h, stormed+bystanders); err != nil {
			return err
		}
		if err := pause(ctx, calm); err != nil {
			return err
		}
		return s.measure(ctx, h, during)
	})
	return s.rows(during), err
}

func (s *stormy) measure(ctx context.Context, h *stage.Host, during time.Duration) (err error) {
	if s.calm, err = s.tease(ctx, h, during); err != nil {
		return err
	}
	before, err := h.Engine.Stats(ctx)
	if err != nil {
		return err
	}
	m, err := stage.MemoryOf(h.Daemon.PID())
	if err != nil {
		return err
	}
	s.before = m.RSS
	var failed error
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.events, failed = h.Engine.Storm(ctx, stormRate, stormed*perDecky, during)
	}()
	s.amid, err = s.tease(ctx, h, during-2*again)
	<-over
	ended := time.Now()
	if err != nil || failed != nil {
		return fmt.Errorf("in the storm: %w", firstOf(err, failed))
	}
	return s.aftermath(ctx, h, before, ended)
}

func firstOf(errs ...error) error {
	return errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
}

// tease kills, or starts, one service of one bystander after the other until time is over, and gives how long each took to
// the subscriber. A decky's turn comes again after every other's.
func (s *stormy) tease(ctx context.Context, h *stage.Host, during time.Duration) ([]time.Duration, error) {
	var samples []time.Duration
	began := time.Now()
	for i := 0; time.Since(began) < during; i++ {
		name := fmt.Sprintf("decky-%02d", stormed+1+i%bystanders)
		mark := h.Received.Len()
		if err := h.Engine.Kill(ctx, name+"-ssh"); err != nil {
			return nil, err
		}
		took, err := heardOf(ctx, h, mark, name, "degraded")
		if err != nil {
			s.missing++
		} else {
			samples = append(samples, took)
		}
		if err := h.Engine.Start(ctx, []string{name + "-ssh"}); err != nil { // its turn comes after a second, when it has changed
			return nil, err
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	if err := pause(ctx, 2*again); err != nil { // the last ones run again
		return nil, err
	}
	return samples, ctx.Err()
}

// heardOf waits for a decky's event and gives its age.
func heardOf(ctx context.Context, h *stage.Host, mark int, name, state string) (time.Duration, error) {
	topic := "decky.local:" + name + ".state"
	var age time.Duration
	_, err := h.Received.Await(ctx, mark, lateAfter, func(r stage.Received) bool {
		if r.Topic != topic {
			return false
		}
		t, err := r.Transition()
		age = time.Duration(r.At - t.ObservedAt.UnixNano())
		return err == nil && t.State == state
	})
	return age, err
}

// aftermath waits until table and containers agree and takes what the storm left behind.
func (s *stormy) aftermath(ctx context.Context, h *stage.Host, before stage.SimStats, ended time.Time) error {
	truth, err := h.Engine.Truth(ctx, stage.Services())
	if err != nil {
		return err
	}
	err = stage.Until(ctx, time.Minute, func() error {
		rows, err := h.States(ctx)
		if err != nil {
			return err
		}
		for name, state := range truth {
			if rows[name] != state {
				return fmt.Errorf("%s is %s, its row says %q", name, state, rows[name])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.after = time.Since(ended)
	if err := pause(ctx, calm); err != nil {
		return err
	}
	m, err := stage.MemoryOf(h.Daemon.PID())
	s.peak, s.settled = m.Peak, m.RSS
	if err != nil {
		return err
	}
	now, err := h.Engine.Stats(ctx)
	s.lost = now.Lost - before.Lost
	return err
}

func (s *stormy) rows(during time.Duration) []report.Row {
	what := fmt.Sprintf("storm, %d events/s for %.0f s on %d of %d deckies: ", stormRate, during.Seconds(), stormed, stormed+bystanders)
	rate := float64(s.events) / during.Seconds()
	reader := report.Row{Key: "storm/reader", What: what + "reader", Hold: "never behind", N: s.events, OK: s.lost == 0 && rate >= 0.95*stormRate,
		Measured: fmt.Sprintf("%.0f events/s, %d overran it", rate, s.lost), Values: map[string]float64{"events_per_s": rate, "lost": float64(s.lost)}}
	after := report.Row{Key: "storm/after", What: what + "end → every row right", Hold: "≤ 1 s", OK: s.after > 0 && s.after <= time.Second,
		Measured: report.Short(s.after), Values: map[string]float64{"ms": report.Millis(s.after)}}
	calm, amid := report.Quantile(s.calm, 0.99), report.Quantile(s.amid, 0.99)
	more := 100 * (float64(amid)/float64(max(calm, 1)) - 1)
	others := report.Row{Key: "storm/others", What: what + "p99 of the other deckies, engine's event → subscriber", Hold: "+20 %", N: len(s.amid),
		Measured: fmt.Sprintf("%s before, %s in it (%+.0f %%; p50 %s, %s), %d not heard of", report.Short(calm), report.Short(amid), more,
			report.Short(report.Quantile(s.calm, 0.5)), report.Short(report.Quantile(s.amid, 0.5)), s.missing),
		OK:     len(s.amid) > 0 && more <= 20 && s.missing == 0,
		Values: map[string]float64{"calm_p99_ms": report.Millis(calm), "p99_ms": report.Millis(amid), "missing": float64(s.missing)}}
	memory := report.Row{Key: "storm/rss", What: what + "RSS before, at most, after", OK: true,
		Measured: fmt.Sprintf("%.1f, %.1f, %.1f MiB", mib(s.before), mib(s.peak), mib(s.settled)),
		Values:   map[string]float64{"before_mib": mib(s.before), "peak_mib": mib(s.peak), "after_mib": mib(s.settled)}}
	return []report.Row{reader, after, others, memory}
}

func mib(kib int64) float64 { return float64(kib) / 1024 }
