package supervise

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRestartKeepsOrderAndMailbox(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&got)})
		for i := range 10 {
			r.Tell(i)
			if i == 4 {
				r.Tell(boom{})
			}
		}
		synctest.Wait()
		if s := r.Stats(); s.State != Backoff || s.Depth != 5 {
			t.Errorf("while down: %+v", s)
		}
		r.Tell(10) // while it is down
		pass(time.Second)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(got.list(), want) {
			t.Error("got", got.list())
		}
		s := r.Stats()
		if s.State != Running || s.Incarnation != 2 || s.In != 12 || s.Done != 11 || s.Lost != 1 || s.Crashes != 1 || s.Restarts != 1 || s.Depth != 0 {
			t.Errorf("after: %+v", s)
		}
	})
}

type teller struct{ n int }

func (s *teller) Snapshot() string { return "n=" + strings.Repeat("i", s.n) }
func (s *teller) Receive(_ *Ctx, msg any) {
	if _, ok := msg.(boom); ok {
		panic(errors.New("out of luck"))
	}
	s.n++
}

func TestCrashRecordTellsReasonStackMessageAndState(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: func() Receiver { return &teller{} }})
		r.Tell("x")
		r.Tell(boom{})
		synctest.Wait()
		all := l.Crashes()
		if len(all) != 1 {
			t.Fatal(all)
		}
		c := all[0]
		if c.ID != 1 || c.Actor != "decky/a" || c.Incarnation != 1 || c.Reason != "out of luck" || !c.At.Equal(time.Now()) {
			t.Errorf("%+v", c)
		}
		if c.State != "n=ii" || c.Message != "supervise.boom {}" { // Started and "x"
			t.Errorf("state %q, message %q", c.State, c.Message)
		}
		lines := strings.Split(c.Stack, "\n")
		if len(lines) < 2 || !strings.Contains(lines[1], "teller).Receive") {
			t.Errorf("the stack does not begin where it panicked:\n%s", c.Stack)
		}
		e := l.must(EventRestarting, 1)
		if e.Reason != c.Reason || e.Message != c.Message || e.Stack != c.Stack || e.RetryIn != 100*time.Millisecond {
			t.Errorf("%+v", e)
		}
	})
}

// slow is an actor whose crash takes a while to be reported.
type slow struct{ gate chan struct{} }

func (s slow) Receive(_ *Ctx, msg any) {
	if _, ok := msg.(boom); ok {
		panic("boom")
	}
}

func (s slow) Snapshot() string { <-s.gate; panic("snapshot") }

func TestRetiredWhileItsCrashIsReported(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: func() Receiver { return slow{gate} }})
		r.Tell(boom{})
		r.Tell("discarded")
		synctest.Wait()
		l.Retire(r)
		synctest.Wait()
		l.must(EventStopped, 0)
		close(gate)
		l.must(EventStopped, 1)
		l.must(EventRestarting, 0)
		if s := r.Stats(); s.Dropped != 1 {
			t.Errorf("%+v", s)
		}
		if c := l.Crashes(); len(c) != 1 || c[0].State != "snapshot panicked: snapshot" {
			t.Errorf("%+v", c)
		}
	})
}

func TestCrashRecordsAreARing(t *testing.T) {
	inLabWith(t, Policy{Crashes: 3, Actor: Intensity{100, time.Second}}, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		for range 5 {
			r.Tell(boom{})
		}
		pass(time.Minute)
		var ids []uint64
		for _, c := range l.Crashes() {
			ids = append(ids, c.ID)
		}
		if !slices.Equal(ids, []uint64{3, 4, 5}) {
			t.Error("kept", ids)
		}
	})
}

func TestBackoffDoublesAndIsResetByAMinuteOfHealth(t *testing.T) {
	inLabWith(t, Policy{Actor: Intensity{1000, time.Second}}, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		wait := 100 * time.Millisecond
		for i := range 12 {
			r.Tell(boom{})
			if e := l.must(EventRestarting, i+1); e.RetryIn != wait {
				t.Fatalf("crash %d waits %v, want %v", i+1, e.RetryIn, wait)
			}
			pass(wait - 1)
			if s := r.Stats(); s.State != Backoff {
				t.Fatalf("crash %d: %v before %v are over", i+1, s.State, wait)
			}
			pass(1)
			if s := r.Stats(); s.State != Running {
				t.Fatalf("crash %d: %v after %v", i+1, s.State, wait)
			}
			wait = min(2*wait, 30*time.Second)
		}
		pass(time.Minute)
		r.Tell(boom{})
		if e := l.must(EventRestarting, 13); e.RetryIn != 100*time.Millisecond {
			t.Error("after a healthy minute it waits", e.RetryIn)
		}
	})
}

func TestTimerOfAnEarlierWaitDoesNotCutALaterOne(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		r.Tell(boom{})
		synctest.Wait()
		l.report(due{r, r.kid.turn - 1}) // it had fired when it was voided
		synctest.Wait()
		if s := r.Stats(); s.State != Backoff {
			t.Errorf("%+v", s)
		}
	})
}

