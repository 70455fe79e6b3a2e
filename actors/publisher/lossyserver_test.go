package publisher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/decnet/decnet-fleetd/messages"
)

// lossyServer is a bus that drops what it likes, dies, stalls and swallows poison. It shows the properties that must
// hold whatever it does.
type lossyServer struct {
	t      *rapid.T
	f      *flight
	now    time.Time
	up     bool
	next   int64
	rows   map[string]messages.OutboxRow // by event id
	poison map[string]bool
	wire   []messages.Frame // written, not yet worked through
	echo   []string         // fanned out, not yet heard: event ids, or "p" and a probe's number

	passed  bool // a probe of this link was heard
	got     map[string]bool
	acked   map[int64]bool
	parked  map[int64]bool
	lastOf  map[string]int64 // by decky: the last id received for the first time
	sent    int
	began   time.Time
	unlucky int // losses in a row that poison is not to blame for
}

func (s *lossyServer) plan() {
	for range 3 {
		o := s.f.plan(s.now)
		switch {
		case o.leave != "":
			s.down(false)
			continue
		case o.dial:
			if rapid.Bool().Draw(s.t, "dial works") {
				s.f.connected(s.now)
				s.up, s.passed = true, false
			} else {
				s.f.ended(s.now, false, 0.5)
			}
			continue
		case len(o.write) > 0:
			s.take(o.write)
		}
		if s.f.writing {
			s.f.written()
		}
		break
	}
	s.settle()
}

func (s *lossyServer) take(frames []messages.Frame) {
	for _, fr := range frames {
		s.wire = append(s.wire, fr)
		if fr.Topic == messages.HealthTopic {
			continue
		}
		if !s.passed {
			s.t.Fatal("a row went before a probe had come back")
		}
		r := s.rows[eventIDOf(fr)]
		for id := s.lastOf[r.Name] + 1; id < r.ID; id++ {
			if e, ok := s.rows[fmt.Sprintf("%032x", id)]; ok && e.Name == r.Name && !s.acked[id] && !s.parked[id] && !s.f.isAcked(id) {
				s.t.Fatalf("row %d of %s goes while %d has not arrived", r.ID, r.Name, id)
			}
		}
		s.sent++
	}
	if n := len(s.f.inflight); n > s.f.p.Window {
		s.t.Fatalf("%d in flight", n)
	}
	if s.f.bytes > s.f.p.WindowBytes && len(s.f.inflight) > 1 {
		s.t.Fatalf("%d bytes in flight", s.f.bytes)
	}
	decks := map[string]bool{}
	if len(s.f.order) != len(s.f.inflight) {
		s.t.Fatalf("%d in order, %d in flight", len(s.f.order), len(s.f.inflight))
	}
	for _, it := range s.f.inflight {
		if decks[it.row.Name] {
			s.t.Fatalf("two rows of %s in flight", it.row.Name)
		}
		decks[it.row.Name] = true
		if it.suspect && len(s.f.inflight) > 1 {
			s.t.Fatalf("a suspect is in flight with %d others", len(s.f.inflight)-1)
		}
	}
	if most := float64(s.f.p.Burst) + s.now.Sub(s.began).Seconds()*s.f.p.Rate + 1; float64(s.sent) > most {
		s.t.Fatalf("%d sent, the pace allows %v", s.sent, most)
	}
}

func (f *flight) isAcked(id int64) bool {
	return slices.Contains(f.acked, id)
}

// number reads the digits a text begins with.
func number(s string) uint64 {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseUint(s[:end], 10, 64)
	return n
}

func eventIDOf(fr messages.Frame) string {
	_, rest, _ := strings.Cut(string(fr.Body), `"event_id":"`)
	return rest[:32]
}

// settle takes over results and checks them.
func (s *lossyServer) settle() {
	r := s.f.results()
	for _, id := range r.acked {
		eid := fmt.Sprintf("%032x", id)
		if !s.got[eid] {
			s.t.Fatalf("row %d is acknowledged, the server never saw it", id)
		}
		if s.acked[id] {
			s.t.Fatalf("row %d is acknowledged twice", id)
		}
		s.acked[id] = true
	}
	for _, k := range r.parked {
		if !s.poison[k.row.EventID] {
			s.t.Fatalf("row %d is parked though it is harmless", k.row.ID)
		}
		s.parked[k.row.ID] = true
	}
}

