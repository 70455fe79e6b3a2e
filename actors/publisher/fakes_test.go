package publisher

import (
	"context"
	"errors"
	"maps"
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

// box is a mailbox that keeps what it gets.
type box struct {
	mu   sync.Mutex
	got  []any
	full bool
	hook func(any)
}

func (b *box) Tell(msg any) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full {
		return false
	}
	b.got = append(b.got, msg)
	if b.hook != nil {
		b.hook(msg)
	}
	return true
}

func (b *box) all() []any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

func (b *box) setFull(full bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = full
}

// table is an outbox in memory.
type table struct {
	mu     sync.Mutex
	rows   []messages.OutboxRow
	parked map[int64]string
	err    error
	reads  int
	widest int
}

func (t *table) commit(rows ...messages.OutboxRow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, rows...)
}

func (t *table) Pending(_ context.Context, after int64, limit int) ([]messages.OutboxRow, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reads++
	t.widest = max(t.widest, limit)
	var out []messages.OutboxRow
	for _, r := range t.rows {
		if r.ID > after && t.parked[r.ID] == "" && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, t.err
}

func (t *table) Depth(context.Context) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int64(len(t.rows) - len(t.parked)), t.err
}

func (t *table) Park(_ context.Context, id int64, why string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.parked[id] = why
	}
	return t.err
}

func (t *table) remove(ids []int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = slices.DeleteFunc(t.rows, func(r messages.OutboxRow) bool { return slices.Contains(ids, r.ID) })
}

func (t *table) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// fakeBus is a bus as the publisher sees it. It echoes after a millisecond.
type fakeBus struct {
	mu      sync.Mutex
	down    bool
	deaf    bool            // takes frames and echoes nothing
	poison  map[string]bool // event ids it swallows
	got     []string        // event ids, in the order of arrival
	health  int
	links   int
	current *fakeLink
}

type fakeLink struct {
	bus    *fakeBus
	events chan messages.LinkEvent
	frames chan []messages.Frame
	gone   chan struct{}
	once   sync.Once
	moved  bool // under bus.mu
}

func (b *fakeBus) Dial(_ context.Context, spawn func(func()), on func(messages.LinkEvent)) (Link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("connect to bus: refused")
	}
	l := &fakeLink{bus: b, events: make(chan messages.LinkEvent), frames: make(chan []messages.Frame, 100), gone: make(chan struct{})}
	b.links++
	b.current = l
	spawn(func() { l.run(on) })
	return l, nil
}

func (l *fakeLink) run(on func(messages.LinkEvent)) {
	for {
		select {
		case <-l.gone:
			on(messages.LinkDown{Why: "the bus closed the connection"})
			return
		case e := <-l.events:
			on(e)
		case frames := <-l.frames:
			<-time.After(time.Millisecond)
			for _, f := range frames {
				if e := l.bus.handle(f); e != nil {
					on(e)
				}
			}
		}
	}
}

func (b *fakeBus) handle(f messages.Frame) messages.LinkEvent {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.deaf {
		return nil
	}
	if f.Topic == messages.HealthTopic {
		b.health++
		if _, rest, is := strings.Cut(string(f.Body), `"probe":`); is {
			return messages.ProbeEchoed{Probe: number(rest)}
		}
		return nil
	}
	id := eventIDOf(f)
	if b.poison[id] {
		return nil
	}
	b.got = append(b.got, id)
	return messages.Echoed{EventIDs: []string{id}}
}

func (l *fakeLink) Send(frames []messages.Frame) error {
	select {
	case <-l.gone:
		return errors.New("write: broken pipe")
	default:
		l.frames <- frames
		return nil
	}
}

func (l *fakeLink) Moved() bool {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	return l.moved
}

func (l *fakeLink) Close() error {
	l.once.Do(func() { close(l.gone) })
	return nil
}

func (b *fakeBus) set(f func(*fakeBus)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *fakeBus) kill() {
	b.mu.Lock()
	l := b.current
	b.mu.Unlock()
	_ = l.Close() // never fails
}

