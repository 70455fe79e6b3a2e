package supervise

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// crew spawns three members of one group and an outsider; all note their starts.
func crew(l *lab, born *note[string]) (store, publisher, outsider *Ref) {
	member := func(id, group string) *Ref {
		return l.Spawn(Spec{Kind: "sub", ID: id, Group: group, Subsystem: true, New: code(func(_ *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				born.add(id)
			case Stopping:
				born.add("stopping " + id)
			case boom:
				panic("boom")
			}
		})})
	}
	return member("store", "g"), member("publisher", "g"), member("outsider", "h")
}

// crash5 makes r crash five times, with the restarts between.
func crash5(r *Ref) {
	for range 5 {
		r.Tell(boom{})
	}
	pass(5 * time.Second)
}

func TestSubsystemThatCrashesFiveTimesRestartsItsGroup(t *testing.T) {
	inLab(t, func(l *lab) {
		var born note[string]
		store, publisher, outsider := crew(l, &born)
		pass(time.Minute)
		publisher.Tell("kept")
		crash5(publisher)
		if e := l.must(EventEscalated, 1); e.ID != "publisher" || e.RetryIn != 100*time.Millisecond {
			t.Errorf("%+v", e)
		}
		if e := l.must(EventGroupRestarted, 1); e.Kind != "group" || e.ID != "g" || e.Reason != "sub/publisher: boom" {
			t.Errorf("%+v", e)
		}
		l.must(EventQuarantined, 0)
		for r, want := range map[*Ref]uint32{store: 2, publisher: 6, outsider: 1} {
			if s := r.Stats(); s.State != Running || s.Incarnation != want {
				t.Errorf("%s: %+v, want incarnation %d", r.Name(), s, want)
			}
		}
		if s := store.Stats(); s.Crashes != 0 {
			t.Errorf("the store did not crash: %+v", s)
		}
		if slices.Contains(born.list(), "stopping store") {
			t.Error("the end by a restart of the group is no orderly stop:", born.list())
		}
	})
}

func TestGroupBeginsAgainOnlyWhenAllHaveEnded(t *testing.T) {
	inLab(t, func(l *lab) {
		var born note[string]
		busy := l.Spawn(Spec{Kind: "sub", ID: "busy", Group: "g", Subsystem: true, New: code(func(_ *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				born.add("busy")
			case string:
				time.Sleep(4 * time.Second) // in the bubble
				born.add("done")
			}
		})})
		bad := l.Spawn(Spec{Kind: "sub", ID: "bad", Group: "g", Subsystem: true, New: code(func(_ *Ctx, msg any) {
			switch m := msg.(type) {
			case Started:
				born.add(fmt.Sprint("bad ", m.Incarnation))
			case boom:
				panic("boom")
			}
		})})
		down := l.Spawn(leaver("down", &born))
		down.spec.Group = "g"
		for range 5 {
			bad.Tell(boom{})
		}
		pass(1450 * time.Millisecond)
		busy.Tell("work")
		down.Tell("early")
		down.Tell(boom{}) // it would begin again in 100 ms
		down.Tell("late")
		pass(10 * time.Second)
		all := born.list()
		if done := slices.Index(all, "done"); done < 0 || !slices.Contains(all[done:], "busy") || !slices.Contains(all[done:], "bad 6") ||
			!slices.Contains(all[done:], "down late") {
			t.Error("got", all)
		}
		l.must(EventGroupRestarted, 1)
		if s := busy.Stats(); s.Lost != 0 || s.Done != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestRetiredMemberHandlesWhatWaitsThoughItsGroupRestarts(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		r := l.Spawn(Spec{Kind: "sub", ID: "busy", Group: "g", Mailbox: 10 * batch, New: code(func(_ *Ctx, msg any) {
			if m, ok := msg.(hang); ok {
				hangInHandler(m.gate)
			}
		})})
		r.Tell(hang{gate})
		for range 5 * batch {
			r.Tell(1)
		}
		bad := l.Spawn(Spec{Kind: "sub", ID: "bad", Group: "g", Subsystem: true, New: bomber(&note[int]{})})
		crash5(bad)
		l.Retire(r)
		synctest.Wait()
		close(gate)
		pass(time.Second)
		if s := r.Stats(); s.State != Stopped || s.Done != 5*batch+1 {
			t.Errorf("%+v", s)
		}
		l.must(EventGroupRestarted, 1)
		if s := bad.Stats(); s.State != Running {
			t.Errorf("%+v", s)
		}
	})
}

// TestRetiredWhileItsEndIsReported plays the shell's part: the incarnation has ended, but the root hears of the retirement
// first.
func TestRetiredWhileItsEndIsReported(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "sub", ID: "a", Group: "g", New: bomber(&note[int]{})})
		synctest.Wait()
		r.box.fall(r.box.owner, false)
		l.Retire(r)
		synctest.Wait()
		l.must(EventStopped, 0)
		l.report(halted{r, 1})
		l.must(EventStopped, 1)
	})
}

func TestSubsystemWithoutGroupRestartsAlone(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "sub", ID: "a", Subsystem: true, New: bomber(&note[int]{})})
		other := l.Spawn(Spec{Kind: "sub", ID: "b", Subsystem: true, New: bomber(&note[int]{})})
		crash5(r)
		l.must(EventGroupRestarted, 1)
		if s := r.Stats(); s.State != Running || other.Stats().Incarnation != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestRootGivesUpAtTheThirdEscalation(t *testing.T) {
	inLab(t, func(l *lab) {
		store, publisher, outsider := crew(l, &note[string]{})
		crash5(store)
		crash5(outsider)
		select {
		case err := <-l.Fatal():
			t.Fatal("after two escalations:", err)
		default:
		}
		crash5(publisher)
		l.must(EventEscalated, 3)
		l.must(EventGroupRestarted, 2)
		select {
		case err := <-l.Fatal():
			if !errors.Is(err, ErrGaveUp) {
				t.Error(err)
			}
			t.Log(err)
		default:
			t.Error("three escalations and no end")
		}
	})
}

func TestEscalationsFarApartAreNotFatal(t *testing.T) {
	inLab(t, func(l *lab) {
		store, _, _ := crew(l, &note[string]{})
		for range 10 {
			crash5(store)
			pass(3 * time.Minute)
		}
		l.must(EventGroupRestarted, 10)
		if len(l.fatal) != 0 {
			t.Error(<-l.Fatal())
		}
	})
}

func TestMemberInQuarantineRetryIsNotLeftBehind(t *testing.T) {
	inLab(t, func(l *lab) {
		plain := l.Spawn(Spec{Kind: "x", ID: "plain", Group: "g", New: bomber(&note[int]{})})
		sub := l.Spawn(Spec{Kind: "x", ID: "sub", Group: "g", Subsystem: true, New: bomber(&note[int]{})})
		crash5(plain)
		pass(57 * time.Second) // retried, and runs
		crash5(sub)
		if s := plain.Stats(); s.State != Running || s.Incarnation != 7 {
			t.Errorf("%+v", s)
		}
		crash5(plain)
		crash5(sub)
		if s := plain.Stats(); s.State != Quarantined {
			t.Errorf("the restart of the group took it out of quarantine: %+v", s)
		}
		pass(time.Minute)
		if s := plain.Stats(); s.State != Running {
			t.Errorf("its own retry was lost: %+v", s)
		}
	})
}
