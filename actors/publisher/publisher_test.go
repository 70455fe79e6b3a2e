package publisher

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestNothingIsPublishedBeforeOwnership(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().commit("a", "b")
		l.pass(time.Minute)
		if l.bus.count().links != 0 || len(l.bus.received()) != 0 {
			t.Errorf("%d links, %v published", l.bus.count().links, l.bus.received())
		}
		if got := l.states("bus"); !reflect.DeepEqual(got, []string{"standby"}) {
			t.Errorf("bus is %v", got)
		}
		if l.store.all()[0] != (messages.OwnershipWanted{}) {
			t.Error("it never asked who the owner is")
		}
		l.own(true)
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, upTo(2)) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestCommittedRowsAreAcknowledgedAfterTheirEcho(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(100 * time.Millisecond)
		l.commit("a", "b", "a")
		if got := l.unacknowledged(); got != 3 {
			t.Errorf("%d on their way, want 3", got)
		}
		l.pass(150 * time.Millisecond)
		if got := l.acked(); len(got) != 0 {
			t.Errorf("the store heard of %v within 150 ms", got)
		}
		l.pass(100 * time.Millisecond)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1, 2, 3}) {
			t.Errorf("acknowledged %v", got)
		}
		if got := l.unacknowledged(); got != 0 {
			t.Errorf("%d on their way, want 0", got)
		}
		if l.table.count() != 1 {
			t.Errorf("the outbox was read %d times, once is enough", l.table.count())
		}
	})
}

func TestLostMessageIsFoundInTheOutbox(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		l.next++
		l.table.commit(row(l.next, "a")) // the store's message was refused
		l.commit("b")
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1, 2}) {
			t.Errorf("acknowledged %v", got)
		}
		l.next++
		l.table.commit(row(l.next, "c")) // and no later one tells of it
		l.pass(auditEvery + time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1, 2, 3}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestTenThousandRowsGoInOrderAtThePaceAndWithinMemory(t *testing.T) {
	inLab(t, func(l *lab) {
		const n = 10000
		for i := int64(1); i <= n; i++ {
			l.table.commit(row(i, fmt.Sprint("d", i%700)))
		}
		began := time.Now()
		l.start().own(true)
		for l.unacknowledged() > 0 && time.Since(began) < time.Minute {
			l.pass(50 * time.Millisecond)
		}
		if took := time.Since(began); took > 4*time.Second || took < 2*time.Second {
			t.Errorf("took %v, the pace is 4000/s", took)
		}
		got := l.bus.received()
		if len(got) != n {
			t.Fatalf("%d arrived", len(got))
		}
		last := map[int64]string{}
		for _, id := range got {
			k, err := strconv.ParseInt(id, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			if last[k%700] >= id {
				t.Fatalf("%s after %s", id, last[k%700])
			}
			last[k%700] = id
		}
		if acked := l.acked(); len(acked) != n {
			t.Errorf("%d acknowledged", len(acked))
		}
		if l.table.widest > 1024 {
			t.Errorf("%d rows were asked for at once", l.table.widest)
		}
	})
}

func TestBusAwayLosesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.bus.down = true
		l.start().own(true)
		for i := range 3000 {
			l.commit(fmt.Sprint("d", i%50))
		}
		l.pass(time.Minute)
		if got := l.states("bus"); !slices.Contains(got, "down") {
			t.Errorf("bus is %v", got)
		}
		if got := l.unacknowledged(); got != 3000 {
			t.Errorf("%d on their way, want 3000", got)
		}
		if got := l.detail("outbox"); got != "depth 3000, parked 0" {
			t.Errorf("outbox: %s", got)
		}
		l.bus.set(func(b *fakeBus) { b.down = false })
		l.pass(10 * time.Second)
		if got := l.acked(); len(got) != 3000 {
			t.Errorf("%d acknowledged", len(got))
		}
		if got := l.states("bus"); got[len(got)-1] != "ok" {
			t.Errorf("bus is %v", got)
		}
	})
}

func TestServerThatDiesAgainAndAgainLosesNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(100 * time.Millisecond)
		for i := range 2000 {
			l.commit(fmt.Sprint("d", i%50))
			if i%100 == 50 {
				l.bus.kill()
			}
			l.pass(time.Millisecond)
		}
		l.pass(5 * time.Second)
		acked := l.acked()
		slices.Sort(acked)
		if !reflect.DeepEqual(acked, upTo(2000)) {
			t.Errorf("%d acknowledged", len(acked))
		}
		if len(l.table.out()) != 0 {
			t.Errorf("parked %v", l.table.out())
		}
	})
}

