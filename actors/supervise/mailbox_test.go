package supervise

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestMailboxRefusesAboveItsBoundAndCounts(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		gate := make(chan struct{})
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 3, New: code(func(_ *Ctx, msg any) {
			if i, ok := msg.(int); ok {
				<-gate
				got.add(i)
			}
		})})
		synctest.Wait()
		var told []bool
		for i := range 6 { // one in hand, three wait
			told = append(told, r.Tell(i))
			synctest.Wait()
		}
		if !slices.Equal(told, []bool{true, true, true, true, false, false}) {
			t.Error("told", told)
		}
		began := time.Now()
		pass(2 * time.Second)
		if s := r.Stats(); s.Depth != 3 || s.HighWater != 3 || s.Dropped != 2 || s.In != 4 || s.Done != 0 ||
			s.InHandlerSince.Sub(began).Abs() > time.Second || s.OldestSince.Sub(began).Abs() > time.Second {
			t.Errorf("full: %+v", s)
		}
		close(gate)
		synctest.Wait()
		if s := r.Stats(); s.Depth != 0 || s.HighWater != 3 || s.Done != 4 || !s.InHandlerSince.IsZero() || !s.OldestSince.IsZero() {
			t.Errorf("empty: %+v", s)
		}
		if !slices.Equal(got.list(), []int{0, 1, 2, 3}) {
			t.Error("got", got.list())
		}
	})
}

func TestMailboxKeepsItsBoundWhileTheActorIsDown(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 3, New: bomber(&got)})
		r.Tell(boom{})
		synctest.Wait()
		for i := range 5 {
			if told := r.Tell(i); told != (i < 3) {
				t.Errorf("message %d: told %v", i, told)
			}
		}
		pass(time.Second)
		if !slices.Equal(got.list(), []int{0, 1, 2}) {
			t.Error("got", got.list())
		}
	})
}

func TestTimerPassesTheBound(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[any]
		gate := make(chan struct{})
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 1, New: code(func(c *Ctx, msg any) {
			if _, ok := msg.(Started); ok {
				c.After(time.Second, "timer")
				<-gate
				return
			}
			got.add(msg)
		})})
		r.Tell("full")
		pass(2 * time.Second)
		close(gate)
		synctest.Wait()
		if !slices.Equal(got.list(), []any{"full", "timer"}) {
			t.Error("got", got.list())
		}
	})
}

func TestMessagesBeforeTheFirstStartWait(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[any]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) { got.add(msg) })})
		if !r.Tell(1) || !r.Tell(2) {
			t.Error("a new actor refuses messages")
		}
		synctest.Wait()
		if !slices.Equal(got.list(), []any{Started{1}, 1, 2}) {
			t.Error("got", got.list())
		}
	})
}

func TestLongQueueDoesNotDelayOrders(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", Mailbox: 10 * batch, New: bomber(&got)})
		for i := range 10 * batch {
			r.Tell(i)
		}
		synctest.Wait()
		if n := len(got.list()); n != 10*batch {
			t.Error("handled", n)
		}
		if s := r.Stats(); s.Done != 10*batch || s.Depth != 0 || s.HighWater > 10*batch {
			t.Errorf("%+v", s)
		}
	})
}