func TestPanicAnywhereIsOneCrashAndNoMore(t *testing.T) {
	type poke struct{}
	onPoke := func(do func(c *Ctx)) func(*int) func() Receiver {
		return func(*int) func() Receiver {
			return code(func(c *Ctx, msg any) {
				if _, ok := msg.(poke); ok {
					do(c)
				}
			})
		}
	}
	for name, c := range map[string]struct {
		code    func(born *int) func() Receiver
		message string
	}{
		"the producer": {func(born *int) func() Receiver {
			return func() Receiver {
				if *born++; *born == 1 {
					panic("x")
				}
				return Func(func(*Ctx, any) {})
			}
		}, "supervise.Started {Incarnation:1}"},
		"a producer that returns nil": {func(born *int) func() Receiver {
			return func() Receiver {
				if *born++; *born == 1 {
					return nil
				}
				return Func(func(*Ctx, any) {})
			}
		}, "supervise.Started {Incarnation:1}"},
		"the start": {func(*int) func() Receiver {
			return code(func(_ *Ctx, msg any) {
				if msg == any(Started{1}) {
					panic("x")
				}
			})
		}, "supervise.Started {Incarnation:1}"},
		"a message":                   {onPoke(func(*Ctx) { panic("x") }), "supervise.poke {}"},
		"a goroutine":                 {onPoke(func(c *Ctx) { c.Go("reader", func(context.Context) { panic("x") }) }), "goroutine reader"},
		"a timer":                     {onPoke(func(c *Ctx) { c.After(time.Millisecond, boom{}) }), ""},
		"runtime.Goexit in a message": {onPoke(func(*Ctx) { runtime.Goexit() }), "supervise.poke {}"},
		"panic(nil)":                  {onPoke(func(*Ctx) { panic(nil) }), "supervise.poke {}"}, //nolint:govet // what is tested
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				make := c.code(new(int))
				var done note[string]
				r := l.Spawn(Spec{Kind: "decky", ID: "a", New: func() Receiver {
					inner := make()
					if inner == nil {
						return nil
					}
					return Func(func(c *Ctx, msg any) {
						if _, ok := msg.(boom); ok {
							panic("timer")
						}
						if s, ok := msg.(string); ok {
							done.add(s)
						}
						inner.Receive(c, msg)
					})
				}})
				r.Tell(poke{})
				pass(50 * time.Millisecond)
				r.Tell("after")
				pass(time.Second)
				s := r.Stats()
				if s.Crashes != 1 || s.Incarnation != 2 || s.State != Running || !slices.Equal(done.list(), []string{"after"}) {
					t.Errorf("%+v, done %v", s, done.list())
				}
				if all := l.Crashes(); len(all) != 1 || c.message != "" && all[0].Message != c.message {
					t.Errorf("%+v", all)
				}
			})
		})
	}
}

func TestPanicInStoppingStopsAllTheSame(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if _, ok := msg.(Stopping); ok {
				panic("x")
			}
		})})
		l.Retire(r)
		pass(time.Minute)
		if s := r.Stats(); s.State != Stopped || s.Crashes != 1 || s.Incarnation != 1 {
			t.Errorf("%+v", s)
		}
		l.must(EventStopped, 1)
		l.must(EventRestarting, 0)
	})
}

func TestGoroutineOfAnEndedIncarnationIsNoCrash(t *testing.T) {
	inLab(t, func(l *lab) {
		var ended note[error]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(c *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				c.Go("reader", func(ctx context.Context) {
					<-ctx.Done()
					ended.add(ctx.Err())
					panic("late")
				})
			case boom:
				panic("boom")
			}
		})})
		r.Tell(boom{})
		pass(time.Second)
		if s := r.Stats(); s.Crashes != 1 || s.Incarnation != 2 || len(ended.list()) != 1 {
			t.Errorf("%+v, ended %v", s, ended.list())
		}
	})
}

func TestTimersEndWithTheirIncarnation(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				if m.Incarnation == 1 {
					c.After(time.Second, "late")
				}
				cancel := c.After(time.Second, "cancelled")
				c.After(2*time.Second, "rings")
				cancel()
			case string:
				got.add(m)
			case boom:
				panic("boom")
			}
		})})
		synctest.Wait()
		r.Tell(boom{})
		pass(time.Minute)
		if !slices.Equal(got.list(), []string{"rings"}) {
			t.Error("got", got.list())
		}
	})
}

func TestCancelledTimerIsNotDeliveredThoughItWaits(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[string]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(c *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				cancel := c.After(time.Second, "cancelled")
				time.Sleep(2 * time.Second) // in the bubble: the message is waiting now
				cancel()
			case string:
				got.add(m)
			}
		})})
		pass(time.Minute)
		if s := r.Stats(); len(got.list()) != 0 || s.In != 0 || s.Depth != 0 {
			t.Errorf("got %v, %+v", got.list(), s)
		}
	})
}

func TestRestartOnPurposeIsACrash(t *testing.T) {
	inLab(t, func(l *lab) {
		victim := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		l.Spawn(Spec{Kind: "console", ID: "1", New: code(func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				c.Restart(victim, "operator asked")
			}
		})})
		pass(time.Second)
		if s := victim.Stats(); s.Incarnation != 2 || s.Crashes != 1 || s.State != Running {
			t.Errorf("%+v", s)
		}
		if c := l.Crashes(); len(c) != 1 || c[0].Reason != "operator asked" {
			t.Errorf("%+v", c)
		}
	})
}
