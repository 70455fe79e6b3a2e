package main

import (
	"context"
	"fmt"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// atRest is what a daemon costs that has nothing to do.
type atRest struct {
	memory             stage.Memory // RSS: the most that was seen
	cpu                float64      // share of one core
	written            int64        // bytes to disk
	rows, events       int          // that changed or came; there should be none
	lease, beats, rest int          // beats of the lease, heartbeats on the bus, other traffic there
}

// rest: memory and processor of a converged daemon over a minute, two audits included.
func rest(ctx context.Context, b *bench) ([]report.Row, error) {
	var rows []report.Row
	for _, size := range []struct {
		deckies int
		rss     int64 // MiB
		cpu     float64
	}{{100, 32, 0}, {1000, 48, 0.005}, {10000, 160, 0.02}} {
		if b.quick && size.deckies == 10000 {
			break
		}
		var r atRest
		during := time.Duration(b.pick(60, 10)) * time.Second
		err := b.on(ctx, func(h *stage.Host) (err error) {
			if err := serving(ctx, h, size.deckies); err != nil {
				return err
			}
			if err := pause(ctx, during/4); err != nil { // what the start left behind
				return err
			}
			r, err = resting(ctx, h, during)
			return err
		})
		if err != nil {
			return rows, err
		}
		rows = append(rows, r.rows3(size.deckies, size.rss, size.cpu, during)...)
	}
	return rows, nil
}

func (r atRest) rows3(deckies int, rss int64, cpu float64, during time.Duration) []report.Row {
	mib := float64(r.memory.RSS) / 1024
	rows := []report.Row{{Key: fmt.Sprintf("rest/rss-%d", deckies), What: fmt.Sprintf("RSS, %d deckies", deckies),
		Hold: fmt.Sprintf("≤ %d MiB", rss), OK: mib <= float64(rss),
		Measured: fmt.Sprintf("%.1f MiB (at the start up to %.1f)", mib, float64(r.memory.Peak)/1024),
		Values:   map[string]float64{"rss_mib": mib, "peak_mib": float64(r.memory.Peak) / 1024}}}
	idle := report.Row{Key: fmt.Sprintf("rest/cpu-%d", deckies), What: fmt.Sprintf("CPU at rest, %d deckies, %.0f s", deckies, during.Seconds()),
		Measured: fmt.Sprintf("%.2f %% of a core", 100*r.cpu), OK: r.cpu <= cpu, Values: map[string]float64{"percent": 100 * r.cpu}}
	writes := report.Row{Key: fmt.Sprintf("rest/writes-%d", deckies), OK: r.rows == 0 && r.events == 0 && r.rest == 0, Hold: "0, 0",
		What: fmt.Sprintf("rows written and events published meanwhile, %d deckies", deckies),
		Measured: fmt.Sprintf("%d, %d (apart: %d lease beats, %d heartbeats, %d other messages, %.0f KiB to disk)", r.rows, r.events, r.lease,
			r.beats, r.rest, float64(r.written)/1024)}
	if cpu > 0 {
		idle.Hold = fmt.Sprintf("≤ %.1f %% of a core", 100*cpu)
	}
	return append(rows, idle, writes)
}

// resting watches a daemon that has nothing to do.
func resting(ctx context.Context, h *stage.Host, during time.Duration) (r atRest, err error) {
	pid := h.Daemon.PID()
	before, err := look(ctx, h)
	if err != nil {
		return r, err
	}
	began := time.Now()
	for time.Since(began) < during {
		if err := pause(ctx, time.Second); err != nil {
			return r, err
		}
		m, err := stage.MemoryOf(pid)
		if err != nil {
			return r, err
		}
		r.memory.RSS, r.memory.Peak = max(r.memory.RSS, m.RSS), m.Peak
	}
	took := time.Since(began)
	after, err := look(ctx, h)
	r.cpu = (after.cpu - before.cpu).Seconds() / took.Seconds()
	r.written, r.lease = after.written-before.written, int(after.lease-before.lease)
	if after.digest != before.digest {
		r.rows = max(1, int(after.revs-before.revs))
	}
	for _, e := range h.Received.Since(before.mark) {
		switch {
		case e.IsState():
			r.events++
		case e.Topic == "system.reconciler.health":
			r.beats++
		case e.Topic != "system.bus.health":
			r.rest++
		}
	}
	return r, err
}

// moment is what is compared before and after.
type moment struct {
	cpu         time.Duration
	written     int64
	digest      string // of every row of the table
	revs, lease int64
	mark        int
}

func look(ctx context.Context, h *stage.Host) (m moment, err error) {
	pid := h.Daemon.PID()
	if m.digest, m.revs, m.lease, err = h.Digest(ctx); err != nil {
		return m, err
	}
	if m.cpu, err = stage.CPUOf(pid); err != nil {
		return m, err
	}
	m.written, err = stage.WrittenOf(pid)
	m.mark = h.Received.Len()
	return m, err
}
