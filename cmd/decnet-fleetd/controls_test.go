package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/messages"
)

// quietFeed drops events.
type quietFeed struct{}

func (quietFeed) Append(messages.Event) {}

type (
	hangOn  struct{ gate chan struct{} }
	explode struct{}
)

// theatre is a node with a real supervisor, view and sampler, deckies that only crash or hang, and a fleet that does what
// it is told about pauses.
func theatre(t *testing.T, story func(t *testing.T, n *node)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		keep := openKeeper(dir, zerolog.Nop())
		defer keep.close()
		n := &node{keep: keep, fleetPost: &post{}}
		crashPost, viewPost := &post{}, &post{}
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, LastCrash: keep.lastCrash(),
			OnCrash: func(c supervise.Crash) { crashPost.Tell(crashRecord(c)) },
			OnEvent: func(e supervise.Event) {
				if e.Kind == "decky" && (e.What == "quarantined" || e.What == "released") {
					viewPost.Tell(messages.DeckyCrashed{Name: e.ID, Quarantined: e.What == "quarantined", Reason: e.Reason})
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		n.sys = sys
		n.view = sys.Spawn(supervise.Spec{Kind: "view", ID: "view", Subsystem: true, Mailbox: 1 << 12, New: func() supervise.Receiver {
			return view.New(view.Config{HostUUID: "local", Feed: quietFeed{}, Counters: deckyCounters(sys)})
		}})
		viewPost.ref.Store(n.view)
		n.inspection(parts{keep: keep}, crashPost)
		n.fleet = sys.Spawn(supervise.Spec{Kind: "fleet", ID: "fleet", New: func() supervise.Receiver { return supervise.Func(n.playFleet) }})
		for _, name := range []string{"a", "b"} {
			sys.Spawn(supervise.Spec{Kind: "decky", ID: name, New: func() supervise.Receiver { return supervise.Func(playDecky) }})
			n.view.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: name, State: "running"}})
		}
		synctest.Wait()
		story(t, n)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func playDecky(_ *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case hangOn:
		<-m.gate
	case explode:
		panic("boom: password=hunter2")
	}
}

func (n *node) playFleet(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case messages.PausesChanged:
		paused := map[string]bool{}
		for _, p := range m.Pauses {
			paused[p.Target] = true
		}
		for _, name := range []string{"a", "b"} {
			n.view.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: name, State: "running", Paused: paused[name] || paused["*"]}})
		}
	case messages.GetPass:
		if len(m.Only) == 1 && m.Only[0] == "b" {
			return // it never answers
		}
		c.Respond(messages.PassReport{})
	}
}

func (n *node) do(t *testing.T, q messages.Act) string {
	t.Helper()
	q.By = "alice"
	results, err := n.act(t.Context(), q)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, r := range results {
		out = append(out, fmt.Sprintf("%s %s→%s %s", r.Name, r.Before, r.After, r.Result))
	}
	return strings.Join(out, "; ")
}

func TestControlVerbsSayWhatBecameOfEachTarget(t *testing.T) {
	theatre(t, func(t *testing.T, n *node) {
		for _, x := range []struct {
			verb string
			q    messages.Act
			want string
		}{
			{"restart", messages.Act{Targets: []string{"a", "nobody"}, Wait: time.Second}, "a running→running done; nobody → not found"},
			{"release", messages.Act{Targets: []string{"a"}}, "a running→running refused"},
			{"quarantine", messages.Act{Targets: []string{"a"}, DryRun: true}, "a running→quarantined would be done"},
			{"quarantine", messages.Act{Targets: []string{"a"}}, "a running→quarantined done"},
			{"restart", messages.Act{Targets: []string{"a"}}, "a quarantined→quarantined refused"},
			{"resync", messages.Act{Targets: []string{"a"}}, "a quarantined→quarantined refused"},
			{"release", messages.Act{Targets: []string{"a"}, Wait: time.Second}, "a quarantined→running done"},
			{"quarantine", messages.Act{Targets: []string{"view/view"}, Actors: true}, "view/view running→running refused"},
			{"kill", messages.Act{Targets: []string{"fleet/fleet"}, Actors: true, Wait: time.Second}, "fleet/fleet running→running done"},
			{"pause", messages.Act{Targets: []string{"a", "nobody"}, DryRun: true}, "a running→paused would be done; nobody unrecorded→unrecorded not found"},
			{"pause", messages.Act{Targets: []string{"a"}, Reason: "drill", Wait: time.Second}, "a running→paused done"},
			{"pause", messages.Act{Targets: []string{"decky/a"}, Actors: true}, "decky/a unrecorded→unrecorded refused"},
			{"resume", messages.Act{Targets: []string{"a", "b", "nobody"}, Wait: time.Second}, "a paused→running done; b running→running refused; nobody unrecorded→unrecorded not found"},
			{"pause", messages.Act{Targets: []string{"*"}}, "* not paused→paused done"},
			{"resume", messages.Act{Targets: []string{"a"}}, "a paused→paused refused"},
			{"resume", messages.Act{Targets: []string{"*"}}, "* paused→not paused done"},
			{"resync", messages.Act{Targets: []string{"a", "nobody"}, Wait: time.Second}, "a running→running done; nobody → not found"},
			{"resync", messages.Act{Targets: []string{"b"}, Wait: time.Second}, "b running→running timed out"},
			{"resync", messages.Act{Targets: []string{"*"}}, "* → done"},
		} {
			x.q.Verb = x.verb
			synctest.Wait()
			if got := n.do(t, x.q); got != x.want {
				t.Errorf("%s %v: %s\nwant %s", x.verb, x.q.Targets, got, x.want)
			}
		}
	})
}

