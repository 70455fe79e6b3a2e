package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// simulated is the engine simulator in this process, which goes on living while nobody can reach it: an engine with live-restore.
type simulated struct {
	seed   uint64
	engine *dockersim.Engine
	socket string
	names  []string // of the service containers

	mu     sync.Mutex
	done   map[string]int
	failed int
	last   error
	hangUp func() error // ends the socket and all its connections; nil: it is not there
}

func (s *simulated) create(ctx context.Context, h *stage.Host, deckies []stage.Decky) (err error) {
	s.done = map[string]int{}
	if s.engine, err = dockersim.New(dockersim.Config{Now: time.Now, Seed: s.seed}); err != nil {
		return err
	}
	if err := s.engine.Add(dockersim.Fleet{Deckies: len(deckies), Services: services}); err != nil {
		return err
	}
	for _, d := range deckies {
		for _, service := range services {
			s.names = append(s.names, dockersim.ContainerName(d.Name, service))
		}
	}
	s.socket = h.Path("sim.sock")
	if err := s.listen(ctx); err != nil {
		return err
	}
	h.Engine, err = stage.Connect(ctx, "unix://"+s.socket)
	return err
}

// listen makes the engine reachable until leave, also beyond the end of ctx.
func (s *simulated) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- s.engine.Serve(ctx, s.socket) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangUp = func() error { cancel(); return <-ended }
	return nil
}

// leave makes it unreachable.
func (s *simulated) leave() error {
	s.mu.Lock()
	hangUp := s.hangUp
	s.hangUp = nil
	s.mu.Unlock()
	if hangUp == nil {
		return nil
	}
	err := hangUp()
	_ = os.Remove(s.socket) // it may have gone with its listener
	return err
}

// Chosen: as many changes as the product commits in a quarter of what it can, and now and then all at once.
const (
	flapEvery = 50 * time.Millisecond
	allEvery  = 45 * time.Second
	pausedFor = 3 * time.Second
)

func (s *simulated) disturb(ctx context.Context) {
	dice := rand.New(rand.NewPCG(s.seed, 1)) //nolint:gosec // repeatable on purpose
	tick, burst := time.NewTicker(flapEvery), time.NewTicker(allEvery)
	defer tick.Stop()
	defer burst.Stop()
	var paused sync.WaitGroup
	defer paused.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case <-burst.C:
			s.note(fmt.Sprintf("flip of %d at once", len(s.names)/10), nil)
			s.engine.FlipMany(len(s.names) / 10)
		case <-tick.C:
			s.one(dice, &paused)
		}
	}
}

// one does something to one container: mostly it dies or starts, sometimes as fast as it can.
func (s *simulated) one(dice *rand.Rand, paused *sync.WaitGroup) {
	name := s.names[dice.IntN(len(s.names))]
	switch n := dice.IntN(100); {
	case n < 85:
		s.note("flip", s.engine.Flip(name))
	case n < 90:
		for range 2 + dice.IntN(20) {
			s.note("flap", s.engine.Flip(name))
		}
	case n < 95:
		if s.engine.State(name) != container.StateRunning {
			return
		}
		s.note("pause", s.engine.Pause(name))
		paused.Go(func() {
			time.Sleep(pausedFor)
			if s.engine.State(name) == container.StatePaused { // it may have died
				s.note("unpause", s.engine.Unpause(name))
			}
		})
	default:
		s.note("restart", s.engine.Restart(name))
	}
}

func (s *simulated) note(what string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[what]++
	if err != nil {
		s.failed++
		s.last = fmt.Errorf("%s: %w", what, err)
	}
}

func (s *simulated) did() (map[string]int, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.done), s.failed, s.last
}

func (s *simulated) calm(context.Context) error { return nil } // who paused something has ended that

func (s *simulated) close(context.Context) error { return s.leave() }

func (s *simulated) incidents() []incident {
	faulty := func(f dockersim.Faults) func(context.Context) error {
		return func(ctx context.Context) error {
			s.engine.SetFaults(f)
			s.engine.CutStreams()
			pause(ctx, 10*time.Second)
			s.engine.SetFaults(dockersim.Faults{})
			return nil
		}
	}
	return []incident{
		{"engine away", 2 * time.Minute, 5 * time.Minute, s.away},
		{"engine hangs", 4 * time.Minute, 15 * time.Minute, faulty(dockersim.Faults{Hang: true})},
		{"engine answers 500", 9 * time.Minute, 15 * time.Minute, faulty(dockersim.Faults{Status: 500})},
		{"engine cuts its lists", 14 * time.Minute, 15 * time.Minute, faulty(dockersim.Faults{Truncate: true})},
		{"events lost", 11 * time.Minute, 15 * time.Minute, faulty(dockersim.Faults{DropEvents: true})},
	}
}

// away is an engine that was killed and comes back; its containers went on.
func (s *simulated) away(ctx context.Context) error {
	if err := s.leave(); err != nil {
		return err
	}
	pause(ctx, time.Duration(rand.IntN(10))*time.Second) //nolint:gosec // any number will do
	return s.listen(ctx)
}
