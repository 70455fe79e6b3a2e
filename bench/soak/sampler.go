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

// sample looks at the daemon until ctx ends, or until it is gone by itself.
func (h *half) sample(ctx context.Context) ([]report.Sample, error) {
	began := time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var all []report.Sample
	for {
		now, err := h.look(time.Since(began)) //nolint:contextcheck // a short question with a deadline of its own
		if err != nil {
			return all, err
		}
		all = append(all, now)
		if len(all)%6 == 1 {
			done, failed, last := h.world.did()
			fmt.Fprintf(os.Stderr, "%5d s, %s: life %d, RSS %d KiB, %d files, %d goroutines, %d events received, operations %v, %d failed (%v)\n",
				now.Second, h.name, now.Life, now.RSS, now.Files, now.Goroutines, now.Received, done, failed, last)
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-tick.C:
		}
	}
}

// look waits for a daemon that is being killed and started again.
func (h *half) look(at time.Duration) (report.Sample, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m, err := stage.MemoryOf(h.host.Daemon.PID())
	if err != nil {
		return report.Sample{}, fmt.Errorf("the daemon is gone: %w\n%s", err, h.host.Daemon.Tail())
	}
	files, err := stage.FilesOf(h.host.Daemon.PID())
	if err != nil {
		return report.Sample{}, err
	}
	received := 0
	text, err := os.ReadFile(h.host.Path(record))
	for _, c := range text {
		if c == '\n' {
			received++
		}
	}
	return report.Sample{Second: int(at.Seconds()), Life: h.life, RSS: m.RSS, Files: files, Threads: int(m.Threads),
		Goroutines: goroutines(context.Background(), h.host), Received: received}, err
}
