package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// hang blocks on a hang message until its gate opens, and then does late things with its Ctx.
type hang struct{ gate chan struct{} }

func hangInHandler(gate chan struct{}) { <-gate }

func waitForEnd(ctx context.Context) { <-ctx.Done() }

func TestStuckActorIsReportedThenReplacedBehindTheSameRef(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		var late note[bool]
		gate := make(chan struct{})
		r := l.Spawn(Spec{Kind: "decky", ID: `a "b"/c`, New: code(func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				if m.Incarnation == 1 {
					c.Go("reader", waitForEnd)
				}
			case int:
				got.add(m)
			case hang:
				hangInHandler(m.gate)
				c.After(0, 99)
				c.Go("late", func(context.Context) { late.add(true) })
				child := c.Spawn(Spec{Kind: "late", ID: "1", New: bomber(&got)})
				late.add(child.Tell(1))
				c.ref.sys.Retire(child)
				c.Retire(c.Self())
				c.Restart(c.Self(), "late")
				c.Respond("late")
				panic("late")
			}
		})})
		r.Tell(1)
		answer := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			_, err := r.Ask(ctx, hang{gate})
			answer <- err
		}()
		synctest.Wait()
		r.Tell(2)
		r.Tell(3)

		pass(5 * time.Second)
		l.must(EventStuck, 0)
		pass(3 * time.Second)
		e := l.must(EventStuck, 1)
		if !strings.Contains(e.Stack, "hangInHandler") || strings.Contains(e.Stack, "waitForEnd") || !strings.HasPrefix(e.Message, "supervise.hang") {
			t.Errorf("%+v", e)
		}
		pass(22 * time.Second)
		l.must(EventReplaced, 0)
		pass(3 * time.Second)
		if e = l.must(EventReplaced, 1); !strings.Contains(e.Stack, "hangInHandler") || e.Incarnation != 1 {
			t.Errorf("%+v", e)
		}
		if err := <-answer; !errors.Is(err, ErrCrashed) {
			t.Error("who asked the stuck actor got", err)
		}
		s := r.Stats()
		if s.State != Running || s.Incarnation != 2 || s.Lost != 1 || s.Crashes != 1 || !slices.Equal(got.list(), []int{1, 2, 3}) {
			t.Errorf("%+v, got %v", s, got.list())
		}
		l.must(EventStuck, 1)

		close(gate) // the old process wakes up
		r.Tell(4)
		pass(time.Minute)
		if again := r.Stats(); again.Incarnation != 2 || again.Crashes != 1 || !slices.Equal(got.list(), []int{1, 2, 3, 4}) {
			t.Errorf("late effects: %+v, got %v", again, got.list())
		}
		l.must(EventStopped, 0)
		if !slices.Equal(late.list(), []bool{false}) || len(l.Refs()) != 1 {
			t.Error("late effects:", late.list(), len(l.Refs()))
		}
	})
}

func TestRetiredActorThatHangsIsGivenUp(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		defer close(gate)
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if m, ok := msg.(hang); ok {
				hangInHandler(m.gate)
			}
		})})
		r.Tell(hang{gate})
		answer := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			_, err := r.Ask(ctx, "waits behind")
			answer <- err
		}()
		synctest.Wait()
		pass(5 * time.Second)
		l.Retire(r)
		if next := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})}); !next.Tell(1) {
			t.Error("the successor refuses messages")
		}
		if err := <-answer; !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
		if e := l.must(EventStopped, 1); e.Reason == "" || !strings.Contains(e.Stack, "hangInHandler") {
			t.Errorf("%+v", e)
		}
		if refs := l.Refs(); len(refs) != 1 || refs[0] == r || refs[0].Stats().State != Running {
			t.Error("the successor does not run")
		}
	})
}

func TestActorThatReplacesItselfOftenIsQuarantined(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				time.Sleep(40 * time.Second) // in the bubble
			}
		})})
		pass(10 * time.Minute)
		s := r.Stats()
		if s.Crashes < 10 || s.Crashes > 20 {
			t.Errorf("%+v", s)
		}
		l.Retire(r)
		pass(time.Minute)
		if s := r.Stats(); s.State != Stopped {
			t.Errorf("%+v", s)
		}
	})
}

func TestRestartOfAStuckActorReplacesItAtOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		defer close(gate)
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if m, ok := msg.(hang); ok {
				hangInHandler(m.gate)
			}
		})})
		r.Tell(hang{gate})
		pass(8 * time.Second)
		l.Restart(r, "operator asked")
		pass(time.Second)
		if e := l.must(EventReplaced, 1); e.Reason != "operator asked" {
			t.Errorf("%+v", e)
		}
		if s := r.Stats(); s.State != Running || s.Incarnation != 2 {
			t.Errorf("%+v", s)
		}
	})
}

func TestActorsThatWorkAreNeverStuck(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 1000, New: code(func(_ *Ctx, msg any) {
			if _, ok := msg.(int); ok {
				time.Sleep(4900 * time.Millisecond) // in the bubble
			}
		})})
		for range 100 {
			r.Tell(1)
		}
		pass(20 * time.Minute)
		l.must(EventStuck, 0)
		if s := r.Stats(); s.Done != 100 {
			t.Errorf("%+v", s)
		}
	})
}

func TestFindStackPicksTheHandlerOfTheActor(t *testing.T) {
	const profile = "goroutine profile: total 4\n" +
		"1 @ 0x1\n# labels: {\"actor\":\"decky/a\"}\n#\t0x1\tsupervise.(*shell).work+0x1\n\n" +
		"1 @ 0x2\n# labels: {\"actor\":\"decky/a\", \"goroutine\":\"reader\"}\n#\t0x2\tsupervise.(*shell).guest+0x1\n\n" +
		"1 @ 0x3\n# labels: {\"actor\":\"decky/ab\"}\n#\t0x3\tsupervise.(*shell).work+0x1\n\n" +
		"1 @ 0x4\n# labels: {\"actor\":\"decky/a\"}\n#\t0x4\tactor.(*Inbox).process+0x1\n"
	if got := findStack(profile, "decky/a"); got != "#\t0x1\tsupervise.(*shell).work+0x1" {
		t.Errorf("%q", got)
	}
	if got := findStack(profile, "decky/x"); got != "" {
		t.Errorf("%q", got)
	}
}
