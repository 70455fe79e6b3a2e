package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/integration/skew"
)

// world is the engine of a half and what is done to its containers.
type world interface {
	// create brings up the engine, as h.Engine, with the containers of the deckies.
	create(ctx context.Context, h *stage.Host, deckies []stage.Decky) error
	// disturb does things to containers until ctx ends, and returns when nothing is under way any more.
	disturb(ctx context.Context)
	// calm ends what is no rest: a paused container.
	calm(ctx context.Context) error
	// incidents are those of the engine.
	incidents() []incident
	// did is what was done, how often it failed, and the last failure.
	did() (map[string]int, int, error)
	// close takes everything away.
	close(ctx context.Context) error
}

// half is one host that lives through a run: daemon, bus, database, subscriber, engine.
type half struct {
	name, program string
	during        time.Duration
	pace          float64 // of the incidents: 1 is that of an hour
	size          int     // in deckies
	keep          bool
	world         world

	version string // of the engine
	host    *stage.Host
	mu      sync.Mutex // held while the daemon is none or another
	life    int        // of the daemon, from 1 on
}

func (h *half) run(ctx context.Context) (r report.Soak, err error) {
	if h.host, err = stage.New(ctx, h.program); err != nil {
		return r, err
	}
	h.life = 1
	defer func() { err = errors.Join(err, h.host.Close(err != nil || h.keep)) }()
	defer func() {
		if left := h.world.close(context.WithoutCancel(ctx)); left != nil { // says nothing about the daemon; the engine is ours and ends too
			fmt.Fprintf(os.Stderr, "soak: %s: not everything could be removed: %v\n", h.name, left)
		}
	}()
	deckies := stage.Fleet(1, h.size, services...)
	if err := h.setUp(ctx, deckies); err != nil {
		return r, err
	}
	h.version, _ = h.host.Engine.Version(ctx) // it is only told
	return h.live(ctx, deckies)
}

// setUp brings up containers, bus, database with its ledger, subscriber and daemon, and waits until all agree.
func (h *half) setUp(ctx context.Context, deckies []stage.Decky) error {
	for _, step := range []func() error{
		func() error { return h.world.create(ctx, h.host, deckies) },
		func() error { return h.host.StartBus(ctx, "bus.sock") },
		func() error { return h.host.Record(ctx, "bus.sock", record) },
		func() error { return h.host.Declare(deckies) },
		func() error { return h.host.InitDatabase(ctx) },
		func() error { return keepLedger(ctx, h.host.Path("decnet.db")) },
		func() error { return skew.Set(h.host.Path("clock"), 0) },
		h.serve,
		func() error { return rest(ctx, h.host, deckies) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// live disturbs for as long as was asked for, waits for rest, and lets the checker judge.
func (h *half) live(ctx context.Context, deckies []stage.Decky) (report.Soak, error) {
	r := report.Soak{Date: time.Now().UTC().Truncate(time.Second), SoakHalf: report.SoakHalf{Deckies: h.size, Containers: h.size * (1 + len(services))}}
	began := time.Now()
	killing, stop := context.WithTimeout(ctx, h.during)
	defer stop()
	var under sync.WaitGroup
	var befell error
	under.Go(func() { h.world.disturb(killing) })
	under.Go(func() { r.Incidents, befell = h.befall(killing) })
	samples, err := h.sample(killing)
	stop()
	under.Wait()
	r.Seconds, r.Lives = time.Since(began).Seconds(), h.life
	if err := errors.Join(err, befell, ctx.Err(), h.world.calm(ctx)); err != nil {
		return r, err
	}
	fmt.Fprintf(os.Stderr, "soak: %s: no more kills; waiting for rest\n", h.name)
	unrest := rest(ctx, h.host, deckies)
	last, err := h.look(time.Since(began)) //nolint:contextcheck // a short question with a deadline of its own
	samples = append(samples, last)
	r.Samples = samples
	var failure error
	if r.Operations, r.Failed, failure = h.world.did(); failure != nil {
		r.Notes = append(r.Notes, "the last operation that failed: "+failure.Error())
	}
	e, err2 := collect(ctx, h.host, deckies)
	if err := errors.Join(err, err2); err != nil {
		return r, err
	}
	judge(&r.SoakHalf, e, h.host, unrest)
	return r, nil
}
