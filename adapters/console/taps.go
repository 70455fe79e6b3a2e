package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Taps shows what actors handle.
type Taps interface {
	// Open begins to show the messages handled by actors whose pid want selects. It ends by itself after count messages
	// or the time. match runs while an actor waits: it must be short.
	Open(want func(pid string) bool, match func(messages.Tapped) bool, count int64, last time.Duration) (Tap, error)
}

// Tap is one that is open. It may be used from any goroutine.
type Tap interface {
	// Next waits for a message; io.EOF where the tap has ended and all was read, or the error of ctx.
	Next(ctx context.Context) (messages.Tapped, error)
	Dropped() int64
	Done() <-chan struct{}
	Stop()
}

// Bounds of a tap. Chosen: enough to see a pattern; what nobody ends must end.
const (
	tapCount     = 100
	maxTapCount  = 10_000
	tapSeconds   = 60
	maxTapTime   = 10 * time.Minute
	maxTapFilter = 128 // bytes: it runs in the actor
	tapLinger    = 30 * time.Second
)

// taps are the open ones, by id. The zero value is ready.
type taps struct {
	mu   sync.Mutex
	all  map[string]*openTap
	next int64
}

type openTap struct {
	Tap
	status  TapStatus
	claimed bool // somebody reads it
	seen    int64
}

func (s *Server) openTap(w http.ResponseWriter, r *http.Request) {
	var want TapRequest
	if err := s.readBody(w, r, &want); err != nil {
		refuseBody(w, err, bodyHint)
		return
	}
	if n := noteOf(r.Context()); n != nil {
		n.verb, n.target = "tap", want.Actor
	}
	f, err := want.check(r.Context())
	if err != nil {
		refuse(w, http.StatusBadRequest, BadRequest, err.Error(), `send {"actor": "decky/decky-01", "count": 100, "for_seconds": 60}`)
		return
	}
	if s.cfg.Taps == nil {
		refuse(w, http.StatusServiceUnavailable, Unavailable, "taps are not there yet", "try again")
		return
	}
	last := time.Duration(want.Seconds * float64(time.Second))
	t, err := s.cfg.Taps.Open(func(pid string) bool { return matches(want.Actor, pid) }, func(m messages.Tapped) bool { return f.Match(m) }, want.Count, last)
	if err != nil {
		refuse(w, http.StatusConflict, Conflict, err.Error(), "DELETE /v1/taps/{id} ends one; GET /v1/taps lists them")
		return
	}
	status := s.taps.add(t, TapStatus{Actor: want.Actor, Match: want.Match, Count: want.Count, Seconds: want.Seconds,
		By: CallerOf(r.Context()).Name(), Since: messages.Moment{Time: s.cfg.Now()}})
	s.cfg.Spawn(func() { s.reap(status.ID, t) })
	reply(w, TapReply{Envelope{API, "tap"}, status})
}

// check fills in what was not said.
func (t *TapRequest) check(ctx context.Context) (Filter, error) {
	if t.Count == 0 {
		t.Count = tapCount
	}
	if t.Seconds == 0 {
		t.Seconds = tapSeconds
	}
	switch {
	case t.Actor == "":
		return Filter{}, errors.New("actor is missing: the kind/id of an actor, or a pattern")
	case len(t.Actor) > 2*maxNote:
		return Filter{}, errors.New("actor is too long")
	case t.Count < 0 || t.Count > maxTapCount:
		return Filter{}, errors.New("count must be from 1 to " + strconv.Itoa(maxTapCount))
	case !(t.Seconds > 0 && t.Seconds <= maxTapTime.Seconds()): // so that NaN is refused too
		return Filter{}, errors.New("for_seconds must be more than 0 and at most 600")
	case len(t.Match) > maxTapFilter:
		return Filter{}, errors.New("the filter of a tap has at most 128 bytes: it runs in the actor")
	}
	f, err := ParseFilter(t.Match)
	if err == nil {
		_, err = selectItems(ctx, f, []messages.Tapped{})
	}
	return f, err
}

func (t *taps) add(x Tap, s TapStatus) TapStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]*openTap{}
	}
	t.next++
	s.ID = itoa(t.next)
	t.all[s.ID] = &openTap{Tap: x, status: s}
	return s
}

// reap forgets a tap some time after it has ended: what it saw may still be read until then. It ends with the server,
// which ends all taps.
func (s *Server) reap(id string, t Tap) {
	<-t.Done()
	timer := time.NewTimer(tapLinger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.gone:
	}
	s.taps.remove(id)
}

func (t *taps) remove(id string) *openTap {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.all[id]
	delete(t.all, id)
	return x
}

// endAll ends every tap.
func (t *taps) endAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.all {
		x.Stop()
	}
}

func (t *taps) list() []TapStatus {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]TapStatus, 0, len(t.all))
	for _, x := range t.all {
		x.status.Seen, x.status.Dropped = x.seen, x.Dropped()
		out = append(out, x.status)
	}
	slices.SortFunc(out, func(a, b TapStatus) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (s *Server) listTaps(w http.ResponseWriter, _ *http.Request) {
	reply(w, TapList{Envelope{API, "taps"}, s.taps.list()})
}

func refuseTap(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, NotFound, "there is no such tap", "it may have ended; GET /v1/taps lists them")
}

func (s *Server) closeTap(w http.ResponseWriter, r *http.Request) {
	x := s.taps.remove(r.PathValue("id"))
	if x == nil {
		refuseTap(w)
		return
	}
	x.Stop()
	x.status.Dropped = x.Dropped()
	reply(w, TapReply{Envelope{API, "tap"}, x.status})
}

// claim gives a tap to its one reader.
func (t *taps) claim(id string) (x *openTap, taken bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if x = t.all[id]; x == nil {
		return nil, false
	}
	taken, x.claimed = x.claimed, true
	return x, taken
}
