package pulse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box is a mailbox that keeps what it gets and answers as told.
type box struct {
	mu     sync.Mutex
	got    []any
	status any
	err    error
	hang   bool
}

func (b *box) Tell(msg any) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, msg)
	return true
}

func (b *box) Ask(ctx context.Context, _ any) (any, error) {
	b.mu.Lock()
	hang, status, err := b.hang, b.status, b.err
	b.mu.Unlock()
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return status, err
}

func (b *box) all() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// lab is a pulse among fakes, in virtual time.
type lab struct {
	t                      *testing.T
	ref                    *supervise.Ref
	sys                    *supervise.System
	publisher, store, view *box
	mu                     sync.Mutex
	stops                  []string
	cfg                    Config
}

func inLab(t *testing.T, f func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, publisher: &box{}, store: &box{}, view: &box{status: messages.Status{Deckies: map[string]int{"running": 2, "failed": 1}, OutboxDepth: 3}}}
		l.cfg = Config{Publisher: l.publisher, Store: l.store, View: l.view, Instance: "us", Version: "1.0", HostUUID: "local",
			Stop: func(why string) {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.stops = append(l.stops, why)
			}}
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		l.sys = sys
		f(l)
		if err := sys.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func (l *lab) start() *lab {
	l.t.Helper()
	if err := l.cfg.Validate(); err != nil {
		l.t.Fatal(err)
	}
	l.ref = l.sys.Spawn(supervise.Spec{Kind: "pulse", ID: "pulse", New: func() supervise.Receiver { return New(l.cfg) }})
	synctest.Wait()
	return l
}

func (l *lab) own() *lab { return l.tell(messages.OwnershipChanged{Owner: true, Token: 1}) }

func (l *lab) tell(msg any) *lab {
	l.t.Helper()
	if !l.ref.Tell(msg) {
		l.t.Fatalf("refused %T", msg)
	}
	l.pass(0)
	return l
}

// pass lets time pass, and after it whatever is due at that moment.
func (l *lab) pass(d time.Duration) *lab {
	time.Sleep(d)
	synctest.Wait()
	time.Sleep(time.Nanosecond) // timers of no time
	synctest.Wait()
	return l
}

// published is what went to a topic.
func (l *lab) published(topic string) (out []string) {
	for _, m := range l.publisher.all() {
		if p, ok := m.(messages.PublishNow); ok && p.Topic == topic {
			out = append(out, string(p.Payload))
		}
	}
	return out
}

func (l *lab) events() (out []messages.Event) {
	for _, m := range l.view.all() {
		if e, ok := m.(messages.EventHappened); ok {
			out = append(out, e.Event)
		}
	}
	return out
}

// rivalry is what the view last heard about other reconcilers.
func (l *lab) rivalry() (s messages.ComponentStatus) {
	for _, m := range l.view.all() {
		if r, ok := m.(messages.ComponentReported); ok && r.Status.Component == "reconciler" {
			s = r.Status
		}
	}
	return s
}

func (l *lab) stopped() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.stops)
}

func TestHeartbeatComesAtOnceAndEveryThirtySeconds(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own()
		if n := len(l.published(messages.HealthTopic)); n != 1 {
			t.Errorf("%d heartbeats at once", n)
		}
		l.pass(29 * time.Second)
		if n := len(l.published(messages.HealthTopic)); n != 1 {
			t.Errorf("%d heartbeats after 29 s", n)
		}
		l.pass(time.Second)
		if n := len(l.published(messages.HealthTopic)); n != 2 {
			t.Errorf("%d heartbeats after 30 s", n)
		}
		l.pass(10 * time.Minute)
		if n := len(l.published(messages.HealthTopic)); n < 21 || n > 22 {
			t.Errorf("%d heartbeats after 10 min 30 s", n)
		}
	})
}

