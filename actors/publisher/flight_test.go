package publisher

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var t0 = time.Date(2026, 11, 24, 2, 25, 0, 0, time.UTC)

func row(id int64, name string) messages.OutboxRow {
	eid := fmt.Sprintf("%032x", id)
	return messages.OutboxRow{ID: id, EventID: eid, Name: name, Rev: id, Topic: messages.StateTopic("local", name),
		Payload: `{"name":"` + name + `","event_id":"` + eid + `"}`}
}

// story drives a flight by hand.
type story struct {
	t   *testing.T
	f   *flight
	now time.Time
}

func tell2(t *testing.T, p Policy) *story {
	return &story{t: t, f: newFlight(p.withDefaults(), "us", 0), now: t0}
}

// opened brings the flight to an open link.
func (s *story) opened() *story {
	s.t.Helper()
	if o := s.f.plan(s.now); !o.dial {
		s.t.Fatalf("no dial: %+v", o)
	}
	s.f.connected(s.now)
	s.expect("probe")
	s.f.probeEchoed(s.now, s.f.number)
	if s.f.phase != open {
		s.t.Fatal("not open after its probe came back")
	}
	return s
}

// expect plans and compares what is written: ids of rows, "probe", "leave", "dial", "".
func (s *story) expect(want ...string) {
	s.t.Helper()
	got := s.plan()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		s.t.Fatalf("at %v: got %v, want %v", s.now.Sub(t0), got, want)
	}
}

func (s *story) plan() []string {
	o := s.f.plan(s.now)
	var got []string
	if o.dial {
		got = append(got, "dial")
	}
	if o.leave != "" {
		got = append(got, "leave")
	}
	for _, fr := range o.write {
		got = append(got, frameName(fr))
	}
	if s.f.writing {
		s.f.written()
	}
	return got
}

func frameName(fr messages.Frame) string {
	if fr.Topic == messages.HealthTopic {
		return "probe"
	}
	_, rest, _ := strings.Cut(string(fr.Body), `"event_id":"`)
	return strings.TrimLeft(rest[:32], "0")
}

func (s *story) pass(d time.Duration) *story { s.now = s.now.Add(d); return s }

func ids(n ...int64) []string {
	var out []string
	for _, i := range n {
		out = append(out, fmt.Sprintf("%032x", i))
	}
	return out
}

func TestNothingGoesBeforeAProbeCameBack(t *testing.T) {
	s := tell2(t, Policy{})
	s.f.offer([]messages.OutboxRow{row(1, "a")})
	s.expect("dial")
	s.expect()
	s.f.connected(s.now)
	s.expect("probe")
	s.pass(49 * time.Millisecond).expect()
	s.pass(1 * time.Millisecond).expect("probe")
	s.f.probeEchoed(s.now, 99) // not ours
	s.expect()
	s.f.probeEchoed(s.now, 1)
	s.expect("1")
}

func TestOneRowOfADeckyIsInFlight(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "a"), row(3, "b"), row(4, "a")})
	s.expect("1", "3")
	s.f.echoed(s.now, ids(1))
	s.expect("2")
	s.f.echoed(s.now, ids(3, 2))
	s.expect("4")
	if r := s.f.results(); !reflect.DeepEqual(r.acked, []int64{1, 3, 2}) {
		t.Errorf("acknowledged %v", r.acked)
	}
}

func TestOvertakenRowIsSentAgainAtOnce(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b"), row(3, "c")})
	s.expect("1", "2", "3")
	s.f.echoed(s.now, ids(3))
	s.expect("1", "probe") // alone, for it may be to blame
	s.f.echoed(s.now, ids(1))
	s.expect("2", "probe")
	s.f.echoed(s.now, ids(2))
	s.expect()
	if s.f.count.Lost != 2 || s.f.count.Resent != 2 || s.f.count.Acked != 3 {
		t.Errorf("counted %+v", s.f.count)
	}
}

func TestResendIsNotOvertakenByALaterRowOfItsDecky(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b"), row(3, "a")})
	s.expect("1", "2")
	s.f.echoed(s.now, ids(2))
	s.expect("1", "probe")
	s.f.echoed(s.now, ids(1))
	s.expect("3")
}

