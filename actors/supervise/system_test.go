package supervise

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func TestNewRefusesAConfigWithoutClockOrJitter(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("accepted")
	}
}

func TestNamesAreEscapedAndNeverReused(t *testing.T) {
	inLab(t, func(l *lab) {
		seen := map[string]bool{}
		for _, id := range []string{"a", "a/b", "a~1", "a%2Fb", "", "ü \x00\n", strings.Repeat("/", 128), "a"} {
			r := l.Spawn(Spec{Kind: "de/cky", ID: id, New: bomber(&note[int]{})})
			pid := r.proc.Load().ID
			if strings.Count(pid, "/") != 1 || seen[pid] {
				t.Errorf("%q runs as %q", id, pid)
			}
			seen[pid] = true
			if r.ID() != id || r.Kind() != "de/cky" {
				t.Errorf("%q became %q", id, r.ID())
			}
			if id == "a" {
				l.Retire(r)
				synctest.Wait()
			}
		}
	})
}

func TestRefsAreInTheOrderOfStart(t *testing.T) {
	inLab(t, func(l *lab) {
		var want, got []string
		for i := range 100 {
			want = append(want, fmt.Sprint("x/", (i*37)%100))
			l.Spawn(Spec{Kind: "x", ID: fmt.Sprint((i * 37) % 100), New: bomber(&note[int]{})})
		}
		for _, r := range l.Refs() {
			got = append(got, r.Name())
		}
		if !slices.Equal(got, want) {
			t.Error("got", got)
		}
	})
}

func TestCtxSpawnsRetiresAndKnowsItself(t *testing.T) {
	inLab(t, func(l *lab) {
		var child *Ref
		parent := l.Spawn(Spec{Kind: "fleet", ID: "1", New: code(func(c *Ctx, msg any) {
			switch msg {
			case "hire":
				child = c.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
				c.Respond(c.Self())
			case "retire":
				c.Retire(child)
				c.Respond(c.Now())
			}
		})})
		if self, err := parent.Ask(l.t.Context(), "hire"); self != parent || err != nil {
			t.Error(self, err)
		}
		synctest.Wait()
		if s := child.Stats(); s.State != Running {
			t.Errorf("%+v", s)
		}
		if now, err := parent.Ask(l.t.Context(), "retire"); err != nil || !now.(time.Time).Equal(time.Now()) {
			t.Error(now, err)
		}
		synctest.Wait()
		if s := child.Stats(); s.State != Stopped {
			t.Errorf("%+v", s)
		}
	})
}

func TestObserverThatPanicsHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys, err := New(Config{Now: time.Now, Jitter: func() float64 { return 0 }, OnEvent: func(Event) { panic("observer") }})
		if err != nil {
			t.Fatal(err)
		}
		var got note[int]
		r := sys.Spawn(Spec{Kind: "x", ID: "a", New: bomber(&got)})
		r.Tell(boom{})
		r.Tell(1)
		pass(time.Second)
		if !slices.Equal(got.list(), []int{1}) {
			t.Error("got", got.list())
		}
		if err := sys.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestLogsNameTheActor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer // written by one goroutine at a time: zerolog's SyncWriter
		sys, err := New(Config{Now: time.Now, Jitter: func() float64 { return 0 }, Log: zerolog.New(zerolog.SyncWriter(&out))})
		if err != nil {
			t.Fatal(err)
		}
		r := sys.Spawn(Spec{Kind: "x", ID: "a", New: code(func(c *Ctx, _ any) { c.Log().Info().Msg("hello") })})
		r.Tell(1)
		synctest.Wait()
		slog.Error("from the library", "pid", 7)
		slog.Default().With("a", 1).WithGroup("g").With("b", 2).Warn("nested", "c", time.Second)
		if err := sys.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for _, want := range []string{
			`{"level":"info","actor":"x/a","message":"hello"}`, `"level":"error","pid":"7","message":"from the library"`,
			`"level":"warn","a":"1","g.b":"2","g.c":"1s","message":"nested"`, `"event":"started","actor":"x/a"`,
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s is missing in\n%s", want, out.String())
			}
		}
	})
}

func TestBridgeObeysTheLevel(t *testing.T) {
	b := bridge{to: zerolog.New(&bytes.Buffer{}).Level(zerolog.WarnLevel)}
	for level, want := range map[slog.Level]bool{slog.LevelDebug: false, slog.LevelInfo: false, slog.LevelWarn: true, slog.LevelError: true} {
		if got := b.Enabled(context.Background(), level); got != want {
			t.Errorf("%v: enabled %v", level, got)
		}
	}
}

func TestGoroutinesAreLabelledWithTheirActor(t *testing.T) {
	inLab(t, func(l *lab) {
		l.Spawn(Spec{Kind: "x", ID: "a", New: code(func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				c.Go("reader", waitForEnd)
			}
		})})
		synctest.Wait()
		var profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			t.Fatal(err)
		}
		if want := `# labels: {"actor":"x/a", "goroutine":"reader"}`; !strings.Contains(profile.String(), want) {
			t.Errorf("%s is missing in\n%s", want, profile.String())
		}
	})
}

func TestStatesHaveWords(t *testing.T) {
	for state, want := range map[State]string{Starting: "starting", Quarantined: "quarantined", Closing: "stopping", Stopped: "stopped", 99: "unknown"} {
		if got := state.String(); got != want {
			t.Errorf("%d is called %q, want %q", state, got, want)
		}
	}
}

func TestClipCutsAtACharacter(t *testing.T) {
	for _, c := range []struct{ in, want string }{{"", ""}, {"abcd", "abcd"}, {"abcde", "abcd…"}, {"abcü", "abc…"}} {
		if got := clip(c.in, 4); got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}
