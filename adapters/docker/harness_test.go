package docker

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// simulate serves a new engine on a socket until the test ends.
func simulate(t testing.TB, deckies int) (*dockersim.Engine, string) {
	t.Helper()
	sim, err := dockersim.New(dockersim.Config{Now: time.Now, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Add(dockersim.Fleet{Deckies: deckies}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "d.sock")
	serve(t, sim.Serve, socket)
	return sim, socket
}

// serve runs until the test ends or the returned function is called.
func serve(t testing.TB, run func(context.Context, string) error, socket string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, socket) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	eventually(t, "the engine listens", func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return stop
}

// eventually polls with a deadline that only a failure reaches.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// audience folds readings as an actor would.
type audience struct {
	poke chan struct{}
	gate sync.Mutex // held by a test: the actor is busy

	mu       sync.Mutex
	readings []messages.Reading
	truth    map[string]messages.Container // by name; nil: unknown
}

func (a *audience) hear(r messages.Reading) {
	a.gate.Lock()
	defer a.gate.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.readings = append(a.readings, r)
	switch r := r.(type) {
	case messages.SourceFailed:
		a.truth = nil
	case messages.RuntimeRead:
		if r.Full {
			a.truth = map[string]messages.Container{}
		}
		for _, id := range r.Asked {
			for name, c := range a.truth {
				if c.ID == id {
					delete(a.truth, name)
				}
			}
		}
		for _, c := range r.Containers {
			a.truth[c.Name] = c
		}
	case messages.RuntimeHinted, messages.DeclaredRead, messages.RecordedRead:
	}
}

func (a *audience) heard() []messages.Reading {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]messages.Reading(nil), a.readings...)
}

func (a *audience) state(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.truth == nil {
		return "unknown"
	}
	return a.truth[name].State
}

// after gives the readings of one kind that came after the first n of all kinds.
func after[R messages.Reading](a *audience, n int) (found []R) {
	for _, r := range a.heard()[n:] {
		if r, ok := r.(R); ok {
			found = append(found, r)
		}
	}
	return found
}

// watch observes until the test ends. Retries are quick, and periodic lists do not come, unless set.
func watch(t testing.TB, cfg Config) (*Runtime, *audience) {
	t.Helper()
	cfg.Now = time.Now
	if cfg.Jitter == nil {
		cfg.Jitter = func() float64 { return 0.5 }
	}
	if cfg.RelistMin == 0 {
		cfg.RelistMin = time.Hour
	}
	cfg.RetryMax = 20 * time.Millisecond
	if !strings.Contains(cfg.Host, "://") {
		cfg.Host = "unix://" + cfg.Host
	}
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r, observe(t, r)
}

func observe(t testing.TB, r *Runtime) *audience {
	a := &audience{poke: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		r.Observe(ctx, func(f func()) { running.Go(f) }, a.poke, a.hear)
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return a
}

func converges(t *testing.T, sim *dockersim.Engine, a *audience, deckies int) {
	t.Helper()
	eventually(t, "every container is told as it is", func() bool {
		for n := 1; n <= deckies; n++ {
			for _, s := range []string{"", "-ssh", "-http", "-smtp"} {
				if name := dockersim.DeckyName(n) + s; a.state(name) != sim.State(name) {
					return false
				}
			}
		}
		return true
	})
}

// scripted is an engine whose lists and stream a test writes.
type scripted struct {
	mu     sync.Mutex
	stream *io.PipeReader
	lists  []string // the last one stays
	asked  [][]string
}

func (s *scripted) Negotiate(context.Context) error { return nil }

func (s *scripted) Close() error { return nil }

func (s *scripted) Events(context.Context, time.Time) (io.ReadCloser, error) {
	return s.stream, nil
}

func (s *scripted) List(_ context.Context, ids []string) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, ids)
	body := s.lists[0]
	if len(s.lists) > 1 {
		s.lists = s.lists[1:]
	}
	return io.NopCloser(strings.NewReader(body)), nil
}