func TestPoisonIsParkedAndShown(t *testing.T) {
	inLab(t, func(l *lab) {
		l.bus.poison[fmt.Sprintf("%032x", 2)] = true
		l.start().own(true)
		l.commit("a", "bad", "bad", "c")
		l.table.fail(errors.New("locked")) // parking has to be tried again
		l.pass(20 * time.Second)
		l.table.fail(nil)
		l.pass(2 * time.Second)
		if len(l.table.out()) != 1 || l.table.out()[2] == "" {
			t.Errorf("parked %v", l.table.out())
		}
		got := l.acked()
		slices.Sort(got)
		if !reflect.DeepEqual(got, []int64{1, 3, 4}) {
			t.Errorf("acknowledged %v", got)
		}
		if got := l.states("outbox"); got[len(got)-1] != "degraded" {
			t.Errorf("outbox is %v", got)
		}
		for _, m := range l.view.all() {
			if e, ok := m.(messages.EventHappened); ok {
				if e.Event.Target != "bad" || e.Event.Type != "parked" || e.Event.Payload == nil {
					t.Errorf("got %+v", e)
				}
				return
			}
		}
		t.Error("the view was not told")
	})
}

func TestReleasedRowIsSentWhenAsked(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start()
		l.table.release(1, "once")
		l.commit("a", "b")
		l.own(true)
		l.pass(time.Second)
		l.table.release(1, "")
		l.tell(messages.ReplayParked{})
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{2, 1}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestStalledServerKeepsItsLinkForSixSeconds(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		l.bus.set(func(b *fakeBus) { b.deaf = true })
		l.commit("a")
		l.pass(5900 * time.Millisecond)
		if l.bus.count().links != 1 {
			t.Errorf("%d links after 5.9 s", l.bus.count().links)
		}
		l.pass(200 * time.Millisecond)
		if l.bus.count().links != 2 {
			t.Errorf("%d links after 6.1 s", l.bus.count().links)
		}
		l.bus.set(func(b *fakeBus) { b.deaf = false })
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestMovedSocketIsFollowedBeforeTheNextRow(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		l.bus.set(func(b *fakeBus) { b.current.moved = true })
		l.commit("a")
		l.pass(100 * time.Millisecond)
		if l.bus.count().links != 2 || len(l.bus.received()) != 1 {
			t.Errorf("%d links, received %v", l.bus.count().links, l.bus.received())
		}
		l.bus.set(func(b *fakeBus) { b.current.moved = true })
		l.pass(1100 * time.Millisecond)
		if l.bus.count().links != 3 {
			t.Error("an idle link is not looked at")
		}
	})
}

func TestLostOwnershipEndsTheLink(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		old := l.bus.current
		l.own(false).commit("a")
		select {
		case <-old.gone:
		default:
			t.Error("the link still stands")
		}
		health := l.bus.count().health
		l.pass(time.Minute)
		if len(l.bus.received()) != 0 || l.bus.count().health != health {
			t.Errorf("published %v, %d heartbeats", l.bus.received(), l.bus.count().health-health)
		}
		l.own(true)
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestFullStoreHearsOfAcknowledgementsLater(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.store.setFull(true)
		l.commit("a", "b")
		l.pass(time.Minute)
		if got := l.unacknowledged(); got != 2 {
			t.Errorf("%d on their way", got)
		}
		l.store.setFull(false)
		l.pass(time.Second)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1, 2}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestStoreThatTakesNothingStopsThePublisherInTheEnd(t *testing.T) {
	inLab(t, func(l *lab) {
		for i := int64(1); i <= 3*ackLimit; i++ {
			l.table.commit(row(i, fmt.Sprint("d", i%700)))
		}
		l.start()
		l.store.setFull(true)
		l.own(true).pass(time.Minute)
		if n := len(l.bus.received()); n < ackLimit || n > ackLimit+1024 {
			t.Errorf("%d rows were published, their acknowledgements must fit into memory", n)
		}
		l.store.setFull(false)
		l.pass(time.Minute)
		if n := len(l.acked()); n != 3*ackLimit {
			t.Errorf("%d acknowledged", n)
		}
	})
}

func TestOrderlyStopHandsOverWhatIsAcknowledged(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		l.commit("a")
		l.pass(10 * time.Millisecond)
		l.sys.Retire(l.ref)
		l.pass(time.Millisecond)
		if got := l.acked(); !reflect.DeepEqual(got, []int64{1}) {
			t.Errorf("acknowledged %v", got)
		}
	})
}

