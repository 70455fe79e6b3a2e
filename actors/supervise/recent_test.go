package supervise

import (
	"testing"
	"testing/synctest"
)

type recalled int

func TestAnActorRemembersItsLastMessagesNewestFirst(t *testing.T) {
	inLab(t, func(l *lab) {
		s := l.System
		quiet := s.Spawn(Spec{Kind: "k", ID: "quiet", New: func() Receiver { return Func(func(*Ctx, any) {}) }})
		r := s.Spawn(Spec{Kind: "k", ID: "a", Remember: true, New: func() Receiver { return Func(func(*Ctx, any) {}) }})
		synctest.Wait()
		if got := r.Recent(); len(got) != 0 {
			t.Fatalf("before the first: %v", got)
		}
		for range recents + 3 {
			r.Tell(recalled(1))
		}
		r.Tell("last")
		quiet.Tell("x")
		synctest.Wait()
		got := r.Recent()
		if len(got) != recents || got[0].Type != "string" || got[1].Type != "supervise.recalled" || got[0].At.IsZero() {
			t.Errorf("%v", got)
		}
		if got := quiet.Recent(); got != nil {
			t.Errorf("nobody asked it to remember: %v", got)
		}
	})
}

// BenchmarkRemember is what remembering adds to a message: everything else is the same with and without it.
func BenchmarkRemember(b *testing.B) {
	r, h := &recent{}, hand{msg: recalled(1), letter: true}
	for b.Loop() {
		h.since++
		r.note(h)
	}
}
