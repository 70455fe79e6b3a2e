package supervise

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// numbered is a message with its place in the row that one sender sends to one actor.
type numbered struct {
	n    int
	kill bool // the actor crashes on it
}

// witness checks what one actor sees over all its incarnations: that nothing is doubled, overtaken or lost.
type witness struct {
	next, handled, killed, wrong int
	running                      atomic.Int32
}

func (w *witness) receive(_ *Ctx, msg any) {
	if w.running.Add(1) != 1 {
		w.wrong++ // two goroutines in one actor
	}
	defer w.running.Add(-1)
	m, ok := msg.(numbered)
	if !ok {
		return
	}
	if m.n != w.next {
		w.wrong++
	}
	w.next = m.n + 1
	if m.kill {
		w.killed++
		panic("chaos")
	}
	w.handled++
}

// TestTenThousandActorsCrashAndLoseNothing runs in real time: what it looks for is races.
func TestTenThousandActorsCrashAndLoseNothing(t *testing.T) {
	actors, perActor := 10_000, 15
	if testing.Short() {
		actors = 1_000
	}
	sys, err := New(Config{
		Now: time.Now, Jitter: rand.Float64,
		Policy: Policy{BackoffMin: time.Millisecond, BackoffMax: 20 * time.Millisecond, Actor: Intensity{1000, time.Second}, StopPatience: time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	witnesses, refs := make([]witness, actors), make([]*Ref, actors)
	for i := range refs {
		refs[i] = sys.Spawn(Spec{Kind: "decky", ID: fmt.Sprint(i), New: code(witnesses[i].receive)})
	}
	killed := flood(refs, perActor)
	waitUntil(t, 5*time.Minute, func() bool { return settled(refs, perActor) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := sys.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	var sum witness
	for i := range witnesses {
		w := &witnesses[i]
		sum.handled, sum.killed, sum.wrong = sum.handled+w.handled, sum.killed+w.killed, sum.wrong+w.wrong
		if s := refs[i].Stats(); s.In != s.Done+s.Lost || s.Dropped != 0 || s.Lost != int64(w.killed) || s.Crashes != s.Lost {
			t.Fatalf("%s: %+v, %d killed", refs[i].Name(), s, w.killed)
		}
	}
	t.Logf("%d messages handled, %d crashes", sum.handled, sum.killed)
	if sum.wrong != 0 || sum.killed != killed || sum.handled != actors*perActor-killed {
		t.Errorf("%d handled, %d killed of %d, %d out of order", sum.handled, sum.killed, killed, sum.wrong)
	}
}

// flood sends to all actors from several goroutines, one sender an actor, and answers how many messages were deadly.
func flood(refs []*Ref, each int) int {
	const senders = 4
	var killed atomic.Int64
	done := make(chan struct{})
	for s := range senders {
		go func() {
			dice := rand.New(rand.NewPCG(7, uint64(s)))
			for n := range each {
				for i := s; i < len(refs); i += senders {
					kill := dice.IntN(30) == 0
					if kill {
						killed.Add(1)
					}
					refs[i].Tell(numbered{n, kill})
				}
			}
			done <- struct{}{}
		}()
	}
	for range senders {
		<-done
	}
	return int(killed.Load())
}

func settled(refs []*Ref, each int) bool {
	for _, r := range refs {
		if s := r.Stats(); s.Done+s.Lost != int64(each) {
			return false
		}
	}
	return true
}

// waitUntil polls with a deadline; only tests in real time use it.
func waitUntil(t *testing.T, limit time.Duration, is func() bool) {
	t.Helper()
	deadline := time.After(limit)
	for !is() {
		select {
		case <-deadline:
			t.Fatal("it never settled")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestEverythingAtOnceSettles lets operators, senders and crashes meet on a few names. It asserts that all stop in
// order and that the books balance; the rest is the race detector's.
func TestEverythingAtOnceSettles(t *testing.T) {
	sys, err := New(Config{
		Now: time.Now, Jitter: rand.Float64,
		OnEvent: func(e Event) {
			if e.What == EventStopped && e.Reason != "" {
				t.Errorf("abandoned: %+v", e)
			}
		},
		Policy: Policy{
			BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond, QuarantineRetry: 5 * time.Millisecond,
			StopPatience: time.Minute, Root: Intensity{1 << 30, time.Minute},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	refs := map[*Ref]bool{}
	var wg sync.WaitGroup
	for s := range 4 {
		wg.Go(func() {
			dice := rand.New(rand.NewPCG(11, uint64(s)))
			for range 5_000 {
				r := meddle(t, sys, dice)
				mu.Lock()
				refs[r] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := sys.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	for r := range refs {
		if s := r.Stats(); s.State != Stopped || s.Depth != 0 || s.In < s.Done+s.Lost || s.In > s.Done+s.Lost+s.Dropped {
			t.Errorf("%s: %+v", r.Name(), s)
		}
	}
	t.Logf("%d actors, %d crash records", len(refs), len(sys.Crashes()))
}

func meddle(t *testing.T, sys *System, dice *rand.Rand) *Ref {
	id := dice.IntN(20)
	r := sys.Spawn(Spec{
		Kind: "x", ID: fmt.Sprint(id), Group: fmt.Sprint(id % 3), Subsystem: id%2 == 0, Mailbox: 16, New: answerer(),
	})
	switch dice.IntN(12) {
	case 0:
		sys.Retire(r)
	case 1:
		sys.Restart(r, "meddled")
	case 2:
		sys.Release(r)
	case 3, 4:
		r.Tell(boom{})
	case 5:
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, _ = r.Ask(ctx, later{}) // whatever it answers, it must answer
	case 6:
		_, _ = sys.Refs(), sys.Crashes()
	case 7:
		r.Tell(later{})
	default:
		r.Tell(mute{})
	}
	return r
}
