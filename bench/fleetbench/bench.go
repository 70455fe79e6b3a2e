package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// bench is one run: what was asked for.
type bench struct {
	binary string // the product
	docker string // DOCKER_HOST of an engine that is ours alone, "" for none
	quick  bool
	keep   bool // the logs of a measurement that failed
}

// measurement makes some rows. The error is that of a measurement that could not be made.
type measurement struct {
	key  string
	what string
	make func(context.Context, *bench) ([]report.Row, error)
}

var measurements = []measurement{
	{"docker", "container death, real Docker", dockerLatency},
	{"sim", "container death, simulator", simLatency},
	{"file", "change of the state file", fileLatency},
	{"cold", "reconcile --once, empty table", cold},
	{"quiet", "reconcile --once, nothing to do", nothing},
	{"flip", "all deckies flip at once", flips},
	{"rest", "memory and processor at rest", rest},
	{"actor", "memory of a decky's actor", actorWeight},
	{"storm", "storm of events", storm},
	{"watched", "storm of events with consoles open", watchedStorm},
	{"outage", "bus away", outage},
	{"bus", "the built-in bus", busLoad},
	{"crash", "own kill -9", crash},
	{"term", "SIGTERM", term},
	{"hub", "a hub and its workers", hubBench},
}

func measure(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("fleetbench", flag.ContinueOnError)
	b := &bench{}
	f.StringVar(&b.binary, "binary", "bin/decnet-fleetd", "the product")
	f.StringVar(&b.docker, "docker", os.Getenv("IT_DOCKER_HOST"), "engine of our own, as integration/services.sh starts it")
	f.BoolVar(&b.quick, "quick", false, "few samples, a few minutes; writes no results")
	f.BoolVar(&b.keep, "keep", false, "keep the logs of what failed")
	only := f.String("only", "", "measure these alone, comma-separated: "+keys())
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	root, err := report.Root()
	if err != nil {
		return err
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("%w: build it with `make build`", err)
	}
	return b.all(ctx, root, chosen)
}

func keys() string {
	var all []string
	for _, m := range measurements {
		all = append(all, m.key)
	}
	return strings.Join(all, ",")
}

// choose understands "latency" as everything that measures one.
func choose(only string) ([]measurement, error) {
	if only == "" {
		return measurements, nil
	}
	want := strings.Split(strings.ReplaceAll(only, "latency", "docker,sim"), ",")
	for _, key := range want {
		if !slices.ContainsFunc(measurements, func(m measurement) bool { return m.key == key }) {
			return nil, fmt.Errorf("-only %s: there is only latency,%s", key, keys())
		}
	}
	return slices.DeleteFunc(slices.Clone(measurements), func(m measurement) bool { return !slices.Contains(want, m.key) }), nil
}

// all measures, prints and saves. A number that does not hold is a result, not an error.
func (b *bench) all(ctx context.Context, root string, chosen []measurement) error {
	r := report.Run{Date: time.Now().UTC().Truncate(time.Second), Commit: report.Commit(ctx, root), Machine: report.ThisMachine(), Quick: b.quick}
	var failed []error
	for _, m := range chosen {
		fmt.Fprintf(os.Stderr, "-- %s: %s\n", m.key, m.what)
		began, ticks := time.Now(), report.TicksNow()
		rows, err := m.make(ctx, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", m.key, err))
			fmt.Fprintln(os.Stderr, "   failed:", err)
			rows = report.BrokeOff(rows, m.key, m.what, err)
		}
		for i := range rows {
			rows[i].Stolen = report.TicksNow().StolenSince(ticks)
		}
		r.Rows = append(r.Rows, rows...)
		_ = report.Table(os.Stderr, rows) // the whole table follows
		fmt.Fprintf(os.Stderr, "   %.0f s\n", time.Since(began).Seconds())
	}
	r.Took = time.Since(r.Date).Round(time.Second).String()
	if err := report.Table(os.Stdout, r.Rows); err != nil {
		return err
	}
	if b.quick || len(r.Rows) == 0 {
		return errors.Join(failed...)
	}
	path, err := r.Save(filepath.Join(root, "bench", "results"))
	if err == nil {
		fmt.Fprintln(os.Stderr, "written:", path)
		err = report.Document(filepath.Join(root, "bench"))
	}
	return errors.Join(append(failed, err)...)
}

// on sets up a host, lets do measure on it and takes it down.
func (b *bench) on(ctx context.Context, do func(h *stage.Host) error) error {
	h, err := stage.New(ctx, b.binary)
	if err != nil {
		return err
	}
	err = do(h)
	return errors.Join(err, h.Close(err != nil && b.keep))
}

// pick gives the number of samples: all of them, or few in a hurry.
func (b *bench) pick(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}