// work lets the server handle one frame: fan it out, lose it, die of it.
func (s *lossyServer) work(lose bool) {
	if !s.up || len(s.wire) == 0 {
		return
	}
	fr := s.wire[0]
	s.wire = s.wire[1:]
	if fr.Topic == messages.HealthTopic {
		if !lose {
			_, rest, _ := strings.Cut(string(fr.Body), `"probe":`)
			s.echo = append(s.echo, fmt.Sprint("p", number(rest)))
		}
		return
	}
	id := eventIDOf(fr)
	if s.poison[id] {
		if s.rows[id].ID%2 == 0 {
			s.down(false)
		}
		return
	}
	r := s.rows[id]
	if !s.got[id] && r.ID < s.lastOf[r.Name] {
		s.t.Fatalf("row %d of %s arrives after %d", r.ID, r.Name, s.lastOf[r.Name])
	}
	s.lastOf[r.Name] = max(s.lastOf[r.Name], r.ID)
	s.got[id] = true // other subscribers have it even where our echo is lost
	if lose && s.unlucky < 3 {
		s.unlucky++
		return
	}
	s.unlucky = 0
	s.echo = append(s.echo, id)
}

func (s *lossyServer) hear() {
	if len(s.echo) == 0 {
		return
	}
	e := s.echo[0]
	s.echo = s.echo[1:]
	if e[0] == 'p' {
		s.f.probeEchoed(s.now, number(e[1:]))
		s.passed = s.passed || s.f.phase == open
	} else {
		s.f.echoed(s.now, []string{e})
	}
	s.settle()
}

func (s *lossyServer) down(moved bool) {
	s.up, s.wire, s.echo, s.passed = false, nil, nil, false
	s.f.ended(s.now, moved, 0.5)
	s.settle()
}

func TestEveryRowArrivesInOrderWhateverTheServerDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &lossyServer{t: t, now: t0, began: t0, rows: map[string]messages.OutboxRow{}, poison: map[string]bool{},
			got: map[string]bool{}, acked: map[int64]bool{}, parked: map[int64]bool{}, lastOf: map[string]int64{}}
		p := Policy{
			Window:      rapid.IntRange(1, 12).Draw(t, "window"),
			WindowBytes: rapid.SampledFrom([]int{300, 1000, 128 << 10}).Draw(t, "bytes"),
			Burst:       rapid.IntRange(1, 8).Draw(t, "burst"),
			Replay:      rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(t, "replay"),
			Memory:      10000,
		}
		s.f = newFlight(p.withDefaults(), "us", 0)
		kills := 0
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				s.next++
				r := row(s.next, rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "decky"))
				s.rows[r.EventID] = r
				s.poison[r.EventID] = rapid.IntRange(0, 15).Draw(t, "poison") == 0
				s.f.offer([]messages.OutboxRow{r})
			},
			"plan":     func(*rapid.T) { s.plan() },
			"work":     func(t *rapid.T) { s.work(rapid.IntRange(0, 5).Draw(t, "lose") == 0) },
			"work all": func(*rapid.T) { s.workAll() },
			"hear":     func(*rapid.T) { s.hear() },
			"pass": func(t *rapid.T) {
				s.now = s.now.Add(rapid.SampledFrom([]time.Duration{1e6, 5e7, 1e9, 3e9, 7e9}).Draw(t, "time"))
				s.plan()
			},
			"kill": func(t *rapid.T) {
				if kills < 5 && s.f.phase != linkless && s.f.phase != dialling {
					kills++
					s.down(rapid.Bool().Draw(t, "moved"))
				}
			},
			"": func(*rapid.T) {},
		})
		s.finish()
	})
}

func (s *lossyServer) workAll() {
	for len(s.wire) > 0 && s.up {
		s.work(false)
	}
	for len(s.echo) > 0 {
		s.hear()
	}
}

// finish lets a healthy server do its work: everything must come to rest, and soon.
func (s *lossyServer) finish() {
	for range 100000 {
		s.healthy()
		if s.f.lanes.rows == 0 && len(s.f.lanes.all) == 0 {
			break
		}
		at := s.f.wake(s.now)
		if at.IsZero() {
			s.t.Fatalf("%d rows are left and nothing is due", s.f.lanes.rows)
		}
		if at.After(s.now) {
			s.now = at
		}
	}
	for id, r := range s.rows {
		if s.poison[id] != s.parked[r.ID] || s.poison[id] == s.acked[r.ID] {
			s.t.Fatalf("row %d: poison %v, parked %v, acknowledged %v", r.ID, s.poison[id], s.parked[r.ID], s.acked[r.ID])
		}
	}
}

func (s *lossyServer) healthy() {
	for range 3 {
		o := s.f.plan(s.now)
		if o.leave != "" {
			s.down(false)
			continue
		}
		if o.dial {
			s.f.connected(s.now)
			s.up, s.passed = true, false
			continue
		}
		s.take(o.write)
		if s.f.writing {
			s.f.written()
		}
		s.settle()
		s.workAll()
	}
}