func (b *fakeBus) say(e messages.LinkEvent) {
	b.mu.Lock()
	l := b.current
	b.mu.Unlock()
	l.events <- e
}

func (b *fakeBus) received() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.got)
}

// lab is a publisher among fakes, in virtual time.
type lab struct {
	t      *testing.T
	sys    *supervise.System
	ref    *supervise.Ref
	bus    *fakeBus
	table  *table
	store  *box
	pulse  *box
	view   *box
	stats  *Stats
	next   int64
	policy Policy
}

func inLab(t *testing.T, f func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, bus: &fakeBus{poison: map[string]bool{}}, table: &table{parked: map[int64]string{}},
			store: &box{}, pulse: &box{}, view: &box{}, stats: &Stats{}}
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
	cfg := Config{Outbox: l.table, Dialer: l.bus, Store: l.store, Pulse: l.pulse, View: l.view, Instance: "us",
		Jitter: func() float64 { return 0.5 }, Stats: l.stats, Policy: l.policy}
	if err := cfg.Validate(); err != nil {
		l.t.Fatal(err)
	}
	l.store.hook = func(msg any) {
		if m, ok := msg.(messages.OutboxAcknowledged); ok {
			l.table.remove(m.IDs)
		}
	}
	l.ref = l.sys.Spawn(supervise.Spec{Kind: "publisher", ID: "bus", Subsystem: true, New: func() supervise.Receiver { return New(cfg) }})
	return l
}

func (l *lab) own(owner bool) *lab {
	l.t.Helper()
	l.tell(messages.OwnershipChanged{Owner: owner, Token: 1})
	return l
}

func (l *lab) tell(msg any) {
	l.t.Helper()
	if !l.ref.Tell(msg) {
		l.t.Fatalf("refused %T", msg)
	}
	synctest.Wait()
}

// commit writes rows and tells the publisher, as the store does.
func (l *lab) commit(names ...string) {
	l.t.Helper()
	var rows []messages.OutboxRow
	for _, n := range names {
		l.next++
		rows = append(rows, row(l.next, n))
	}
	l.table.commit(rows...)
	l.ref.Tell(messages.OutboxAppended{Rows: rows})
	synctest.Wait()
}

func (l *lab) pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func (l *lab) unacknowledged() int64 {
	l.t.Helper()
	n, err := l.ref.Ask(context.Background(), messages.GetQuiesced{})
	if err != nil {
		l.t.Fatal(err)
	}
	return n.(int64)
}

// acked is what the store heard, in order.
func (l *lab) acked() []int64 {
	var out []int64
	for _, m := range l.store.all() {
		if a, ok := m.(messages.OutboxAcknowledged); ok {
			out = append(out, a.IDs...)
		}
	}
	return out
}

// states is what the view heard of a component.
func (l *lab) states(component string) []string {
	var out []string
	for _, m := range l.view.all() {
		if r, ok := m.(messages.ComponentReported); ok && r.Status.Component == component {
			if n := len(out); n == 0 || out[n-1] != r.Status.State {
				out = append(out, r.Status.State)
			}
		}
	}
	return out
}

// detail is what the view last heard of a component.
func (l *lab) detail(component string) (detail string) {
	for _, m := range l.view.all() {
		if r, ok := m.(messages.ComponentReported); ok && r.Status.Component == component {
			detail = r.Status.Detail
		}
	}
	return detail
}

func upTo(n int64) []int64 {
	var out []int64
	for i := int64(1); i <= n; i++ {
		out = append(out, i)
	}
	return out
}

type tally struct{ links, health int }

func (b *fakeBus) count() tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return tally{b.links, b.health}
}

func (t *table) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reads
}

func (t *table) out() map[int64]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.parked)
}

// release sets why a row is parked; "" takes it back.
func (t *table) release(id int64, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parked[id] = why; why == "" {
		delete(t.parked, id)
	}
}
