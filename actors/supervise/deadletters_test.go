package supervise

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func letterOf(l *lab, id, typ, why string) int64 {
	groups, _ := l.Letters()
	for _, g := range groups {
		if g.ID == id && g.Type == typ && g.Why == why {
			return g.Count
		}
	}
	return 0
}

func TestWhatNobodyTakesIsADeadLetter(t *testing.T) {
	inLab(t, func(l *lab) {
		gate := make(chan struct{})
		slow := l.Spawn(Spec{Kind: "decky", ID: "slow", Mailbox: 2, New: code(func(_ *Ctx, msg any) {
			if _, is := msg.(int); is {
				<-gate
			}
		})})
		slow.Tell(1)
		synctest.Wait()
		for range 5 {
			slow.Tell("x") // two fit
		}
		if n := letterOf(l, "slow", "string", "full"); n != 3 {
			t.Errorf("full: %d", n)
		}
		close(gate)
		jailed := l.Spawn(Spec{Kind: "decky", ID: "jailed", New: bomber(&note[int]{})})
		l.Quarantine(jailed, "drill")
		synctest.Wait()
		jailed.Tell(boom{})
		if n := letterOf(l, "jailed", "supervise.boom", "quarantined"); n != 1 {
			t.Errorf("quarantined: %d", n)
		}
		down := l.Spawn(Spec{Kind: "decky", ID: "down", New: bomber(&note[int]{})})
		synctest.Wait()
		down.Tell(boom{})
		down.Tell(7)
		synctest.Wait()
		l.Retire(down)
		synctest.Wait()
		down.Tell(8)
		if d, s := letterOf(l, "down", "int", "discarded"), letterOf(l, "down", "int", "stopped"); d != 1 || s != 1 {
			t.Errorf("discarded %d, stopped %d", d, s)
		}
		if _, total := l.Letters(); total != 6 {
			t.Errorf("total %d", total)
		}
	})
}

func TestDeadLettersOfManyActorsAreBounded(t *testing.T) {
	var d deadLetters
	for i := range 5 * maxLetters {
		d.note(&Ref{spec: Spec{Kind: "decky", ID: fmt.Sprint(i)}}, 1, letterFull, int64(i))
	}
	last := letterKey{"decky", fmt.Sprint(5*maxLetters - 1), nil, letterFull}
	found := false
	for key := range d.groups {
		found = found || key.id == last.id
	}
	if len(d.groups) > maxLetters || !found || d.total != 5*maxLetters {
		t.Errorf("%d groups, the last is there: %v, total %d", len(d.groups), found, d.total)
	}
}

func TestATimerThatIsDiscardedIsNoLetter(t *testing.T) {
	inLab(t, func(l *lab) {
		r := l.Spawn(Spec{Kind: "decky", ID: "a", New: code(func(c *Ctx, msg any) {
			switch msg.(type) {
			case Started:
				c.After(time.Minute, 1)
			case boom:
				c.After(0, 2)
				panic("boom")
			}
		})})
		synctest.Wait()
		r.Tell(boom{})
		synctest.Wait()
		l.Retire(r)
		synctest.Wait()
		if _, total := l.Letters(); total != 0 {
			t.Errorf("total %d", total)
		}
	})
}
