package supervise

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// leaver notes what it handled and its Stopping.
func leaver(id string, got *note[string]) Spec {
	return Spec{Kind: "x", ID: id, New: code(func(_ *Ctx, msg any) {
		switch m := msg.(type) {
		case string:
			got.add(id + " " + m)
		case Stopping:
			got.add(id + " stops")
		case boom:
			panic("boom")
		}
	})}
}

func TestShutdownStopsInTheReverseOrderOfStart(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		a, b, c := l.Spawn(leaver("a", &got)), l.Spawn(leaver("b", &got)), l.Spawn(leaver("c", &got))
		b.Tell(boom{})
		synctest.Wait()
		b.Tell("discarded: it is down")
		a.Tell("1")
		synctest.Wait()
		l.down()
		if want := []string{"a 1", "c stops", "a stops"}; !slices.Equal(got.list(), want) {
			t.Error("got", got.list())
		}
		if s := b.Stats(); s.State != Stopped || s.Dropped != 1 {
			t.Errorf("%+v", s)
		}
		if len(l.Refs()) != 0 || a.Tell("x") || c.Tell("x") {
			t.Error("somebody lives")
		}
	})
}

func TestNothingStartsAfterShutdown(t *testing.T) {
	inLab(t, func(l *lab) {
		if err := l.Ping(l.t.Context()); err != nil {
			t.Error(err)
		}
		l.down()
		r := l.Spawn(Spec{Kind: "x", ID: "a", New: bomber(&note[int]{})})
		if r.Tell(1) || r.Stats().State != Stopped {
			t.Errorf("%+v", r.Stats())
		}
		l.Retire(r)
		l.Release(r)
		l.Restart(r, "x")
		if err := l.Ping(l.t.Context()); err == nil {
			t.Error("the root answers")
		}
	})
}

func TestRetireHandlesWhatWaitsThenStopping(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		r := l.Spawn(leaver("a", &got)) // not begun yet
		var want []string
		for i := range 3 * batch {
			if r.Tell(fmt.Sprint(i)) {
				want = append(want, fmt.Sprint("a ", i))
			}
		}
		l.Retire(r)
		l.Retire(r)
		if r.Tell("late") {
			t.Error("a retired actor takes messages")
		}
		pass(time.Minute)
		if !slices.Equal(got.list(), append(want, "a stops")) {
			t.Error("got", got.list())
		}
		l.must(EventStopped, 1)
	})
}

func TestSuccessorBeginsWhenTheNameIsFree(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		slow := func(who string) Spec {
			return Spec{Kind: "x", ID: "a", New: code(func(_ *Ctx, msg any) {
				time.Sleep(200 * time.Millisecond) // in the bubble
				got.add(fmt.Sprintf("%s %T", who, msg))
			})}
		}
		first := l.Spawn(slow("1"))
		first.Tell("x")
		if l.Spawn(slow("?")) != first {
			t.Error("two actors of one name")
		}
		l.Retire(first)
		second := l.Spawn(slow("2"))
		if second == first || !second.Tell("x") {
			t.Error("the name stays taken")
		}
		l.Retire(second)
		third := l.Spawn(slow("3"))
		pass(time.Minute)
		want := []string{"1 supervise.Started", "1 string", "1 supervise.Stopping", "3 supervise.Started"}
		if !slices.Equal(got.list(), want) {
			t.Error("got", got.list())
		}
		if refs := l.Refs(); len(refs) != 1 || refs[0] != third {
			t.Error("listed", len(refs))
		}
	})
}

func TestSuccessorOfASuccessorThatNeverBeganWaitsForTheFirst(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		slow := func(who string) Spec {
			return Spec{Kind: "x", ID: "a", New: code(func(_ *Ctx, msg any) {
				time.Sleep(200 * time.Millisecond) // in the bubble
				got.add(fmt.Sprintf("%s %T", who, msg))
			})}
		}
		l.Retire(l.Spawn(slow("1")))
		second := l.Spawn(slow("2"))
		second.box.shut() // as Retire does first, in another goroutine
		l.Spawn(slow("3"))
		l.Retire(second)
		pass(time.Minute)
		if want := []string{"1 supervise.Started", "1 supervise.Stopping", "3 supervise.Started"}; !slices.Equal(got.list(), want) {
			t.Error("got", got.list())
		}
	})
}