func TestHeartbeatHasTheKeysInTheirPlaces(t *testing.T) {
	inLab(t, func(l *lab) {
		l.cfg.Extra = func() map[string]any { return map[string]any{"paused": []string{"a<b"}, "ts": "spoiled", "alpha": 1} }
		l.start().own()
		got := l.published(messages.HealthTopic)[0]
		ts := seconds(time.Now())
		want := `{"worker":"reconciler","ts":` + ts + `,"instance":"us","version":"1.0","host_uuid":"local",` +
			`"deckies":{"failed":1,"running":2},"held":0,"outbox_depth":3,"alpha":1,"paused":["a<b"]}`
		if got != want {
			t.Errorf("got\n %s want\n %s", got, want)
		}
		var any map[string]any
		if err := json.Unmarshal([]byte(got), &any); err != nil {
			t.Error(err)
		}
		if _, numeric := any["ts"].(float64); !numeric || !strings.Contains(ts, ".") {
			t.Errorf("ts is %v", any["ts"])
		}
	})
}

func TestHeartbeatNeedsNobody(t *testing.T) {
	for what, spoil := range map[string]func(*box){
		"a view that hangs":           func(b *box) { b.hang = true },
		"a view that is gone":         func(b *box) { b.err = errors.New("quarantined") },
		"a view that answers rubbish": func(b *box) { b.status = 7 },
	} {
		t.Run(what, func(t *testing.T) {
			inLab(t, func(l *lab) {
				spoil(l.view)
				l.start().own().pass(statusPatience)
				if got := l.published(messages.HealthTopic); len(got) != 1 || strings.Contains(got[0], "deckies") {
					t.Errorf("got %v", got)
				}
			})
		})
	}
}

func TestStandbySendsNoHeartbeat(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().tell(messages.BusReady{})
		l.tell(messages.OwnershipChanged{}).pass(10 * time.Minute)
		if got := l.publisher.all(); len(got) != 0 {
			t.Errorf("published %v", got)
		}
		l.own().tell(messages.OwnershipChanged{}).pass(10 * time.Minute)
		if n := len(l.published(messages.HealthTopic)); n != 1 {
			t.Errorf("%d heartbeats, want the one as owner", n)
		}
	})
}

func TestFreshLinkGetsAHeartbeatButAFlappingOneNoStorm(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own().tell(messages.BusReady{})
		if n := len(l.published(messages.HealthTopic)); n != 2 {
			t.Errorf("%d heartbeats", n)
		}
		for range 100 {
			l.tell(messages.BusReady{}).pass(10 * time.Millisecond)
		}
		l.pass(time.Second)
		if n := len(l.published(messages.HealthTopic)); n < 3 || n > 4 {
			t.Errorf("%d heartbeats after a second of flapping", n)
		}
	})
}

func TestStopIsObeyedOnceAndAudited(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own()
		for range 3 {
			l.tell(messages.ControlHeard{Action: "stop", RequestedBy: "admin"})
		}
		if got := l.stopped(); !reflect.DeepEqual(got, []string{"stop requested on the bus by admin"}) {
			t.Errorf("stopped %v", got)
		}
		e := l.events()
		if len(e) != 1 || e[0].Type != "control" || e[0].To != "stop" || !strings.Contains(e[0].Cause, "admin") {
			t.Errorf("audited %+v", e)
		}
	})
}

func TestIgnoredStopIsShownOnly(t *testing.T) {
	inLab(t, func(l *lab) {
		l.cfg.IgnoreStop = true
		l.start().own()
		for range 50 {
			l.tell(messages.ControlHeard{Action: "stop", RequestedBy: "admin"})
		}
		if len(l.stopped()) != 0 {
			t.Error("stopped")
		}
		if e := l.events(); len(e) != 1 || e[0].To != "stop ignored" {
			t.Errorf("audited %+v", e)
		}
	})
}

