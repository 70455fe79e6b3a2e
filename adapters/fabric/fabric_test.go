package fabric

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestWhatAWorkerShipsIsCommittedAtTheHubBeforeShipReturns(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	all := transitions(host1, 1, 600) // three frames
	s.must(messages.ShipBatch{Events: all})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got[host1]) != 600 || !slices.IsSortedFunc(w.got[host1], func(a, b messages.Shipped) int { return int(a.ID - b.ID) }) {
		t.Fatalf("the hub has %d, in order: want 600", len(w.got[host1]))
	}
	if first := w.got[host1][0]; string(first.Payload) != string(all[0].Payload) || *first.Row.ConfigJSON != *all[0].Row.ConfigJSON {
		t.Errorf("came as %+v", first)
	}
}

func TestABatchThatTheHubCannotCommitIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	w.note(func() { w.deliver = errors.New("database is locked") })
	if _, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "locked") {
		t.Fatalf("ship: %v", err)
	}
	w.note(func() { w.deliver = nil })
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
}

func TestASliceArrivesWholeInItsParts(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	var rows []messages.ShippedRow
	for _, e := range transitions(host1, 1, 700) {
		rows = append(rows, *e.Row)
	}
	s.must(messages.ShipBatch{Slice: &messages.Slice{ID: "one", Last: true, Rows: rows}})
	s.must(messages.ShipBatch{Slice: &messages.Slice{ID: "none", Last: true}})
	w.mu.Lock()
	defer w.mu.Unlock()
	n, parts := 0, w.slices[host1]
	for i, p := range parts[:len(parts)-1] {
		n += len(p.Rows)
		if p.Part != i || p.Last != (i == len(parts)-2) || p.ID != "one" {
			t.Errorf("part %d is %d, last %v", i, p.Part, p.Last)
		}
	}
	if last := parts[len(parts)-1]; n != 700 || last.ID != "none" || !last.Last || len(last.Rows) != 0 {
		t.Errorf("%d rows, then %+v", n, last)
	}
}

func TestATransitionOfAnotherHostIsRefusedForGoodAndAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	w.worker(host2, "w2")
	_, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host2, 1, 1)})
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("ship: %v", err)
	}
	w.refusedFor(messages.RefusedForeign)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got) != 0 {
		t.Errorf("committed: %v", w.got)
	}
}

func TestATransitionLargerThanAFrameIsToldApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	e := transition(host1, 1)
	big := `"` + strings.Repeat("x", maxFrame) + `"`
	e.Row.ConfigJSON = &big
	if _, err := s.Ship(t.Context(), messages.ShipBatch{Events: []messages.Shipped{e}}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("ship: %v", err)
	}
	big = `"` + strings.Repeat("x", maxFrame-4096) + `"`
	s.must(messages.ShipBatch{Events: []messages.Shipped{e}})
}

func TestBeatsAndComingsAndGoingsAreHeard(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	if err := s.Beat(messages.Beat{N: 7, Pending: 3, Health: "degraded"}); err != nil {
		t.Fatal(err)
	}
	w.until("the beat", func() bool { return len(w.beats[host1]) == 1 && w.beats[host1][0].N == 7 })
	p := w.hub.Peers()[0]
	if !p.Connected || p.Version != "1.0" || p.Wire != 1 || p.CertExpires.IsZero() || p.LastContact.IsZero() || p.Name != "w1" || p.Remote == "" {
		t.Errorf("peer: %+v", p)
	}
	s.Leave(t.Context())
	w.until("up, then a graceful down", func() bool {
		return len(w.events) == 2 && w.events[0].Up && !w.events[1].Up && w.events[1].Graceful
	})
	if w.hub.Peers()[0].Connected {
		t.Error("still connected")
	}
	if err := s.Beat(messages.Beat{}); !errors.Is(err, ErrAway) {
		t.Errorf("beat after leaving: %v", err)
	}
}

func TestAWorkerThatVanishesIsNoGracefulLeave(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	w.worker(host1, "w1").Close()
	w.until("down", func() bool { return len(w.events) == 2 && !w.events[1].Up && !w.events[1].Graceful })
}

func TestBothSidesKnowTheirSkewAndCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	st := w.worker(host1, "w1").State()
	if st.HubVersion != "1.0" || st.HubFingerprint != w.master.fp || st.HubCertExpires.IsZero() || st.CertExpires.IsZero() {
		t.Errorf("state: %+v", st)
	}
	if st.SkewSeconds < -1 || st.SkewSeconds > 1 {
		t.Errorf("skew of one clock with itself: %v s", st.SkewSeconds)
	}
}

// More frames a second than the hub takes would lose some, and a ship would wait in vain.
func TestManySmallBatchesAllArrive(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	const n = 600
	for i := 1; i <= n; i++ {
		if _, err := s.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, i, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	if dropped := w.hub.Peers()[0].Dropped; dropped != 0 {
		t.Errorf("%d dropped", dropped)
	}
}

// TestTheTableIsReadWhileHostsComeAndGo has nothing to say but under -race.
func TestTheTableIsReadWhileHostsComeAndGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.refresh()
			}
		}
	})
	for range 20 {
		s := w.dial(w.config(host1, id))
		s.becomes(messages.LinkConnected)
		s.Close()
	}
	close(stop)
	reading.Wait()
	w.until("the last one has gone", func() bool { return !w.hub.Peers()[0].Connected })
}