// TestRetiredBeforeTheRootKnowsIt plays Spawn in slow motion: another goroutine finds the actor in the directory first.
func TestRetiredBeforeTheRootKnowsIt(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.ref(leaver("a", &note[string]{}))
		l.directory.claim(r)
		l.Retire(l.Refs()[0])
		synctest.Wait()
		r.proc.Store(l.process(r, r.seq))
		l.report(adopt{r})
		pass(time.Second)
		if s := r.Stats(); s.State != Stopped || s.Incarnation != 0 {
			t.Errorf("%+v", s)
		}
		if l.engine.Registry.GetPID("x", processID("a", r.seq)) != nil {
			t.Error("its process is left")
		}
	})
}

func TestRetiredActorMayComeBackAtOnceAThousandTimes(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		for range 1000 {
			l.Retire(l.Spawn(leaver("a", &got)))
		}
		last := l.Spawn(leaver("a", &got))
		last.Tell("x")
		synctest.Wait()
		if all := got.list(); all[len(all)-1] != "a x" || len(l.Refs()) != 1 {
			t.Error(all, len(l.Refs()))
		}
	})
}

func TestShutdownWaitsForGoroutines(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		l.Spawn(Spec{Kind: "x", ID: "a", New: code(func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				c.Go("slow", func(ctx context.Context) {
					<-ctx.Done()
					time.Sleep(100 * time.Millisecond) // in the bubble
					got.add("left")
				})
			}
		})})
		synctest.Wait()
		l.down()
		if len(got.list()) != 1 {
			t.Error("it did not wait")
		}
	})
}

func TestShutdownAbandonsWhoHangsAndStopsTheRest(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		gate := make(chan struct{})
		defer close(gate)
		l.Spawn(leaver("a", &got))
		r := l.Spawn(Spec{Kind: "x", ID: "hangs", New: code(func(_ *Ctx, msg any) {
			if m, ok := msg.(hang); ok {
				hangInHandler(m.gate)
			}
		})})
		r.Tell(hang{gate})
		r.Tell("waits")
		synctest.Wait()
		began := time.Now()
		l.down()
		if took := time.Since(began); took != 250*time.Millisecond {
			t.Error("it took", took)
		}
		if !slices.Equal(got.list(), []string{"a stops"}) {
			t.Error("got", got.list())
		}
		if s := r.Stats(); s.State != Stopped || s.Lost != 1 || s.Dropped != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestShutdownIsPatientWithWhoMakesProgress(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "x", ID: "a", New: code(func(*Ctx, any) {
			time.Sleep(200 * time.Millisecond) // in the bubble
		})})
		for range 20 {
			r.Tell("x")
		}
		l.down()
		if s := r.Stats(); s.Done != 20 {
			t.Errorf("%+v", s)
		}
	})
}

func TestShutdownIsBoundedByItsContext(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		defer close(gate)
		for i := range 10 {
			r := l.Spawn(Spec{Kind: "x", ID: fmt.Sprint(i), New: code(func(_ *Ctx, msg any) {
				if m, ok := msg.(hang); ok {
					hangInHandler(m.gate)
				}
			})})
			r.Tell(hang{gate})
		}
		ctx, cancel := context.WithTimeout(l.t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := l.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Error(err, time.Since(began))
		}
		synctest.Wait()
		if n := len(l.Refs()); n != 0 {
			t.Error(n, "are left")
		}
		l.down() // again
	})
}

func TestShutdownOfActorsInEveryState(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		for i := range 1000 {
			r := l.Spawn(leaver(fmt.Sprint(i), &got))
			for range i % 7 {
				r.Tell(boom{})
			}
		}
		time.Sleep(300 * time.Millisecond) // in the bubble: running, waiting, beginning; none settled
		l.down()
		pass(time.Hour)
		l.must(EventStopped, 1000)
		for what, n := range map[string]int{EventStarted: len(l.said(EventStarted)), EventRestarting: len(l.said(EventRestarting))} {
			l.must(what, n)
		}
	})
}
