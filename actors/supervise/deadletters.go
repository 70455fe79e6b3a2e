package supervise

import (
	"errors"
	"reflect"
	"sync"
	"time"
)

// DeadLetter counts the messages of one type that one actor did not take, for one reason.
type DeadLetter struct {
	Kind, ID string // of the actor
	Type     string // of the messages
	Why      string // full, quarantined, stopped, discarded
	Count    int64
	Last     time.Time // up to 1 s early
}

// Why a message was not taken.
const (
	letterFull        = "full"        // ErrFull
	letterQuarantined = "quarantined" // ErrQuarantined
	letterStopped     = "stopped"     // ErrStopped
	letterDiscarded   = "discarded"   // it waited when its actor was stopped
)

// maxLetters bounds the groups kept. Chosen: 512 times some 200 bytes; the group that was quiet for longest makes room.
const maxLetters = 512

// letterKey is compared without making any text: a storm of refusals must not cost more than what is refused.
type letterKey struct {
	kind, id string
	typ      reflect.Type
	why      string
}

type letterCount struct {
	count int64
	last  int64 // on the coarse clock
	turn  uint64
}

// deadLetters has a lock because whoever is refused notes it, from any goroutine. The zero value is ready.
type deadLetters struct {
	mu     sync.Mutex
	groups map[letterKey]*letterCount
	turn   uint64
	total  int64
}

func whyOf(err error) string {
	switch {
	case errors.Is(err, ErrFull):
		return letterFull
	case errors.Is(err, ErrQuarantined):
		return letterQuarantined
	}
	return letterStopped
}

func (d *deadLetters) note(r *Ref, msg any, why string, now int64) {
	key := letterKey{r.spec.Kind, r.spec.ID, reflect.TypeOf(msg), why}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
	d.total++
	g := d.groups[key]
	if g == nil {
		g = &letterCount{}
		d.room()
		d.groups[key] = g
	}
	g.count, g.last, g.turn = g.count+1, now, d.turn
}

// room makes room where there is none: it forgets who was quiet for longest, and those like it.
func (d *deadLetters) room() {
	if d.groups == nil {
		d.groups = map[letterKey]*letterCount{}
	}
	if len(d.groups) < maxLetters {
		return
	}
	var oldest, newest uint64 = d.turn, 0
	for _, g := range d.groups {
		oldest, newest = min(oldest, g.turn), max(newest, g.turn)
	}
	limit := oldest + (newest-oldest)/4
	for key, g := range d.groups {
		if g.turn <= limit {
			delete(d.groups, key)
		}
	}
}

func (d *deadLetters) list(c *clock) []DeadLetter {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]DeadLetter, 0, len(d.groups))
	for key, g := range d.groups {
		l := DeadLetter{Kind: key.kind, ID: key.id, Why: key.why, Count: g.count, Last: c.time(g.last)}
		if key.typ != nil {
			l.Type = key.typ.String()
		}
		out = append(out, l)
	}
	return out
}

// Letters answers what was refused or discarded, grouped; the order is of no meaning. total counts all of them since
// the start, those of forgotten groups too.
func (s *System) Letters() (groups []DeadLetter, total int64) {
	groups = s.letters.list(&s.clock)
	s.letters.mu.Lock()
	defer s.letters.mu.Unlock()
	return groups, s.letters.total
}

// discard answers why to everybody who asked one of the letters, and notes that they were not handled.
func (r *Ref) discard(left []letter, why error) {
	deny(left, why)
	for _, l := range left {
		if l.alarm == nil { // an actor's own timers are no letters
			r.sys.letters.note(r, l.msg, letterDiscarded, r.sys.clock.coarse())
		}
	}
}
