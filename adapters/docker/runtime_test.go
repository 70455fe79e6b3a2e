package docker

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/messages"
)

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

// play observes a scripted engine and gives the end of its event stream to write to.
func play(t *testing.T, cfg Config, lists ...string) (*Runtime, *audience, io.Writer) {
	t.Helper()
	pr, pw := io.Pipe()
	t.Cleanup(func() { _ = pw.Close() })
	cfg.Now, cfg.Jitter = time.Now, func() float64 { return 0 }
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.dial = func() (engine, error) { return &scripted{stream: pr, lists: lists}, nil }
	return r, observe(t, r), pw
}

func TestUnbrokenTrickleNeverPutsALookOff(t *testing.T) {
	r, _, stream := play(t, Config{Gather: 30 * time.Millisecond}, `[{"Id":"aa","State":"exited"}]`)
	eventually(t, "a look while events come faster than they gather", func() bool {
		if _, err := io.WriteString(stream, said("die", "aa")); err != nil {
			t.Fatal(err)
		}
		return r.Stats().Looks > 2
	})
}

func TestListEqualToTheOneBeforeALookIsNews(t *testing.T) {
	running := `[{"Id":"aa","State":"running"}]`
	_, a, stream := play(t, Config{RelistMin: 300 * time.Millisecond}, running, `[{"Id":"aa","State":"exited"}]`, running)
	eventually(t, "the fleet", func() bool { return a.state("") == "running" })
	if _, err := io.WriteString(stream, said("die", "aa")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the death", func() bool { return len(after[messages.RuntimeRead](a, 1)) > 0 })
	eventually(t, "the start that no event told", func() bool { return a.state("") == "running" })
	if reads := after[messages.RuntimeRead](a, 1); len(reads) != 2 || reads[0].Containers[0].State != "exited" {
		t.Errorf("%+v", reads)
	}
}
