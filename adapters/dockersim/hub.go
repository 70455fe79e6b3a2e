package dockersim

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/filters"
)

// replay is how many events the engine remembers. Source: dockerd.
const replay = 256

// message is one event: encoded once, sent to every stream that wants it.
type message struct {
	rec    *record
	action string
	at     time.Time
	body   []byte
}

// hub passes events on. Its lock is never held while anything waits.
type hub struct {
	queue   int
	mu      sync.Mutex
	past    []message // the last ones, oldest first
	streams map[*stream]struct{}
}

// stream is one reader of events.
type stream struct {
	want   filters.Args
	events chan message
	cut    chan struct{} // closed to end it abruptly
}

// wants applies the filters of a subscription.
func (s *stream) wants(m *message) bool {
	if !s.want.ExactMatch("type", "container") {
		return false
	}
	match := s.want.ExactMatch("event", m.action)
	if family, _, ok := strings.Cut(m.action, ":"); ok && !match {
		match = s.want.ExactMatch("event", family)
	}
	if !match || !s.want.MatchKVList("label", m.rec.labels) {
		return false
	}
	return !s.want.Contains("container") || s.want.ExactMatch("container", m.rec.id) ||
		s.want.ExactMatch("container", m.rec.name)
}

// tell makes an event of what just happened to a container. The caller holds the engine's lock, so that events come
// in the order of the changes.
func (e *Engine) tell(r *record, now time.Time, action string, extra ...string) {
	e.stats.events.Add(1)
	if e.faults.DropEvents {
		return
	}
	m := message{rec: r, action: action, at: now, body: encodeEvent(r, now, action, extra)}
	h := &e.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.past) == replay {
		h.past = h.past[1:]
	}
	h.past = append(h.past, m)
	for s := range h.streams {
		if !s.wants(&m) {
			continue
		}
		select {
		case s.events <- m:
		default:
			e.stats.lost.Add(1)
		}
	}
}

func encodeEvent(r *record, now time.Time, action string, extra []string) []byte {
	b := make([]byte, 0, 400+len(r.attrs))
	b = append(b, `{"status":`...)
	b = strconv.AppendQuote(b, action)
	b = append(b, `,"id":"`...)
	b = append(b, r.id...)
	b = append(b, `","from":`...)
	b = append(b, quote(r.image)...)
	b = append(b, `,"Type":"container","Action":`...)
	b = strconv.AppendQuote(b, action)
	b = append(b, `,"Actor":{"ID":"`...)
	b = append(b, r.id...)
	b = append(b, `","Attributes":{`...)
	b = append(b, r.attrs...)
	for i := 0; i+1 < len(extra); i += 2 {
		b = append(b, ","+quote(extra[i])+":"+quote(extra[i+1])...)
	}
	b = append(b, `}},"scope":"local","time":`...)
	b = strconv.AppendInt(b, now.Unix(), 10)
	b = append(b, `,"timeNano":`...)
	b = strconv.AppendInt(b, now.UnixNano(), 10)
	return append(b, '}', '\n')
}

// subscribe adds a stream, and gives the remembered events since then that it wants.
func (h *hub) subscribe(want filters.Args, since time.Time) (*stream, []message) {
	s := &stream{want: want, events: make(chan message, h.queue), cut: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.streams[s] = struct{}{}
	var past []message
	for _, m := range h.past {
		if !since.IsZero() && !m.at.Before(since) && s.wants(&m) {
			past = append(past, m)
		}
	}
	return s, slices.Clip(past)
}

func (h *hub) unsubscribe(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

// cutAll ends all streams in the middle.
func (h *hub) cutAll() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.streams {
		delete(h.streams, s)
		close(s.cut)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
