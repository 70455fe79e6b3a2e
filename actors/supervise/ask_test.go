package supervise

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type (
	echo  struct{ msg any } // answered with msg
	often struct{}          // answered three times
	later struct{}          // answered from a goroutine after a second
	mute  struct{}          // never answered
)

// answerer is an actor for every way to answer.
func answerer() func() Receiver {
	return code(func(c *Ctx, msg any) {
		switch m := msg.(type) {
		case echo:
			c.Respond(m.msg)
		case often:
			c.Respond(1)
			c.Respond(2)
			c.Respond(3)
		case later:
			c.Go("answer", func(ctx context.Context) {
				select {
				case <-ctx.Done():
				case <-time.NewTimer(time.Second).C:
					c.Respond("late")
				}
			})
		case boom:
			panic("boom")
		}
	})
}

func TestAskIsAnswered(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
		for _, c := range []struct{ ask, want any }{{echo{1}, 1}, {echo{nil}, nil}, {often{}, 1}, {later{}, "late"}} {
			if got, err := r.Ask(l.t.Context(), c.ask); got != c.want || err != nil {
				t.Errorf("ask %+v: %v, %v", c.ask, got, err)
			}
		}
		r.Tell(echo{1}) // nobody asks: Respond does nothing
		if got, err := r.Ask(l.t.Context(), echo{2}); got != 2 || err != nil {
			t.Error(got, err)
		}
	})
}

func TestAnswersDoNotMixWhileAQuestionIsOpen(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
		first := make(chan any, 1)
		go func() {
			got, _ := r.Ask(l.t.Context(), later{})
			first <- got
		}()
		synctest.Wait()
		for i := range 10 {
			if got, err := r.Ask(l.t.Context(), echo{i}); got != i || err != nil {
				t.Error(got, err)
			}
		}
		if got := <-first; got != "late" {
			t.Error("the open question got", got)
		}
	})
}

func TestAskNeverHangs(t *testing.T) {
	for name, c := range map[string]struct {
		before func(l *lab, r *Ref)
		ask    any
		want   error
		within time.Duration
	}{
		"an actor that does not answer":     {nil, mute{}, context.DeadlineExceeded, 3 * time.Second},
		"an actor that crashes on it":       {nil, boom{}, ErrCrashed, 0},
		"an actor that is down":             {func(_ *lab, r *Ref) { r.Tell(boom{}) }, mute{}, context.DeadlineExceeded, 3 * time.Second},
		"a stopped actor":                   {func(l *lab, r *Ref) { l.Retire(r); synctest.Wait() }, echo{1}, ErrStopped, 0},
		"an actor that is being stopped":    {func(l *lab, r *Ref) { l.Retire(r) }, echo{1}, ErrStopped, 0},
		"an actor in quarantine":            {break5, echo{1}, ErrQuarantined, 0},
		"an actor of a system that is down": {func(l *lab, _ *Ref) { l.down() }, echo{1}, ErrStopped, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, func(l *lab) {
				r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
				synctest.Wait()
				if c.before != nil {
					c.before(l, r)
				}
				ctx, cancel := context.WithTimeout(l.t.Context(), 3*time.Second)
				defer cancel()
				began := time.Now()
				got, err := r.Ask(ctx, c.ask)
				if got != nil || !errors.Is(err, c.want) {
					t.Errorf("got %v, %v; want %v", got, err, c.want)
				}
				if took := time.Since(began); took != c.within {
					t.Errorf("it took %v, want %v", took, c.within)
				}
			})
		})
	}
}

func TestAskOfAFullMailboxSaysSo(t *testing.T) {
	inLab(t, func(l *lab) {
		release := make(chan struct{})
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 1, New: code(func(*Ctx, any) { <-release })})
		defer close(release)
		r.Tell(mute{})
		synctest.Wait() // it is busy with that
		r.Tell(mute{})
		if _, err := r.Ask(l.t.Context(), echo{1}); !errors.Is(err, ErrFull) {
			t.Error(err)
		}
	})
}

func TestAskWithoutDeadlineHasOne(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
		began := time.Now()
		if _, err := r.Ask(context.Background(), mute{}); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second {
			t.Error(err, time.Since(began))
		}
	})
}

func TestQuestionsEndWithTheIncarnationThatHasThem(t *testing.T) {
	inLab(t, func(l *lab) {
		for what, end := range map[error]func(r *Ref){
			ErrCrashed: func(r *Ref) { r.Tell(boom{}) },
			ErrStopped: l.Retire,
		} {
			r := l.Spawn(Spec{Kind: "decky", ID: what.Error(), New: answerer()})
			answer := make(chan error, 1)
			go func() {
				_, err := r.Ask(l.t.Context(), later{})
				answer <- err
			}()
			synctest.Wait()
			began := time.Now()
			end(r)
			if err := <-answer; !errors.Is(err, what) || time.Since(began) != 0 {
				t.Error(err, time.Since(began))
			}
		}
	})
}

func TestWaitingQuestionsOfAnActorThatStopsWhileDownAreAnswered(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
		r.Tell(boom{})
		synctest.Wait()
		answer := make(chan error, 1)
		go func() {
			_, err := r.Ask(l.t.Context(), echo{1})
			answer <- err
		}()
		synctest.Wait()
		l.Retire(r)
		if err := <-answer; !errors.Is(err, ErrStopped) {
			t.Error(err)
		}
		if s := r.Stats(); s.Dropped != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestUnansweredQuestionsLeaveNothingBehind(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: answerer()})
		for range 10 {
			if _, err := r.Ask(l.t.Context(), mute{}); err == nil {
				t.Error("answered")
			}
		}
		if owed := len(r.live.Load().owed); owed != 0 {
			t.Error(owed, "questions are kept")
		}
	})
}
