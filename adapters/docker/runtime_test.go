package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
		c, err := net.Dial("unix", socket)
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
	case messages.RuntimeHinted:
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

func TestObserveTellsTheWholeFleetFirst(t *testing.T) {
	sim, socket := simulate(t, 3)
	if _, err := sim.Create(dockersim.Spec{Name: "stray", Labels: map[string]string{"decnet.topology.id": "1"}}); err != nil {
		t.Fatal(err)
	}
	_, a := watch(t, Config{Host: socket})
	eventually(t, "a reading", func() bool { return len(a.heard()) > 0 })
	first, ok := a.heard()[0].(messages.RuntimeRead)
	if !ok || !first.Full || first.Took <= 0 || len(first.Containers) != 13 {
		t.Fatalf("%+v", a.heard()[0])
	}
	for name, want := range map[string]messages.Container{
		"decky-02":     {Name: "decky-02", State: "running", Project: "decnet"},
		"decky-02-ssh": {Name: "decky-02-ssh", State: "running", Project: "decnet", Decky: "decky-02", Service: "ssh"},
		"stray":        {Name: "stray", State: "created", Stranger: true},
	} {
		got := a.truth[name]
		if want.ID = got.ID; len(got.ID) != 64 || got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

func TestDeathIsToldAtOnceWithItsEvent(t *testing.T) {
	sim, socket := simulate(t, 3)
	r, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return a.state("decky-02-ssh") == "running" })
	before := time.Now()
	if err := sim.Kill("decky-02-ssh"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the death", func() bool { return a.state("decky-02-ssh") == "exited" })
	reads := after[messages.RuntimeRead](a, 1)
	if len(reads) != 1 || reads[0].Full || len(reads[0].Asked) != 1 || reads[0].Cause != "die" ||
		reads[0].EventAt.Before(before.Round(0)) || reads[0].EventAt.After(time.Now()) {
		t.Errorf("%+v", reads)
	}
	if s := sim.Stats(); s.Inspects != 0 || s.Lists != 1 || s.Looks != 1 || r.Stats().Relists != 1 {
		t.Errorf("it cost %+v", s)
	}
}

func TestPokeIsAnsweredByAFullListEvenAnEqualOne(t *testing.T) {
	_, socket := simulate(t, 1)
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	for n := 2; n < 5; n++ {
		a.poke <- struct{}{}
		eventually(t, "the answer", func() bool { return len(a.heard()) == n })
		if r, ok := a.heard()[n-1].(messages.RuntimeRead); !ok || !r.Full || len(r.Containers) != 4 {
			t.Errorf("%+v", r)
		}
	}
	close(a.poke)
}

func TestPeriodicListIsSilentUntilItFindsSomething(t *testing.T) {
	sim, socket := simulate(t, 2)
	r, a := watch(t, Config{Host: socket, RelistMin: time.Millisecond, RelistMax: 2 * time.Millisecond})
	eventually(t, "some lists", func() bool { return r.Stats().Relists > 5 })
	if n := len(a.heard()); n != 1 {
		t.Fatalf("%d readings of an idle fleet", n)
	}
	sim.SetFaults(dockersim.Faults{DropEvents: true})
	if err := sim.Kill("decky-01-http"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the drift", func() bool { return a.state("decky-01-http") == "exited" })
	if found := after[messages.RuntimeRead](a, 1); len(found) != 1 || !found[0].Full || found[0].Cause != "relist" || !found[0].EventAt.IsZero() {
		t.Errorf("%+v", found)
	}
}

func TestRelistIsPacedByItsCost(t *testing.T) {
	sim, socket := simulate(t, 1)
	r, a := watch(t, Config{Host: socket, RelistMin: time.Millisecond, RelistMax: time.Hour})
	eventually(t, "some lists", func() bool { return r.Stats().Relists > 3 })
	sim.SetFaults(dockersim.Faults{Slow: 600 * time.Millisecond})
	eventually(t, "a slow list", func() bool { return r.Stats().ListTime > 500*time.Millisecond })
	lists := sim.Stats().Lists // the next one is a minute away
	if err := sim.Kill("decky-01-ssh"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the death", func() bool { return a.state("decky-01-ssh") == "exited" })
	if n := sim.Stats().Lists; n != lists {
		t.Errorf("%d full lists instead of %d", n, lists)
	}
}

func TestEveryFaultIsToldOnceAndHealed(t *testing.T) {
	for name, row := range map[string]struct {
		fault dockersim.Faults
		what  string
	}{
		"it hangs":                  {dockersim.Faults{Hang: true}, "no answer within 100ms"},
		"lists hang":                {dockersim.Faults{HangLists: true}, "no answer within 100ms"},
		"lists are too slow":        {dockersim.Faults{Slow: time.Minute}, "no answer within 100ms"},
		"lists fail":                {dockersim.Faults{Status: 500}, "answered 500: simulated failure"},
		"lists are forbidden":       {dockersim.Faults{Status: 403}, "answered 403"},
		"lists are cut":             {dockersim.Faults{Truncate: true}, "the connection was cut"},
		"lists are garbage":         {dockersim.Faults{Body: "\x00\xff<html>"}, "found"},
		"a list is followed by one": {dockersim.Faults{Body: "[] []"}, "found '['"},
		"lists are objects":         {dockersim.Faults{Body: `{"message":"no"}`}, "found '{'"},
		"states are null":           {dockersim.Faults{NullState: true}, "found 'n'"},
	} {
		t.Run(name, func(t *testing.T) {
			sim, socket := simulate(t, 2)
			r, a := watch(t, Config{Host: socket, CallTimeout: 100 * time.Millisecond, RelistMin: time.Millisecond, RelistMax: time.Millisecond})
			eventually(t, "the fleet", func() bool { return a.state("decky-01-ssh") == "running" })
			sim.SetFaults(row.fault)
			if row.fault.Hang || row.fault.HangLists {
				sim.CutStreams()
			}
			eventually(t, "the second failure", func() bool { return r.Stats().Failures > 3 })
			sim.SetFaults(dockersim.Faults{})
			eventually(t, "recovery", func() bool { return a.state("decky-01-ssh") == "running" })
			told := after[messages.SourceFailed](a, 0)
			last := told[len(told)-1]
			if len(told) > 2 || last.Source != messages.SourceObserved || !strings.Contains(last.Fault.What, row.what) || last.Fault.Remedy == "" {
				t.Errorf("told %+v", told)
			}
		})
	}
}

func TestCutStreamBringsANewListAtOnce(t *testing.T) {
	sim, socket := simulate(t, 2)
	r, a := watch(t, Config{Host: socket})
	for n := range int64(3) {
		eventually(t, "the fleet", func() bool { return r.Stats().Connects == n+1 && a.state("decky-01-ssh") == "running" })
		sim.CutStreams()
	}
	eventually(t, "the fleet", func() bool { return r.Stats().Relists == 4 })
	for _, f := range after[messages.SourceFailed](a, 0) {
		if f.Fault.What != "the connection was cut" {
			t.Errorf("%+v", f)
		}
	}
}

func TestGarbageInTheStreamEndsTheConnection(t *testing.T) {
	sim, socket := simulate(t, 1)
	sim.SetFaults(dockersim.Faults{EventBody: "yes\n"})
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the failure", func() bool { return len(after[messages.SourceFailed](a, 0)) > 0 })
	if f := after[messages.SourceFailed](a, 0)[0]; !strings.Contains(f.Fault.What, "event stream") {
		t.Errorf("%+v", f)
	}
	sim.SetFaults(dockersim.Faults{})
	eventually(t, "recovery", func() bool { return a.state("decky-01-ssh") == "running" })
}

func TestMissingEngineIsToldOncePerReasonAndPerPoke(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	r, a := watch(t, Config{Host: socket})
	eventually(t, "some attempts", func() bool { return r.Stats().Failures > 3 })
	if told := after[messages.SourceFailed](a, 0); len(told) != 1 || told[0].Fault.What != "no such socket" {
		t.Fatalf("told %+v", told)
	}
	a.poke <- struct{}{}
	eventually(t, "an answer to the poke", func() bool { return len(a.heard()) == 2 })
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	eventually(t, "the new reason", func() bool { return len(a.heard()) == 3 })
	if f := after[messages.SourceFailed](a, 2)[0]; f.Fault.What != "nobody listens there" {
		t.Errorf("%+v", f)
	}
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, sim.Serve, socket)
	eventually(t, "the empty fleet", func() bool { return len(after[messages.RuntimeRead](a, 3)) == 1 })
	if f := after[messages.RuntimeRead](a, 3)[0]; !f.Full || len(f.Containers) != 0 {
		t.Errorf("%+v", f)
	}
}

func TestAnotherVersionBehindTheSocketIsFound(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	var a *audience
	for n, version := range []string{"1.47", "1.24", "1.99"} {
		sim, err := dockersim.New(dockersim.Config{Now: time.Now, APIVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Add(dockersim.Fleet{Deckies: 1, First: n + 1}); err != nil {
			t.Fatal(err)
		}
		stop := serve(t, sim.Serve, socket)
		if a == nil {
			_, a = watch(t, Config{Host: socket})
		}
		eventually(t, "the fleet at API "+version, func() bool { return a.state(dockersim.DeckyName(n+1)) == "running" })
		stop()
	}
}

func TestRedeployIsHintedBeforeItIsListed(t *testing.T) {
	sim, socket := simulate(t, 10)
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	for n := 1; n <= 10; n++ {
		if err := sim.Remove(dockersim.DeckyName(n)+"-ssh", true); err != nil {
			t.Fatal(err)
		}
	}
	if err := sim.Restart("decky-01-http"); err != nil {
		t.Fatal(err)
	}
	gone := func() (n, started int) {
		for _, h := range after[messages.RuntimeHinted](a, 0) {
			for _, c := range h.Destroyed {
				if c.Decky == "" || c.Service != "ssh" || c.Name != c.Decky+"-ssh" || c.Project != "decnet" || c.State != "" {
					t.Errorf("hinted %+v", c)
				}
			}
			n += len(h.Destroyed)
			started += h.Started
		}
		return n, started
	}
	eventually(t, "ten removals and a start", func() bool { n, started := gone(); return n == 10 && started == 1 })
	eventually(t, "the list", func() bool { return a.state("decky-10-ssh") == "" })
	if _, ok := a.heard()[1].(messages.RuntimeHinted); !ok {
		t.Errorf("the list came before the hint: %+v", a.heard()[1])
	}
}

func TestBusyActorNeverSlowsTheStream(t *testing.T) {
	sim, socket := simulate(t, 500)
	r, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	a.gate.Lock()
	free := sync.OnceFunc(a.gate.Unlock)
	t.Cleanup(free)
	for n := range int64(20) { // alternately 500 deaths and 500 starts
		sim.FlipMany(500)
		eventually(t, "the stream is read", func() bool { return r.Stats().Events == (n+1)*500 })
	}
	if lost := sim.Stats().Lost; lost != 0 {
		t.Errorf("%d events lost", lost)
	}
	free()
	converges(t, sim, a, 500)
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

func TestStormConverges(t *testing.T) {
	sim, socket := simulate(t, 300)
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	storm, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	events := sim.Storm(storm, 5000)
	converges(t, sim, a, 300)
	if s := sim.Stats(); events < 4000 || s.Lost != 0 {
		t.Errorf("%d events, %d lost", events, s.Lost)
	}
	for _, r := range after[messages.RuntimeRead](a, 0) {
		if len(r.Asked) > maxAsked {
			t.Errorf("a list of %d ids", len(r.Asked))
		}
	}
}

func TestHalfTheFleetAtOnceIsOneList(t *testing.T) {
	sim, socket := simulate(t, 200)
	r, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	a.gate.Lock()
	free := sync.OnceFunc(a.gate.Unlock)
	t.Cleanup(free)
	for n := 1; n <= 200; n++ {
		for _, s := range []string{"-ssh", "-http", "-smtp"} {
			if err := sim.Kill(dockersim.DeckyName(n) + s); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "the stream is read", func() bool { return r.Stats().Events == 600 })
	free()
	converges(t, sim, a, 200)
	if s := r.Stats(); s.Overflows != 1 || s.Relists != 2 || s.Looks > 4 {
		t.Errorf("%+v", r.Stats())
	}
}

// scripted is an engine whose lists and stream a test writes.
type scripted struct {
	mu     sync.Mutex
	stream *io.PipeReader
	lists  []string // the last one stays
	asked  [][]string
}

func (s *scripted) Negotiate(context.Context) error { return nil }
func (s *scripted) Close() error                    { return nil }
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

func TestListThatIsBehindItsEventIsReadAgainButNotForEver(t *testing.T) {
	pr, pw := io.Pipe()
	defer func() { _ = pw.Close() }()
	eng := &scripted{stream: pr, lists: []string{
		`[{"Id":"aa","State":"running"}]`,
		`[{"Id":"aa","State":"running"},{"Id":"other","State":"x"}]`, // the event said pause
		`[{"Id":"aa","State":"paused"}]`,
	}}
	r, err := New(Config{Now: time.Now, Jitter: func() float64 { return 0 }, Recheck: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r.dial = func() (engine, error) { return eng, nil }
	a := observe(t, r)
	eventually(t, "the fleet", func() bool { return len(a.heard()) == 1 })
	if _, err := io.WriteString(pw, said("pause", "aa")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pause", func() bool { return a.state("") == "paused" })
	reads := after[messages.RuntimeRead](a, 1)
	if len(reads) != 2 || len(reads[0].Containers) != 1 || reads[1].Cause != "pause" || !reads[1].EventAt.Equal(reads[0].EventAt) {
		t.Errorf("%+v", reads)
	}
	if _, err := io.WriteString(pw, said("unpause", "aa")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last look at it", func() bool { return r.Stats().Rechecks == 1+1+maxTries && r.Stats().Looks == 2+1+maxTries })
	if _, err := io.WriteString(pw, said("die", "bb")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another look", func() bool { return r.Stats().Looks == 3+1+maxTries })
	eng.mu.Lock()
	defer eng.mu.Unlock()
	if got := fmt.Sprint(eng.asked); got != "[[]"+strings.Repeat(" [aa]", 3+maxTries)+" [bb]]" {
		t.Errorf("asked for %s", got)
	}
}

func TestRetriesWaitLongerUntilAConnectionLasted(t *testing.T) {
	var mu sync.Mutex
	now, dials, wait := time.Unix(1e9, 0), 0, []time.Duration(nil)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	r, err := New(Config{Now: clock, RetryMin: 8 * time.Second, RetryMax: 30 * time.Second, Jitter: func() float64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	r.pause = func(d time.Duration) time.Duration { mu.Lock(); defer mu.Unlock(); wait = append(wait, d); return 0 }
	r.dial = func() (engine, error) {
		mu.Lock()
		defer mu.Unlock()
		dials++
		pr, pw := io.Pipe()
		_ = pw.Close()
		switch dials {
		case 4: // comes and goes
		case 6: // comes, stays a minute and goes
			now = now.Add(time.Minute)
		default:
			return nil, errors.New("down")
		}
		return &scripted{stream: pr, lists: []string{`[]`}}, nil
	}
	observe(t, r)
	eventually(t, "attempts", func() bool { mu.Lock(); defer mu.Unlock(); return len(wait) > 7 })
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(wait[:8]); got != "[8s 16s 30s 30s 30s 8s 16s 30s]" {
		t.Errorf("waited %s", got)
	}
}

func TestUnusableHostIsRefusedAtOnce(t *testing.T) {
	good := Config{Now: time.Now, Jitter: func() float64 { return 0 }}
	for name, change := range map[string]func(c *Config){
		"no clock":              func(c *Config) { c.Now = nil },
		"no jitter":             func(c *Config) { c.Jitter = nil },
		"a path":                func(c *Config) { c.Host = "/var/run/docker.sock" },
		"ssh":                   func(c *Config) { c.Host = "ssh://root@host" },
		"no certificates there": func(c *Config) { c.Host, c.CertPath = "tcp://127.0.0.1:1", "/nowhere" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestHostileVersionNeverBecomesAPath(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_ping" {
			t.Errorf("asked for %q", r.URL)
		}
		w.Header().Set("Api-Version", "../../1.0?x=")
	})}
	go func() { _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close() }()
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the failure", func() bool { return len(a.heard()) == 1 })
	if f := after[messages.SourceFailed](a, 0); len(f) != 1 || !strings.Contains(f[0].Fault.What, "is none") {
		t.Errorf("%+v", a.heard())
	}
}
