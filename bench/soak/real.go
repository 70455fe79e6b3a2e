package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// real is a Docker Engine of our own with real containers.
type real struct {
	docker string // where it listens
	seed   uint64
	killer *killer
	engine *stage.Engine
}

func (r *real) create(ctx context.Context, h *stage.Host, deckies []stage.Decky) (err error) {
	if h.Engine, err = stage.Connect(ctx, r.docker); err != nil {
		return err
	}
	r.engine, r.killer = h.Engine, newKiller(h.Engine, deckies, r.seed)
	if err := r.engine.Remove(ctx); err != nil { // what an interrupted run left
		return err
	}
	r.engine.ListenOn(ctx)
	return r.engine.Create(ctx, deckies, policy)
}

func (r *real) disturb(ctx context.Context) { r.killer.run(ctx) }

func (r *real) calm(ctx context.Context) error { return r.killer.calm(ctx) }

func (r *real) did() (map[string]int, int, error) { return r.killer.did() }

func (r *real) close(ctx context.Context) error {
	if r.engine == nil {
		return nil
	}
	return r.engine.Remove(ctx)
}

func (r *real) incidents() []incident {
	return []incident{{"engine kill -9", 2 * time.Minute, 5 * time.Minute, r.engineDies}}
}

// control asks integration/services.sh to do something to our engine.
func (r *real) control(ctx context.Context, verb string) error {
	out, err := exec.CommandContext(ctx, "integration/services.sh", verb, "docker").CombinedOutput() //nolint:gosec // our own verbs
	if err != nil {
		return fmt.Errorf("%s the engine: %w\n%s", verb, err, out)
	}
	return nil
}

// engineDies kills dockerd and starts it again after a while. Without live-restore it ends the containers and its restart
// policy starts them.
func (r *real) engineDies(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	if err := r.control(ctx, "kill"); err != nil {
		return err
	}
	time.Sleep(time.Duration(rand.IntN(10)) * time.Second) //nolint:gosec // any number will do
	return r.control(ctx, "resume")
}