func TestWindowHoldsInRowsAndBytes(t *testing.T) {
	s := tell2(t, Policy{Window: 3, Burst: 1000}).opened()
	for i := range int64(10) {
		s.f.offer([]messages.OutboxRow{row(i+1, fmt.Sprint("d", i))})
	}
	s.expect("1", "2", "3")
	s.f.echoed(s.now, ids(1))
	s.expect("4")

	b := tell2(t, Policy{WindowBytes: 1000}).opened()
	big := row(1, "a")
	big.Payload = `{"event_id":"` + big.EventID + `","x":"` + strings.Repeat("x", 5000) + `"}`
	b.f.offer([]messages.OutboxRow{big, row(2, "b"), row(3, "c")})
	b.expect("1") // larger than the window: alone
	b.f.echoed(b.now, ids(1))
	b.expect("2", "3")
}

func TestPaceIsKept(t *testing.T) {
	s := tell2(t, Policy{Rate: 1000, Burst: 4, Window: 100}).opened()
	for i := range int64(20) {
		s.f.offer([]messages.OutboxRow{row(i+1, fmt.Sprint("d", i))})
	}
	s.expect("1", "2", "3", "4")
	s.expect()
	wake := s.f.wake(s.now)
	if d := wake.Sub(s.now); d < time.Millisecond || d > 2*time.Millisecond {
		t.Errorf("wakes after %v", d)
	}
	s.now = wake
	s.expect("5")
	s.pass(time.Hour).expect("leave") // nothing came back
}

func TestSilenceIsAskedAboutAndThenGivenUp(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b")})
	s.expect("1", "2")
	s.pass(2*time.Second - 1).expect()
	s.pass(1).expect("probe")
	s.pass(2 * time.Second).expect("probe")
	s.pass(2 * time.Second).expect("leave")
	s.f.ended(s.now, false, 1)
	s.pass(50 * time.Millisecond).opened()
	s.expect("1", "probe") // one at a time
	s.f.echoed(s.now, ids(1))
	s.expect("2", "probe")
}

func TestEchoedProbeProvesALossOnSilence(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b")})
	s.expect("1", "2")
	s.pass(2 * time.Second).expect("probe")
	s.f.probeEchoed(s.now, s.f.number)
	s.expect("1", "probe")
}

func TestPoisonIsParkedAloneAndItsDeckyGoesOn(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "bad"), row(2, "bad"), row(3, "good")})
	s.expect("1", "3")
	s.f.echoed(s.now, ids(3)) // proves the loss of 1, not yet its guilt
	for try := 1; try <= 8; try++ {
		s.pass(pauseAfter(try-1)).expect("1", "probe")
		if try == 4 {
			s.f.offer([]messages.OutboxRow{row(4, "good")})
		}
		s.f.probeEchoed(s.now, s.f.number)
		if try == 4 {
			s.expect("4") // while the suspect pauses
			s.f.echoed(s.now, ids(4))
		}
	}
	s.expect("2")
	s.f.echoed(s.now, ids(2))
	r := s.f.results()
	if len(r.parked) != 1 || r.parked[0].row.ID != 1 || !reflect.DeepEqual(r.acked, []int64{3, 4, 2}) {
		t.Errorf("got %+v", r)
	}
	if s.f.lanes.rows != 0 || len(s.f.lanes.all) != 0 {
		t.Errorf("%d rows are left", s.f.lanes.rows)
	}
}

func TestServerThatDiesOfARowIsItsFaultOnlyWhenAlone(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b")})
	s.expect("1", "2")
	for i := range 20 {
		s.f.ended(s.now, false, 1)
		s.pass(5 * time.Second).opened()
		if i < 8 {
			s.expect("1", "probe")
			continue
		}
		s.expect("2", "probe") // innocent: its first time alone
		s.f.echoed(s.now, ids(2))
		break
	}
	r := s.f.results()
	if len(r.parked) != 1 || r.parked[0].row.ID != 1 || len(r.acked) != 1 {
		t.Errorf("got %+v", r)
	}
}

func TestMoveBlamesNobodyAndIsFollowedAtOnce(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b")})
	s.expect("1", "2")
	s.f.ended(s.now, true, 1)
	s.opened().expect("1", "2")

	lone := tell2(t, Policy{}).opened()
	lone.f.offer([]messages.OutboxRow{row(1, "a")})
	for range 20 { // more than a poison gets
		lone.expect("1")
		lone.f.ended(lone.now, true, 1)
		lone.opened()
	}
}

func TestSilenceBeginsWithTheFirstRowInFlight(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.pass(time.Hour).expect()
	s.f.offer([]messages.OutboxRow{row(1, "a")})
	s.expect("1")
	s.expect()
}

