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

// soak is one endurance run.
type soak struct {
	binary, docker string
	during         time.Duration
	size           int
	seed           uint64
	keep           bool

	host *stage.Host
	mu   sync.Mutex // held while the daemon is none or another
	life int        // of the daemon, from 1 on
}

func (s *soak) run(ctx context.Context, root string) (err error) {
	jumping, err := os.MkdirTemp("", "soak")
	if err != nil {
		return err
	}
	defer os.RemoveAll(jumping) //nolint:errcheck // a temporary directory
	if err := skew.Build(ctx, root, jumping+"/decnet-fleetd"); err != nil {
		return err
	}
	h, err := stage.New(ctx, jumping+"/decnet-fleetd")
	if err != nil {
		return err
	}
	s.host, s.life = h, 1
	defer func() { err = errors.Join(err, h.Close(err != nil || s.keep)) }()
	deckies := stage.Fleet(1, s.size, services...)
	if h.Engine, err = stage.Connect(ctx, s.docker); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Engine.Remove(context.WithoutCancel(ctx))) }()
	if err := s.setUp(ctx, h, deckies); err != nil {
		return err
	}
	summary, err := s.live(ctx, h, deckies)
	if err != nil {
		return err
	}
	summary.Commit, summary.Machine = report.Commit(ctx, root), report.ThisMachine()
	summary.Machine.Docker, _ = h.Engine.Version(ctx) // it is only told
	return s.conclude(summary, root)
}

// setUp brings up containers, bus, database with its ledger, subscriber and daemon, and waits until all agree.
func (s *soak) setUp(ctx context.Context, h *stage.Host, deckies []stage.Decky) error {
	for _, step := range []func() error{
		func() error { return h.Engine.Remove(ctx) }, // what an interrupted run left
		func() error { return h.Engine.Create(ctx, deckies, policy) },
		func() error { return h.StartBus(ctx, "bus.sock") },
		func() error { return h.Record(ctx, "bus.sock", record) },
		func() error { return h.Declare(deckies) },
		func() error { return h.InitDatabase(ctx) },
		func() error { return keepLedger(ctx, h.Path("decnet.db")) },
		func() error { return skew.Set(h.Path("clock"), 0) },
		s.serve,
		func() error { return rest(ctx, h, deckies) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// live kills for as long as was asked for, waits for rest, and lets the checker judge.
func (s *soak) live(ctx context.Context, h *stage.Host, deckies []stage.Decky) (report.Soak, error) {
	r := report.Soak{Date: time.Now().UTC().Truncate(time.Second), Seed: s.seed, Deckies: s.size, Containers: s.size * (1 + len(services))}
	k := newKiller(h.Engine, deckies, s.seed)
	h.Engine.ListenOn(ctx)
	began := time.Now()
	killing, stop := context.WithTimeout(ctx, s.during)
	defer stop()
	var under sync.WaitGroup
	var befell error
	under.Go(func() { k.run(killing) })
	under.Go(func() { r.Incidents, befell = s.befall(killing) })
	samples, err := s.sample(killing, k)
	stop()
	under.Wait()
	r.Seconds, r.Lives = time.Since(began).Seconds(), s.life
	if err := errors.Join(err, befell, ctx.Err(), k.calm(ctx)); err != nil {
		return r, err
	}
	fmt.Fprintln(os.Stderr, "soak: no more kills; waiting for rest")
	unrest := rest(ctx, h, deckies)
	last, err := s.look(time.Since(began)) //nolint:contextcheck // a short question with a deadline of its own
	samples = append(samples, last)
	r.Samples, r.Operations, r.Failed = samples, k.done, k.failed
	if k.last != nil {
		r.Notes = append(r.Notes, "the last operation that failed: "+k.last.Error())
	}
	e, err2 := collect(ctx, h, deckies)
	if err := errors.Join(err, err2); err != nil {
		return r, err
	}
	judge(&r, e, h, unrest)
	return r, nil
}

// judge fills in what the evidence says.
func judge(r *report.Soak, e history.Evidence, h *stage.Host, unrest error) {
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
	c := r.Counts
	said := []string{fmt.Sprintf("%.0f s, seed %d: %d committed, %d received (%d different, %d repeated), %d lost, %d violations", r.Seconds,
		r.Seed, c.Committed, c.Received, c.Distinct, c.Duplicates, c.Lost, len(r.Violations)), "written: " + path}
	for _, v := range r.Violations[:min(20, len(r.Violations))] {
		said = append(said, "violation: "+v)
	}
	if _, err := os.Stdout.WriteString(strings.Join(said, "\n") + "\n"); err != nil {
		return err
	}
	if len(r.Violations) > 0 {
		return errWrong
	}
	return nil
}
