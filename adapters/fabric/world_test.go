package fabric

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) {
	if c := os.Getenv(childEnv); c != "" {
		runChild(c)
		return
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

const (
	host1 = "11111111-1111-1111-1111-111111111111"
	host2 = "22222222-2222-2222-2222-222222222222"
)

// world is a hub with its database, as the tests imagine it.
type world struct {
	t      testing.TB
	ca     *authority
	master identity
	hub    *Hub
	cfg    HubConfig

	mu       sync.Mutex
	pins     []messages.Pin
	got      map[string][]messages.Shipped // committed, per host, in order, once per id
	seen     map[string]bool
	slices   map[string][]messages.Slice
	beats    map[string][]messages.Beat
	events   []messages.PeerEvent
	refused  []messages.Refusal
	faults   []messages.Fault
	deliver  error
	changed  chan struct{}
	deliverF func(host string)
}

func newWorld(t testing.TB) *world { return newWorldOf(t, newAuthority(t)) }

func newWorldOf(t testing.TB, ca *authority) *world {
	w := &world{t: t, ca: ca, got: map[string][]messages.Shipped{}, seen: map[string]bool{}, slices: map[string][]messages.Slice{},
		beats: map[string][]messages.Beat{}, changed: make(chan struct{})}
	w.master = w.ca.issue(t, "decnet-master")
	w.cfg = HubConfig{Listen: "127.0.0.1:0", Files: w.master.Files, Version: "1.0", Now: time.Now, Reread: 20 * time.Millisecond,
		Pins: w.readPins, Deliver: w.take,
		Beat: func(h string, b messages.Beat) { w.note(func() { w.beats[h] = append(w.beats[h], b) }) },
		Peer: func(e messages.PeerEvent) { w.note(func() { w.events = append(w.events, e) }) },
		Refused: func(r messages.Refusal) {
			w.note(func() { w.refused = append(w.refused, r) })
		},
		Fault: func(f messages.Fault) { w.note(func() { w.faults = append(w.faults, f) }) },
	}
	return w
}

func (w *world) readPins(context.Context) ([]messages.Pin, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.pins), nil
}

func (w *world) take(_ context.Context, host string, b messages.ShipBatch) (messages.ShipAck, error) {
	w.mu.Lock()
	err, f := w.deliver, w.deliverF
	w.mu.Unlock()
	if f != nil {
		f(host)
	}
	if err != nil {
		return messages.ShipAck{}, err
	}
	w.note(func() {
		for _, e := range b.Events {
			if !w.seen[e.EventID] {
				w.seen[e.EventID] = true
				w.got[host] = append(w.got[host], e)
			}
		}
		if b.Slice != nil {
			w.slices[host] = append(w.slices[host], *b.Slice)
		}
	})
	return messages.ShipAck{}, nil
}

func (w *world) note(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits for something that the hub's callbacks show.
func (w *world) until(what string, is func() bool) {
	w.t.Helper()
	deadline := time.After(patience)
	for {
		w.mu.Lock()
		ok, changed := is(), w.changed
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			w.mu.Lock()
			defer w.mu.Unlock()
			w.t.Fatalf("never came: %s\nevents %+v\nrefused %+v", what, w.events, w.refused)
		}
	}
}

func (w *world) refusedFor(reason string) {
	w.t.Helper()
	w.until("refusal "+reason, func() bool {
		return slices.ContainsFunc(w.refused, func(r messages.Refusal) bool { return r.Reason == reason })
	})
}

func (w *world) enrol(host, name string, id identity) {
	w.mu.Lock()
	w.pins = append(slices.DeleteFunc(w.pins, func(p messages.Pin) bool { return p.HostUUID == host }),
		messages.Pin{HostUUID: host, Name: name, Fingerprint: id.fp})
	h := w.hub
	w.mu.Unlock()
	if h != nil {
		w.refresh()
	}
}

func (w *world) decommission(host string) {
	w.mu.Lock()
	w.pins = slices.DeleteFunc(w.pins, func(p messages.Pin) bool { return p.HostUUID == host })
	w.mu.Unlock()
	w.refresh()
}

func (w *world) refresh() {
	w.t.Helper()
	if err := w.hub.Refresh(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) start() *world {
	w.t.Helper()
	h, err := Listen(w.t.Context(), w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.hub = h
	w.cfg.Listen = h.Addr().String() // a restart comes back to the same place
	w.t.Cleanup(h.Close)
	return w
}

// station is a worker of the tests, with the states it went through.
type station struct {
	*Worker
	t      testing.TB
	id     identity
	host   string
	mu     sync.Mutex
	states []messages.LinkState
	moved  chan struct{}
}

func (w *world) config(host string, id identity) WorkerConfig {
	return WorkerConfig{Hub: "tls://" + w.cfg.Listen, HostUUID: host, Files: id.Files, Version: "1.0", Now: time.Now, Jitter: rand.Float64, Reread: 20 * time.Millisecond}
}

func (w *world) dial(cfg WorkerConfig) *station {
	w.t.Helper()
	s := &station{t: w.t, host: cfg.HostUUID, moved: make(chan struct{})}
	cfg.State = func(st messages.LinkState) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.states = append(s.states, st)
		close(s.moved)
		s.moved = make(chan struct{})
	}
	var err error
	if s.Worker, err = Dial(cfg); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	return s
}

// worker enrols a host and connects it.
func (w *world) worker(host, name string) *station {
	w.t.Helper()
	id := w.ca.issue(w.t, name)
	w.enrol(host, name, id)
	s := w.dial(w.config(host, id))
	s.id = id
	s.becomes(messages.LinkConnected)
	return s
}

// becomes waits for a phase and forgets the states before it.
func (s *station) becomes(p messages.LinkPhase) messages.LinkState {
	s.t.Helper()
	deadline := time.After(patience)
	for {
		s.mu.Lock()
		at := slices.IndexFunc(s.states, func(st messages.LinkState) bool { return st.Phase == p })
		if at >= 0 {
			st := s.states[at]
			s.states = s.states[at+1:]
			s.mu.Unlock()
			return st
		}
		moved, states := s.moved, s.states
		s.mu.Unlock()
		select {
		case <-moved:
		case <-deadline:
			s.t.Fatalf("never %s: %+v", p, states)
		}
	}
}

// must ships until the hub has it.
func (s *station) must(b messages.ShipBatch) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for {
		_, err := s.Ship(ctx, b)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// transitions makes n of them, numbered from first.
func transitions(host string, first, n int) []messages.Shipped {
	out := make([]messages.Shipped, n)
	for i := range out {
		out[i] = transition(host, first+i)
	}
	return out
}

func transition(host string, n int) messages.Shipped {
	name, id := fmt.Sprintf("decky-%02d", n%50), fmt.Sprintf("%s%024x", host[:8], n)
	p, err := json.Marshal(messages.Transition{HostUUID: host, Name: name, State: "running", Transition: messages.TransitionStateChanged,
		Source: "fleet", PreviousState: "failed", Rev: int64(n), EventID: id, Cause: "container started"})
	if err != nil {
		panic(err)
	}
	config := fmt.Sprintf(`{"name":%q,"ip":"10.0.0.7","services":["ssh","http","smb"],"distro":"debian","base_image":"debian:bookworm-slim","hostname":"srv","archetype":null,"service_config":{},"nmap_os":"linux","mutate_interval":null,"last_mutated":0.0,"last_login_attempt":0.0,"host_uuid":%q}`, name, host)
	return messages.Shipped{ID: int64(n), EventID: id, Name: name, Rev: int64(n), Payload: p,
		Row: &messages.ShippedRow{Name: name, ServicesJSON: `["ssh","http","smb"]`, ConfigJSON: &config, State: "running"}}
}
