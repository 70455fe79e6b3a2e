package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// sampleEvery is how often the daemon is looked at.
const sampleEvery = 10 * time.Second

// sample looks at the daemon until ctx ends, or until it is gone.
func sample(ctx context.Context, h *stage.Host, k *killer) ([]report.Sample, error) {
	began := time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var all []report.Sample
	for {
		s, err := look(h, time.Since(began))
		if err != nil {
			return all, err
		}
		all = append(all, s)
		if len(all)%6 == 1 {
			k.mu.Lock()
			fmt.Fprintf(os.Stderr, "%5d s: RSS %d KiB, %d files, %d events received, operations %v, %d failed (%v)\n",
				s.Second, s.RSS, s.Files, s.Received, k.done, k.failed, k.last)
			k.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
	}
}

func look(h *stage.Host, at time.Duration) (report.Sample, error) {
	m, err := stage.MemoryOf(h.Daemon.PID())
	if err != nil {
		return report.Sample{}, fmt.Errorf("the daemon is gone: %w\n%s", err, h.Daemon.Tail())
	}
	files, err := stage.FilesOf(h.Daemon.PID())
	if err != nil {
		return report.Sample{}, err
	}
	received := 0
	text, err := os.ReadFile(h.Path(record))
	for _, c := range text {
		if c == '\n' {
			received++
		}
	}
	return report.Sample{Second: int(at.Seconds()), RSS: m.RSS, Files: files, Threads: int(m.Threads), Received: received}, err
}

// series draws one number out of the samples.
func series(samples []report.Sample, of func(report.Sample) float64) report.Series {
	var x, y []float64
	for _, s := range samples {
		x, y = append(x, float64(s.Second)), append(y, of(s))
	}
	return report.NewSeries(x, y)
}
