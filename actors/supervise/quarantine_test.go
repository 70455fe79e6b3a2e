package supervise

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// break5 crashes the actor five times; the messages after the crashes are kept.
func break5(l *lab, r *Ref) {
	for range 5 {
		r.Tell(boom{})
	}
	r.Tell(1)
	r.Tell(2)
	pass(5 * time.Second)
	if s := r.Stats(); s.State != Quarantined || s.Depth != 2 || s.Crashes != 5 {
		l.t.Fatalf("%+v", s)
	}
}

func TestFiveCrashesGoToQuarantineAndARetryComesEveryMinute(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&got)})
		break5(l, r)
		if e := l.must(EventQuarantined, 1); e.Reason != "boom" || e.RetryIn != time.Minute || e.Incarnation != 5 {
			t.Errorf("%+v", e)
		}
		l.must(EventRestarting, 4)
		if r.Tell(3) {
			t.Error("an actor in quarantine takes messages")
		}
		pass(57 * time.Second)
		if s := r.Stats(); s.State != Running || !slices.Equal(got.list(), []int{1, 2}) {
			t.Errorf("after the retry: %+v, got %v", s, got.list())
		}
		if !r.Tell(3) {
			t.Error("an actor that runs again refuses messages")
		}
		r.Tell(boom{})
		synctest.Wait()
		if s := r.Stats(); s.State != Quarantined {
			t.Errorf("one crash after the retry: %+v", s)
		}
		pass(2*time.Minute + time.Second) // retried, and healthy for a minute
		r.Tell(boom{})
		synctest.Wait()
		if s := r.Stats(); s.State != Backoff {
			t.Errorf("one crash after a healthy minute: %+v", s)
		}
	})
}

func TestReleaseEndsQuarantineWithACleanHistory(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&got)})
		break5(l, r)
		l.Release(r)
		synctest.Wait()
		l.must(EventReleased, 1)
		if s := r.Stats(); s.State != Running || !slices.Equal(got.list(), []int{1, 2}) {
			t.Errorf("%+v, got %v", s, got.list())
		}
		l.Release(r) // of one that is not in quarantine
		r.Tell(boom{})
		synctest.Wait()
		if s := r.Stats(); s.State != Backoff {
			t.Errorf("one crash after the release: %+v", s)
		}
		l.must(EventReleased, 1)
		pass(2 * time.Minute) // the retry that the release overtook must not begin a second incarnation
		if s := r.Stats(); s.State != Running || s.Incarnation != 7 {
			t.Errorf("later: %+v", s)
		}
	})
}

func TestProducerThatNeverWorksIsRetriedForEver(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: func() Receiver { panic("x") }})
		pass(time.Hour)
		if s := r.Stats(); s.State != Quarantined || s.Crashes < 60 || s.Crashes > 70 {
			t.Errorf("%+v", s)
		}
	})
}

func TestStormOfManyActorsIsAnnouncedOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		for i := range 300 {
			l.Spawn(Spec{Kind: "decky", ID: string(rune('A' + i)), New: bomber(&note[int]{})}).Tell(boom{})
		}
		synctest.Wait()
		l.must(EventStorm, 1)
	})
}