func TestCrashCostsDuplicatesOnly(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		l.commit("a", "b", "c")
		l.pass(2 * time.Millisecond)
		l.sys.Restart(l.ref, "on purpose")
		l.pass(time.Second)
		l.own(true) // as the store answers to OwnershipWanted
		l.pass(2 * time.Second)
		got := l.acked()
		slices.Sort(got)
		if got = slices.Compact(got); !reflect.DeepEqual(got, []int64{1, 2, 3}) {
			t.Errorf("acknowledged %v", got)
		}
		if n := l.asked(); n != 2 {
			t.Errorf("asked for ownership %d times, want 2", n)
		}
	})
}

func (l *lab) asked() (n int) {
	for _, m := range l.store.all() {
		if m == (any)(messages.OwnershipWanted{}) {
			n++
		}
	}
	return n
}

func TestHeartbeatsPassAndThePulseHearsTheBus(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		before := l.bus.count().health
		l.tell(messages.PublishNow{Topic: messages.HealthTopic, Type: messages.HealthType, Payload: []byte(`{"worker":"reconciler"}`)})
		l.pass(10 * time.Millisecond)
		if l.bus.count().health != before+1 {
			t.Errorf("%d heartbeats", l.bus.count().health-before)
		}
		l.bus.say(messages.HealthHeard{Instance: "other"})
		l.bus.say(messages.ControlHeard{Action: "stop"})
		l.pass(time.Millisecond)
		want := []any{messages.BusReady{}, messages.HealthHeard{Instance: "other"}, messages.ControlHeard{Action: "stop"}}
		if got := l.pulse.all(); !reflect.DeepEqual(got, want) {
			t.Errorf("the pulse heard %+v", got)
		}
		if c := l.stats.Counts(); c.Links != 1 || c.Probes != 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestFailingOutboxIsReportedAndAskedAgain(t *testing.T) {
	inLab(t, func(l *lab) {
		l.table.fail(errors.New("database is locked"))
		l.start().own(true).commit("a")
		l.pass(10500 * time.Millisecond)
		if l.table.count() < 9 || l.table.count() > 12 {
			t.Errorf("read %d times in 10.5 s", l.table.count())
		}
		if got := l.states("outbox"); got[len(got)-1] != "down" {
			t.Errorf("outbox is %v", got)
		}
		l.table.fail(nil)
		l.pass(2 * time.Second)
		if got := l.states("outbox"); got[len(got)-1] != "ok" || len(l.acked()) != 1 {
			t.Errorf("outbox is %v, acknowledged %v", got, l.acked())
		}
	})
}

func TestIdlePublisherPublishesAndReadsNothing(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own(true)
		l.pass(time.Second)
		reads, health, told := l.table.count(), l.bus.count().health, len(l.view.all())
		l.pass(10 * time.Minute)
		if l.bus.count().health != health || len(l.view.all()) != told {
			t.Errorf("%d heartbeats, %d reports", l.bus.count().health-health, len(l.view.all())-told)
		}
		if n := l.table.count() - reads; n > 21 {
			t.Errorf("%d reads in 10 minutes", n)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Outbox: &table{}, Dialer: &fakeBus{}, Store: &box{}, Pulse: &box{}, View: &box{}, Instance: "us", Jitter: func() float64 { return 0 }}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*Config){
		"no outbox":           func(c *Config) { c.Outbox = nil },
		"no instance":         func(c *Config) { c.Instance = "" },
		"quote in instance":   func(c *Config) { c.Instance = `a"b` },
		"negative window":     func(c *Config) { c.Policy.Window = -1 },
		"dead before silence": func(c *Config) { c.Policy.Dead = time.Second },
		"max below min":       func(c *Config) { c.Policy.RetryMax = time.Millisecond },
		"negative replay":     func(c *Config) { c.Policy.Replay = -1 },
	} {
		c := good
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
