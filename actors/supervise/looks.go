package supervise

import (
	"cmp"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// eyes are who looks at one actor's work. It is never changed in place.
type eyes struct {
	times *histogram // handler times of the actor; nil: nobody wants them
	taps  []*Tap
}

// looks is who looks at all actors. It has a lock because consoles come and go on any goroutine.
type looks struct {
	mu    sync.Mutex
	timed bool
	taps  []*Tap
	types sync.Map // timesKey → *histogram, while timed
	count atomic.Int64
}

// timesKey is what handler times are grouped by.
type timesKey struct {
	kind string
	typ  reflect.Type
}

// maxTimes bounds the groups of handler times. Chosen: there are some 60 types of messages; a group has 240 bytes.
const maxTimes = 512

// HandlerTimes tells how long handlers of one kind of actor took for one type of message.
type HandlerTimes struct {
	Kind, Type string
	Count      int64
	P50, P99   time.Duration
}

// Measure begins or ends the timing of all handlers. With it on a message costs two readings of the clock more. It is
// called again while it is on, for actors that were spawned since.
func (s *System) Measure(on bool) {
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	if s.looks.timed && !on {
		s.looks.types.Clear()
		s.looks.count.Store(0)
	}
	s.looks.timed = on
	s.open(s.directory.all())
}

// open gives every actor the eyes that look at it. The lock is held.
func (s *System) open(refs []*Ref) {
	for _, r := range refs {
		old := r.eyes.Load()
		if len(s.looks.taps) == 0 && seesAlready(old, s.looks.timed) {
			continue // what is so a second after it was looked at before
		}
		next := &eyes{}
		if s.looks.timed {
			next.times = &histogram{}
			if old != nil && old.times != nil {
				next.times = old.times
			}
		}
		for _, t := range s.looks.taps {
			if t.want(r) {
				next.taps = append(next.taps, t)
			}
		}
		switch {
		case next.times == nil && next.taps == nil:
			r.eyes.Store(nil)
		case old == nil || old.times != next.times || !slices.Equal(old.taps, next.taps):
			r.eyes.Store(next)
		}
	}
}

// seesAlready says whether eyes without taps are as they should be.
func seesAlready(e *eyes, timed bool) bool {
	if e == nil {
		return !timed
	}
	return timed && e.times != nil && len(e.taps) == 0
}

// saw notes one handled message.
func (e *eyes) saw(r *Ref, l letter, began, ended int64, sound bool) {
	if e.times != nil {
		took := time.Duration(ended - began)
		e.times.add(took)
		if h := r.sys.looks.histogram(timesKey{r.spec.Kind, reflect.TypeOf(l.msg)}); h != nil {
			h.add(took)
		}
	}
	for _, t := range e.taps {
		t.see(r, l, began, ended, sound)
	}
}

// histogram finds or makes the one of a key; nil if there are too many.
func (k *looks) histogram(key timesKey) *histogram {
	if h, ok := k.types.Load(key); ok {
		return h.(*histogram)
	}
	if k.count.Load() >= maxTimes {
		return nil
	}
	h, there := k.types.LoadOrStore(key, &histogram{})
	if !there {
		k.count.Add(1)
	}
	return h.(*histogram)
}

// HandlerTimes answers the times since Measure(true), by kind and type.
func (s *System) HandlerTimes() []HandlerTimes {
	var out []HandlerTimes
	s.looks.types.Range(func(k, v any) bool {
		key, h := k.(timesKey), v.(*histogram)
		t := HandlerTimes{Kind: key.kind, Count: h.count(), P50: h.quantile(0.50), P99: h.quantile(0.99)}
		if key.typ != nil {
			t.Type = key.typ.String()
		}
		out = append(out, t)
		return true
	})
	slices.SortFunc(out, func(a, b HandlerTimes) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Type, b.Type)) })
	return out
}

// Times answers the median and the 99th percentile of the actor's handlers since somebody began to look; 0: nobody does.
func (r *Ref) Times() (p50, p99 time.Duration) {
	e := r.eyes.Load()
	if e == nil || e.times == nil {
		return 0, 0
	}
	return e.times.quantile(0.50), e.times.quantile(0.99)
}
