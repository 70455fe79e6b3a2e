package supervise

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestQuarantineByOrderLastsUntilTheRelease(t *testing.T) {
	inLab(t, func(l *lab) {
		var got note[int]
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&got)})
		r.Tell(1)
		synctest.Wait()
		l.Quarantine(r, "alice: drill")
		synctest.Wait()
		if e := l.must(EventQuarantined, 1); e.Reason != "alice: drill" || e.RetryIn != 0 {
			t.Errorf("%+v", e)
		}
		if c := l.Crashes(); len(c) != 1 || c[0].Reason != "alice: drill" || c[0].Message != "on purpose" {
			t.Errorf("%+v", c)
		}
		pass(time.Hour)
		if s := r.Stats(); s.State != Quarantined || s.Incarnation != 1 || r.Tell(2) {
			t.Errorf("an hour later: %+v", s)
		}
		l.Release(r)
		synctest.Wait()
		if s := r.Stats(); s.State != Running || s.Incarnation != 2 {
			t.Errorf("released: %+v", s)
		}
		r.Tell(boom{})
		pass(time.Second)
		if s := r.Stats(); s.State != Running || s.Incarnation != 3 {
			t.Errorf("a crash after the release: %+v", s)
		}
	})
}

func TestQuarantineByOrderVoidsTheNextTry(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		break5(l, r)
		l.Quarantine(r, "stay there")
		pass(10 * time.Minute)
		if s := r.Stats(); s.State != Quarantined || s.Incarnation != 5 {
			t.Errorf("%+v", s)
		}
	})
}

func TestQuarantineByOrderOutlastsTheRestartOfTheGroup(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.Spawn(Spec{Kind: "x", ID: "a", Group: "g", Subsystem: true, New: bomber(&note[int]{})})
		b := l.Spawn(Spec{Kind: "x", ID: "b", Group: "g", New: bomber(&note[int]{})})
		for range 4 {
			a.Tell(boom{})
			pass(5 * time.Second)
		}
		l.Quarantine(b, "drill")
		a.Tell(boom{})
		pass(30 * time.Second)
		l.must(EventGroupRestarted, 1)
		if s := b.Stats(); s.State != Quarantined {
			t.Errorf("%+v", s)
		}
	})
}

func TestKillDoesNotWaitForTheHandler(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		defer close(gate)
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(_ *Ctx, msg any) {
			if h, is := msg.(hang); is {
				hangInHandler(h.gate)
			}
		})})
		r.Tell(hang{gate})
		synctest.Wait()
		l.Restart(r, "waits for the handler: it is not stuck yet")
		synctest.Wait()
		if s := r.Stats(); s.Crashes != 0 {
			t.Fatalf("restart: %+v", s)
		}
		l.Kill(r, "drill")
		pass(time.Second)
		if s := r.Stats(); s.State != Running || s.Incarnation != 2 || s.Crashes != 1 || s.Lost != 1 {
			t.Errorf("kill: %+v", s)
		}
		l.must(EventReplaced, 1)
	})
}

func TestCrashRecordsGoOnCountingWhereTheLastLifeEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept note[Crash]
		sys, err := New(Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, LastCrash: 41, OnCrash: func(c Crash) {
			kept.add(c)
			panic("a keeper that is broken")
		}})
		if err != nil {
			t.Fatal(err)
		}
		r := sys.Spawn(Spec{Kind: "decky", ID: "a", New: bomber(&note[int]{})})
		r.Tell(boom{})
		pass(time.Second)
		if all := kept.list(); len(all) != 1 || all[0].ID != 42 || all[0] != sys.Crashes()[0] {
			t.Errorf("%+v", all)
		}
		if s := r.Stats(); s.State != Running || s.Since.IsZero() {
			t.Errorf("%+v", s)
		}
		if err := sys.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
