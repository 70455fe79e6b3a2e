package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/integration/history"
	"github.com/decnet/decnet-fleetd/integration/skew"
)

// soak is one endurance run: one host with real containers, and beside it one with many more on a simulated engine.
type soak struct {
	binary, docker  string
	during          time.Duration
	size, simulated int
	seed            uint64
	keep            bool
}

// run lives through it and writes down how it went.
func (s *soak) run(ctx context.Context, root string) error {
	dir, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)            //nolint:errcheck // a temporary directory
	commit := report.Commit(ctx, root) // before the build: an hour later the tree is another
	program := dir + "/decnet-fleetd"
	if err := skew.Build(ctx, root, program); err != nil {
		return err
	}
	halves := []*half{s.half("real", program, s.size, &real{docker: s.docker, seed: s.seed})}
	if s.simulated > 0 {
		halves = append(halves, s.half("simulated", program, s.simulated, &simulated{seed: s.seed}))
	}
	summaries, failed := make([]report.Soak, len(halves)), make([]error, len(halves))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	for i, h := range halves {
		all.Go(func() {
			if summaries[i], failed[i] = h.run(ctx); failed[i] != nil {
				failed[i] = fmt.Errorf("the half with %s containers: %w", h.name, failed[i])
				stop() // half a run says nothing
			}
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	whole := summaries[0]
	whole.Seed = s.seed
	whole.Commit, whole.Machine = commit, report.ThisMachine()
	whole.Machine.Docker = halves[0].version
	if len(summaries) > 1 {
		whole.Simulated = &summaries[1].SoakHalf
	}
	return s.conclude(whole, root)
}

// half is one of the two hosts.
func (s *soak) half(name, program string, size int, w world) *half {
	return &half{name: name, program: program, during: s.during, pace: min(1, s.during.Seconds()/wholeIncidents.Seconds()), size: size, keep: s.keep, world: w}
}

// judge fills in what the evidence says.
func judge(r *report.SoakHalf, e history.Evidence, h *stage.Host, unrest error) {
	c, wrong := history.Check(e)
	r.Counts, r.Violations = report.SoakCounts(c), wrong
	if unrest != nil {
		r.Violations = append(r.Violations, unrest.Error())
	}
	r.Latency = latency(e.Arrived)
	r.Transition, r.Engine = map[string]int{}, map[string]int{}
	for _, c := range e.Ledger {
		r.Transition[history.Kind(c.Payload)]++
	}
	for _, t := range h.Engine.Events.Since(0) {
		r.Engine[t.Action]++
	}
	r.RSS = slopes(r.Samples, func(s report.Sample) float64 { return float64(s.RSS) })
	r.Files = slopes(r.Samples, func(s report.Sample) float64 { return float64(s.Files) })
	r.Threads = slopes(r.Samples, func(s report.Sample) float64 { return float64(s.Threads) })
	r.Goroutines = slopes(slices.DeleteFunc(slices.Clone(r.Samples), func(s report.Sample) bool { return s.Goroutines == 0 }),
		func(s report.Sample) float64 { return float64(s.Goroutines) })
	if info, err := os.Stat(h.Path("decnet.db-wal")); err == nil {
		r.WAL = info.Size()
	}
}

// conclude writes the summary and says what is wrong.
func (s *soak) conclude(r report.Soak, root string) error {
	path := filepath.Join(root, "bench", "results", "soak-"+r.Date.Format("20060102-150405")+".json")
	if err := report.WriteJSON(path, r); err != nil {
		return err
	}
	if err := report.Document(filepath.Join(root, "bench")); err != nil {
		return err
	}
	said, wrong := []string{fmt.Sprintf("seed %d, written: %s", r.Seed, path), verdict("real", r.SoakHalf)}, r.Violations
	if r.Simulated != nil {
		said, wrong = append(said, verdict("simulated", *r.Simulated)), slices.Concat(wrong, r.Simulated.Violations)
	}
	for _, v := range wrong[:min(20, len(wrong))] {
		said = append(said, "violation: "+v)
	}
	if _, err := os.Stdout.WriteString(strings.Join(said, "\n") + "\n"); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return errWrong
	}
	return nil
}

func verdict(name string, h report.SoakHalf) string {
	c := h.Counts
	return fmt.Sprintf("%s: %.0f s, %d lives: %d committed, %d received (%d different, %d repeated), %d lost, %d violations", name, h.Seconds,
		h.Lives, c.Committed, c.Received, c.Distinct, c.Duplicates, c.Lost, len(h.Violations))
}
