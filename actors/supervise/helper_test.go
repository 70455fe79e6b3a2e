package supervise

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anthdm/hollywood/actor"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is a System in a synctest bubble with what it said.
type lab struct {
	*System
	t      *testing.T
	mu     sync.Mutex
	events []Event
}

// inLab runs story in a bubble with fake time and shuts the system down after it, unless story did.
func inLab(t *testing.T, story func(l *lab)) { inLabWith(t, Policy{}, story) }

func inLabWith(t *testing.T, p Policy, story func(l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t}
		sys, err := New(Config{
			Now: time.Now, Jitter: func() float64 { return 0.5 }, // 0.5 is no jitter at all
			OnEvent: func(e Event) { l.mu.Lock(); defer l.mu.Unlock(); l.events = append(l.events, e) }, Policy: p,
		})
		if err != nil {
			t.Fatal(err)
		}
		l.System = sys
		var restarts note[any]
		l.engine.Subscribe(l.engine.SpawnFunc(func(c *actor.Context) {
			switch m := c.Message().(type) {
			case actor.ActorRestartedEvent, actor.ActorMaxRestartsExceededEvent, actor.ActorDuplicateIdEvent:
				restarts.add(m)
			}
		}, "witness"))
		story(l)
		l.down()
		if all := restarts.list(); len(all) != 0 {
			t.Errorf("hollywood's own restarts were reached: %+v", all)
		}
	})
}

func (l *lab) down() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Shutdown(ctx); err != nil {
		l.t.Error("shutdown:", err)
	}
	synctest.Wait()
}

// pass lets fake time go on and everything come to rest.
func pass(d time.Duration) {
	time.Sleep(d) // in the bubble: no real time
	synctest.Wait()
}

// said answers the events of one kind so far.
func (l *lab) said(what string) []Event {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Event
	for _, e := range l.events {
		if e.What == what {
			out = append(out, e)
		}
	}
	return out
}

// must fails the test unless what was said n times; it answers the last.
func (l *lab) must(what string, n int) Event {
	l.t.Helper()
	said := l.said(what)
	if len(said) != n {
		l.t.Fatalf("%q was said %d times, want %d: %+v", what, len(said), n, said)
	}
	if n == 0 {
		return Event{}
	}
	return said[n-1]
}

// note collects what actors did, from any goroutine.
type note[T any] struct {
	mu  sync.Mutex
	all []T
}

func (n *note[T]) add(v T) { n.mu.Lock(); defer n.mu.Unlock(); n.all = append(n.all, v) }

func (n *note[T]) list() []T { n.mu.Lock(); defer n.mu.Unlock(); return append([]T(nil), n.all...) }

// code makes a producer of f.
func code(f Func) func() Receiver { return func() Receiver { return f } }

type boom struct{} // an actor of bomber panics on it

// bomber notes the ints it gets and panics on a boom.
func bomber(got *note[int]) func() Receiver {
	return code(func(_ *Ctx, msg any) {
		switch m := msg.(type) {
		case int:
			got.add(m)
		case boom:
			panic("boom")
		}
	})
}
