package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// policy is that of DECNET's containers: what crashes comes back by itself, what is stopped does not.
const policy = container.RestartPolicyUnlessStopped

// killer does to containers what happens to honeypots, several times a second, at random.
type killer struct {
	engine  *stage.Engine
	deckies []stage.Decky
	rand    *rand.Rand
	lanes   chan struct{} // operations under way: a start takes a third of a second

	mu     sync.Mutex
	busy   map[string]bool
	done   map[string]int
	failed int
	last   error
}

func newKiller(e *stage.Engine, deckies []stage.Decky, seed uint64) *killer {
	return &killer{engine: e, deckies: deckies, rand: rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // repeatable on purpose
		lanes: make(chan struct{}, 4), busy: map[string]bool{}, done: map[string]int{}}
}

// run goes on until ctx ends, and returns when nothing is under way any more.
func (k *killer) run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for ctx.Err() == nil {
		decky := k.deckies[k.rand.IntN(len(k.deckies))].Name
		service, dice := services[k.rand.IntN(len(services))], k.rand.IntN(100)
		gap := time.NewTimer(time.Duration(200+k.rand.IntN(300)) * time.Millisecond) // 2 to 5 a second
		k.lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-k.lanes }()
			k.one(context.WithoutCancel(ctx), decky, service, dice) // what was begun is ended
		})
		select {
		case <-ctx.Done():
		case <-gap.C:
		}
	}
}

// one does one operation, unless one of the same decky is under way.
func (k *killer) one(ctx context.Context, decky, service string, dice int) {
	k.mu.Lock()
	if k.busy[decky] {
		k.done["none, busy"]++
		k.mu.Unlock()
		return
	}
	k.busy[decky] = true
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	what, err := k.do(ctx, decky, service, dice)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.busy, decky)
	k.done[what]++
	if err != nil {
		k.failed++
		k.last = fmt.Errorf("%s %s-%s: %w", what, decky, service, err)
	}
}

// do chooses what can be done to a container in its state.
func (k *killer) do(ctx context.Context, decky, service string, dice int) (string, error) {
	api, name := k.engine.API(), decky+"-"+service
	if dice < 3 { // the base container is shown, not judged
		name = decky
	}
	c, err := api.ContainerInspect(ctx, name)
	if err != nil {
		return "inspect", err
	}
	switch {
	case c.State.Status == container.StatePaused:
		return "unpause", api.ContainerUnpause(ctx, name)
	case c.State.Status == container.StateRestarting || c.State.Status == container.StateRemoving:
		return "none, " + c.State.Status, nil
	case c.State.Status != container.StateRunning:
		return "start", api.ContainerStart(ctx, name, container.StartOptions{})
	case name == decky:
		return "kill base", api.ContainerKill(ctx, name, "KILL")
	case dice < 40:
		return "kill", api.ContainerKill(ctx, name, "KILL")
	case dice < 75:
		return "crash", k.engine.Crash(c.State.Pid)
	case dice < 85:
		return "stop", api.ContainerStop(ctx, name, container.StopOptions{})
	case dice < 92:
		return "pause", api.ContainerPause(ctx, name)
	}
	return "remake", k.engine.Remake(ctx, decky, service, policy)
}

// did is what was done so far.
func (k *killer) did() (map[string]int, int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.done), k.failed, k.last
}

// calm unpauses what is paused: a rest must be one that lasts.
func (k *killer) calm(ctx context.Context) error {
	api := k.engine.API()
	list, err := api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	for _, c := range list {
		if c.State != container.StatePaused {
			continue
		}
		if err := api.ContainerUnpause(ctx, c.ID); err != nil {
			return fmt.Errorf("unpause %v: %w", c.Names, err)
		}
	}
	return nil
}
