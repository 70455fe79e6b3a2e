package decky

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// ear writes down what it is told, with the second in which it was.
type ear struct {
	mu    sync.Mutex
	began time.Time
	lines []string
	last  messages.RowChange
	full  bool
}

func (e *ear) Tell(m any) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.full {
		return false
	}
	var what string
	switch m := m.(type) {
	case messages.RowChange:
		e.last = m
		what = fmt.Sprintf("%s %s→%s %s", m.Kind, m.Prev, m.State, m.Transition.Transition)
	case messages.WithdrawRow:
		what = "withdraw"
	case messages.RereadAsked:
		what = "reread"
	case messages.DeckyRetired:
		what = "retired"
	case messages.FactsWanted:
		what = "facts wanted"
	case messages.PassMarked:
		what = "pass marked: " + m.Reason
	default:
		return true
	}
	e.lines = append(e.lines, fmt.Sprintf("%.1fs %s", time.Since(e.began).Seconds(), what))
	return true
}

func (e *ear) set(full bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.full = full
}

// play runs a decky in fake time; say tells it something, wait lets time pass.
type play struct {
	t     *testing.T
	ear   *ear
	sys   *supervise.System
	decky *supervise.Ref
}

func stage(t *testing.T, story func(p *play)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		e := &ear{began: time.Now()}
		cfg := &Config{HostUUID: "local", Fleet: e, Store: e, View: &ear{}, NewID: func() string { return "id" }, Policy: DefaultPolicy()}
		p := &play{t: t, ear: e, sys: sys}
		p.decky = sys.Spawn(supervise.Spec{Kind: "decky", ID: "d1", New: func() supervise.Receiver { return New("d1", cfg) }})
		story(p)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func (p *play) say(msgs ...any) {
	for _, m := range msgs {
		p.decky.Tell(m)
	}
	synctest.Wait()
}

func (p *play) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// committed answers the last order.
func (p *play) committed() {
	p.ear.mu.Lock()
	c := p.ear.last
	p.ear.mu.Unlock()
	r := messages.RowReply{Name: "d1", Seq: c.Seq, Kind: c.Kind, Outcome: messages.Committed, Presence: messages.Present, Row: row(string(c.State), "ssh").Row, At: time.Now()}
	if c.Kind == messages.DeleteRow {
		r.Presence = messages.Absent
	}
	p.say(r)
}

func (p *play) transcript(want ...string) {
	p.t.Helper()
	p.ear.mu.Lock()
	defer p.ear.mu.Unlock()
	if got := strings.Join(p.ear.lines, "\n"); got != strings.Join(want, "\n") {
		p.t.Errorf("transcript:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

func TestStoryOfACrashAndARecovery(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
		p.committed()
		p.wait(100 * time.Millisecond)
		p.say(runs("ssh", "running"))
		p.wait(2 * time.Second)
		p.committed()
		p.transcript("0.0s update running→failed state_changed", "1.0s update failed→running state_changed")
	})
}

func TestStoryOfATeardown(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "running"))
		p.wait(time.Second)
		p.say(undeclared, granted)
		p.wait(time.Second)
		p.say(messages.RereadDone{At: time.Now()})
		p.wait(3 * time.Second)
		p.committed()
		p.transcript("1.0s reread", "3.0s delete running→torn_down deleted", "5.0s retired")
	})
}

func TestStoryOfAnEntryThatComesBackDuringTheSettle(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "running"), undeclared, granted)
		p.wait(time.Second)
		p.say(declared("ssh"))
		p.wait(10 * time.Second)
		p.transcript("0.0s reread")
	})
}

func TestAnOrderThatIsNoLongerWantedIsTakenBack(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
		p.wait(time.Second)
		p.say(runs("ssh", "running"))
		p.transcript("0.0s update running→failed state_changed", "1.0s withdraw")
	})
}

func TestAFullStoreIsAskedAgain(t *testing.T) {
	stage(t, func(p *play) {
		p.ear.set(true)
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
		p.wait(500 * time.Millisecond)
		p.ear.set(false)
		p.wait(time.Second)
		p.transcript("0.6s update running→failed state_changed")
	})
}

func TestALostOrderIsGivenAgain(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"))
		p.wait(time.Second)
		p.say(messages.OrdersLost{})
		p.transcript("0.0s update running→failed state_changed", "1.0s update running→failed state_changed")
	})
}

func TestARereadThatIsNotAnsweredIsAskedForAgain(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "running"), undeclared, granted)
		p.wait(6 * time.Second)
		p.say(messages.RereadDone{At: time.Now()})
		p.transcript("0.0s reread", "5.0s reread", "6.0s delete running→torn_down deleted")
	})
}

func TestATwinIsTriedAgainAndThenOnlyWaits(t *testing.T) {
	o := story(declared("ssh"), unrecorded, runs("ssh", "running"))
	o.twin, o.recorded.ReadAt = "other", noon
	o.now = noon.Add(time.Minute)
	if v := decide(o, DefaultPolicy()); v.want == nil || !v.wake.IsZero() {
		t.Errorf("after the wait: %+v", v)
	}
	o.now = noon.Add(time.Second)
	if v := decide(o, DefaultPolicy()); v.want != nil || !v.wake.After(o.now) || v.held == nil {
		t.Errorf("during the wait: %+v", v)
	}
}

func TestAPassIsMarkedWhenTheOrderIsAnswered(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"), runs("ssh", "exited"), messages.PassMark{Token: 1})
		p.wait(time.Second)
		p.committed()
		p.transcript("0.0s update running→failed state_changed", "1.0s pass marked: "+ReasonConverged)
	})
}

func TestARestartedDeckyAsksForItsFacts(t *testing.T) {
	stage(t, func(p *play) {
		p.say(declared("ssh"), row("running", "ssh"))
		p.sys.Restart(p.decky, "test")
		p.wait(time.Second)
		p.ear.mu.Lock()
		asked := strings.Join(p.ear.lines, "\n")
		p.ear.mu.Unlock()
		if !strings.Contains(asked, "facts wanted") {
			t.Errorf("transcript: %s", asked)
		}
	})
}