func TestOddControlIsIgnoredAndSaidOnce(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own()
		for range 20 {
			l.tell(messages.ControlHeard{Action: "start"})
			l.tell(messages.ControlHeard{Action: "STOP"})
			l.tell(messages.ControlHeard{Malformed: "the payload is not a JSON object"})
		}
		for i := range 1000 {
			l.tell(messages.ControlHeard{Action: fmt.Sprint("invented", i)})
		}
		if e := l.events(); len(e) != sayings {
			t.Errorf("%d events, want one of each, %d at most", len(e), sayings)
		}
		l.pass(sayAgain).tell(messages.ControlHeard{Action: "start"})
		if e := l.events(); len(e) != sayings+1 {
			t.Error("nothing is said an hour later")
		}
		if len(l.stopped()) != 0 {
			t.Error("stopped")
		}
	})
}

func TestRivalIsShownUntilItHasBeenSilentForNinetySeconds(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own()
		l.tell(messages.HealthHeard{Instance: "us"})
		if s := l.rivalry(); s.State != "ok" {
			t.Errorf("our own late heartbeat: %+v", s)
		}
		l.tell(messages.HealthHeard{})
		if s := l.rivalry(); s.State != "degraded" || !strings.Contains(s.Detail, "DECNET's own") || !strings.Contains(s.Detail, "--takeover") {
			t.Errorf("DECNET's own: %+v", s)
		}
		l.pass(60 * time.Second).tell(messages.HealthHeard{Instance: "other"})
		if s := l.rivalry(); !strings.Contains(s.Detail, `"other"`) || !strings.Contains(s.Detail, "DECNET's own") {
			t.Errorf("two: %+v", s)
		}
		l.pass(31 * time.Second)
		if s := l.rivalry(); s.State != "degraded" || strings.Contains(s.Detail, "DECNET's own") {
			t.Errorf("91 s after DECNET's own was heard: %+v", s)
		}
		l.pass(60 * time.Second)
		if s := l.rivalry(); s.State != "ok" || s.Detail != "" {
			t.Errorf("91 s after the other was heard: %+v", s)
		}
		if n := len(l.published(messages.ControlTopic)); n != 0 {
			t.Errorf("%d orders to stop without --takeover", n)
		}
	})
}

func TestInventedRivalsAreBounded(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().own()
		for i := range 1000 {
			l.tell(messages.HealthHeard{Instance: fmt.Sprint("x", i)})
		}
		if n := strings.Count(l.rivalry().Detail, `"x`); n != most {
			t.Errorf("%d rivals are shown", n)
		}
	})
}

func TestTakeoverStopsARivalOncePerSighting(t *testing.T) {
	inLab(t, func(l *lab) {
		l.cfg.Takeover = true
		l.start().own()
		for range 5 {
			l.tell(messages.HealthHeard{})
		}
		got := l.published(messages.ControlTopic)
		if len(got) != 1 {
			t.Fatalf("%d orders to stop", len(got))
		}
		var order struct {
			Action, Requested string
			By                string `json:"requested_by"`
			TS                float64
		}
		if err := json.Unmarshal([]byte(got[0]), &order); err != nil || order.Action != "stop" || order.By != "decnet-fleetd" || order.TS == 0 {
			t.Errorf("got %s", got[0])
		}
		l.pass(30 * time.Second).tell(messages.HealthHeard{})
		if n := len(l.published(messages.ControlTopic)); n != 2 {
			t.Errorf("%d orders to stop after 30 s", n)
		}
		if len(l.stopped()) != 0 {
			t.Error("it stopped itself")
		}
	})
}

func TestStartedPulseAsksWhoOwnsTheRowsUntilToldSo(t *testing.T) {
	inLab(t, func(l *lab) {
		l.start().pass(3 * time.Second)
		n := len(l.store.all())
		if n < 3 || n > 4 {
			t.Errorf("asked %d times in 3 s", n)
		}
		l.own().pass(time.Minute)
		if got := len(l.store.all()); got != n {
			t.Errorf("asked %d times more", got-n)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := Config{Publisher: &box{}, Store: &box{}, View: &box{}, Stop: func(string) {}, Instance: "us"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for what, spoil := range map[string]func(*Config){
		"no publisher": func(c *Config) { c.Publisher = nil },
		"no stop":      func(c *Config) { c.Stop = nil },
		"no instance":  func(c *Config) { c.Instance = "" },
	} {
		c := good
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}
