package metrics

import (
	"encoding/binary"
	"encoding/hex"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Committed notes a transition that was just committed. at is the moment the commit was known to be done.
func (m *Metrics) Committed(t messages.Transition, at time.Time) {
	m.transitions.WithLabelValues(t.Transition, stateWord(t.State)).Inc()
	if since := t.ObservedAt; !since.IsZero() {
		m.detect.Observe(max(0, at.Sub(since.Time).Seconds())) // the engine's clock may be ahead of ours
	}
}

// Queued notes an outbox row that waits for the bus since at.
func (m *Metrics) Queued(eventID string, outboxID int64, at time.Time) {
	m.flights.add(eventID, outboxID, at)
}

// Echoed notes that the bus has fanned an event out. One that is not known is somebody else's, or was acknowledged before.
func (m *Metrics) Echoed(eventID string, now time.Time) {
	if at, ok := m.flights.take(eventID); ok {
		m.ack.Observe(max(0, now.Sub(at).Seconds()))
	}
}

// Parked forgets an outbox row that the publisher gave up.
func (m *Metrics) Parked(outboxID int64) { m.flights.forget(outboxID) }

// maxFlights bounds the rows whose age is kept; of more the oldest are kept. Source: 10,000 waiting transitions may cost
// 8 MiB more, and each costs about 60 bytes here.
const maxFlights = 16 << 10

// flight is a row on its way to the bus.
type flight struct {
	id int64
	at time.Time
}

// flights are the rows that wait for their acknowledgement. The zero value is empty.
type flights struct {
	mu  sync.Mutex
	all map[uint64]flight
}

// key is the half of an event id that is random.
func key(eventID string) (uint64, bool) {
	var b [8]byte
	if len(eventID) != 32 {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(eventID[16:])); err != nil {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[:]), true
}

func (f *flights) add(eventID string, id int64, at time.Time) {
	k, ok := key(eventID)
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.all[k]; !ok || known || len(f.all) >= maxFlights {
		return
	}
	if f.all == nil {
		f.all = map[uint64]flight{}
	}
	f.all[k] = flight{id, at}
}

func (f *flights) take(eventID string) (time.Time, bool) {
	k, ok := key(eventID)
	f.mu.Lock()
	defer f.mu.Unlock()
	x, known := f.all[k]
	delete(f.all, k)
	if len(f.all) == 0 {
		f.all = nil // a map never shrinks
	}
	return x.at, ok && known
}

func (f *flights) forget(id int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, x := range f.all {
		if x.id == id {
			delete(f.all, k)
		}
	}
}

// oldest is since when the oldest row waits; zero if none does.
func (f *flights) oldest() (at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.all {
		if at.IsZero() || x.at.Before(at) {
			at = x.at
		}
	}
	return at
}