func TestPausesAndCrashesOutliveTheProcess(t *testing.T) {
	theatre(t, func(t *testing.T, n *node) {
		n.do(t, messages.Act{Verb: "pause", Targets: []string{"a"}, Reason: "ticket 4711"})
		n.sys.Find("decky", "b").Tell(explode{})
		synctest.Wait()
		time.Sleep(time.Second)
		dir := filepath.Dir(n.dir(t))
		next := openKeeper(dir, zerolog.Nop())
		defer next.close()
		if p := next.paused(); len(p) != 1 || p[0].Target != "a" || p[0].By != "alice" || p[0].Reason != "ticket 4711" || next.beat()["paused"] != 1 {
			t.Errorf("%+v", p)
		}
		e := next.earlier()
		if len(e) != 1 || e[0].Actor != "decky/b" || e[0].Stack == "" || next.lastCrash() != 1 {
			t.Fatalf("%+v", e)
		}
		again := &node{sys: n.sys, keep: next}
		if c := again.crashes(messages.GetCrashes{Actor: "decky/b"}); len(c) != 2 || c[0].Stack != "" {
			t.Errorf("%+v", c)
		}
		if c := again.crashes(messages.GetCrashes{ID: 1}); c[0].Stack == "" {
			t.Errorf("%+v", c)
		}
	})
}

// dir finds the file of the pauses.
func (n *node) dir(t *testing.T) string {
	t.Helper()
	_, err := n.keep.pauses.Change(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n.keep.pauses.Path()
}

func TestInspectAnswersAtOnceThoughTheActorIsStuck(t *testing.T) {
	theatre(t, func(t *testing.T, n *node) {
		gate := make(chan struct{})
		defer close(gate)
		n.sys.Find("decky", "a").Tell(hangOn{gate})
		n.sys.Find("decky", "a").Tell(1)
		time.Sleep(10 * time.Second)
		began := time.Now()
		i, err := n.inspect(t.Context(), messages.GetInspection{Name: "a"})
		if err != nil || !i.Actor.Stuck || i.StaleFor < 9 || i.Actor.Mailbox != 1 || i.Decky.State != "running" {
			t.Errorf("%+v %v", i, err)
		}
		if took := time.Since(began); took > 0 { // fake time: whoever waits for anything but processors lets it pass
			t.Errorf("took %v", took)
		}
		if _, err := n.inspect(t.Context(), messages.GetInspection{Name: "nobody"}); !errors.Is(err, messages.ErrUnknownTarget) {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestTheDaemonRunsWithoutAPlaceForItsFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"audit.jsonl", "crashes.jsonl", "pauses.json"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	k := openKeeper(dir, zerolog.Nop())
	defer k.close()
	if k.auditor() != nil || k.lastCrash() != 0 || len(k.paused()) != 1 || k.paused()[0].Target != "*" {
		t.Errorf("%+v %+v", k, k.paused())
	}
	var none *keeper
	if none.auditor() != nil || none.paused() != nil || none.beat() != nil || none.earlier() != nil {
		t.Error("a keeper that is not there keeps something")
	}
}

func TestAccessKnowsNamesAndNumbers(t *testing.T) {
	a := access("root, 4711 nobody-of-that-name", zerolog.Nop())
	if len(a.Admins) != 2 || a.Admins[0] != 0 || a.Admins[1] != 4711 {
		t.Errorf("%+v", a)
	}
	names := userNames()
	for range 2 { // looked up, then remembered
		if root, nobody := names(0), names(4294967294); root != "root" || nobody != "" {
			t.Errorf("%q %q", root, nobody)
		}
	}
}

func TestABundleHasNoSecrets(t *testing.T) {
	in := "Environment=DECNET_DB_PASSWORD=hunter2 url mysql://fleet:hunter2@db1/decnet token: 'hunter2' ok"
	if out := string(redactText([]byte(in))); strings.Contains(out, "hunter2") || !strings.Contains(out, "mysql://fleet:***@db1/decnet") || !strings.HasSuffix(out, " ok") {
		t.Error(out)
	}
}

// BenchmarkInspect measures the answer to `inspect` at 10,000 deckies. Target: 50 ms.
func BenchmarkInspect(b *testing.B) {
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	n := &node{sys: sys}
	n.view = sys.Spawn(supervise.Spec{Kind: "view", ID: "view", Mailbox: 1 << 17, New: func() supervise.Receiver {
		return view.New(view.Config{HostUUID: "local", Feed: quietFeed{}, Counters: deckyCounters(sys)})
	}})
	for i := range 10_000 {
		name := fmt.Sprintf("decky-%05d", i)
		sys.Spawn(supervise.Spec{Kind: "decky", ID: name, New: func() supervise.Receiver { return supervise.Func(playDecky) }})
		n.view.Tell(messages.DeckyReported{Status: messages.DeckyStatus{Name: name, State: "running"}})
	}
	gate := make(chan struct{})
	n.sys.Find("decky", "decky-05000").Tell(hangOn{gate})
	for b.Loop() {
		if _, err := n.inspect(b.Context(), messages.GetInspection{Name: "decky-05000"}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	close(gate)
	if err := sys.Shutdown(context.Background()); err != nil {
		b.Error(err)
	}
}