func TestUnansweredWriteWakesNobody(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a"), row(2, "b")})
	s.f.plan(s.now)
	s.f.offer([]messages.OutboxRow{row(3, "c")})
	s.pass(1500 * time.Millisecond)
	if o := s.f.plan(s.now); len(o.write) > 0 || o.look {
		t.Errorf("got %+v while a write is not answered", o)
	}
	if d := s.f.wake(s.now).Sub(s.now); d != 4500*time.Millisecond {
		t.Errorf("wakes after %v, want when the link counts as dead", d)
	}
}

func TestProbeOfAnOldLinkOpensNoNewOne(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a")})
	s.expect("1")
	s.pass(2 * time.Second).expect("probe")
	old := s.f.number
	s.f.ended(s.now, true, 0)
	s.expect("dial")
	s.f.connected(s.now)
	s.expect("probe")
	s.f.probeEchoed(s.now, old)
	s.expect()
}

func TestRetriesOfTheLinkSlowDownAndRecover(t *testing.T) {
	s := tell2(t, Policy{})
	var waits []time.Duration
	for range 10 {
		s.expect("dial")
		s.f.ended(s.now, false, 0.999999)
		d := s.f.wake(s.now).Sub(s.now).Round(time.Millisecond)
		waits = append(waits, d)
		s.pass(d - time.Millisecond).expect()
		s.pass(time.Millisecond)
	}
	if waits[0] != 50*time.Millisecond || waits[1] != 100*time.Millisecond || waits[9] != 5*time.Second {
		t.Errorf("waited %v", waits)
	}
	s.opened()
	s.f.ended(s.now, false, 0)
	if d := s.f.wake(s.now).Sub(s.now); d != 25*time.Millisecond {
		t.Errorf("after a link that opened it waits %v", d)
	}
}

func TestReplaySendsTheLastMomentAgainInOrder(t *testing.T) {
	s := tell2(t, Policy{Replay: time.Second}).opened()
	s.f.offer([]messages.OutboxRow{row(1, "a")})
	s.expect("1")
	s.f.echoed(s.now, ids(1))
	s.pass(1500 * time.Millisecond)
	s.f.offer([]messages.OutboxRow{row(2, "a"), row(3, "a"), row(4, "a"), row(5, "b")})
	s.expect("2", "5")
	s.f.echoed(s.now, ids(2))
	s.expect("3")
	s.f.echoed(s.now, ids(5, 3))
	s.expect("4")
	s.f.results()
	s.f.ended(s.now, true, 0)
	s.opened().expect() // the grace
	s.pass(time.Second - 1).expect()
	s.pass(1).expect("2", "5")
	s.f.echoed(s.now, ids(2, 5))
	s.expect("3")
	s.f.echoed(s.now, ids(3))
	s.expect("4")
	s.f.echoed(s.now, ids(4))
	if r := s.f.results(); !reflect.DeepEqual(r.acked, []int64{4}) || s.f.lanes.rows != 0 {
		t.Errorf("the store hears of %v, %d rows left", r.acked, s.f.lanes.rows)
	}
}

func TestHeartbeatGoesOnlyOverAnOpenLink(t *testing.T) {
	s := tell2(t, Policy{})
	s.f.say(messages.Frame{Topic: messages.HealthTopic})
	s.opened().expect()
	s.f.say(messages.Frame{Topic: messages.HealthTopic})
	s.expect("probe")
	if s.f.count.Unsaid != 1 {
		t.Errorf("%d dropped", s.f.count.Unsaid)
	}
}

func TestIdleLinkIsLookedAtOnceASecond(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	for range 3 {
		at := s.f.wake(s.now)
		if d := at.Sub(s.now); d != time.Second {
			t.Fatalf("wakes after %v", d)
		}
		s.now = at
		if o := s.f.plan(s.now); !o.look || len(o.write) != 0 {
			t.Fatalf("got %+v", o)
		}
		s.f.written()
	}
}

func TestPayloadTravelsUntouched(t *testing.T) {
	s := tell2(t, Policy{}).opened()
	r := row(1, "a")
	s.f.offer([]messages.OutboxRow{r})
	o := s.f.plan(s.now)
	want := messages.Frame{Topic: "decky.local:a.state", Body: []byte(`{"payload":` + r.Payload + `,"type":"state"}`)}
	if !reflect.DeepEqual(o.write, []messages.Frame{want}) {
		t.Errorf("got %s", o.write)
	}
}
