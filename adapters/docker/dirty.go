package docker

import (
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxDirty bounds the ids waiting for a look; beyond it the whole list is read instead. Source: 10,000 deckies with
// three services fit, at about 200 bytes each.
const maxDirty = 1 << 15

// maxAsked bounds the ids of one list: 64 of them make a URL of 4.5 KiB, engines accept 1 MiB of header.
const maxAsked = 64

// mark is why an id is dirty.
type mark struct {
	id    string
	at    int64  // timeNano of the oldest event behind it, 0 where the engine gave none
	cause string // its action
	last  string // the newest action
	tries int    // so many lists have contradicted it
}

// dirt is what the event stream left behind for the next look: a set of ids, in the order in which they became
// dirty, and hints. The reader of the stream adds to it and is never made to wait; the observer takes from it.
type dirt struct {
	wake chan struct{} // holds a token while something waits

	mu        sync.Mutex
	order     []string
	marks     map[string]mark
	overflown *mark // more ids than fit: of the oldest event that was not kept
	destroyed []messages.Container
	started   int
}

func newDirt() *dirt {
	return &dirt{wake: make(chan struct{}, 1), marks: make(map[string]mark)}
}

// add marks an id.
func (d *dirt) add(m mark) {
	d.mu.Lock()
	d.put(m)
	d.mu.Unlock()
	d.ring()
}

// event marks the id of an event and keeps what it hints at.
func (d *dirt) event(e event) {
	d.mu.Lock()
	d.put(mark{id: e.id, at: e.at, cause: e.action, last: e.action})
	switch e.action {
	case actionStart:
		d.started++
	case actionDestroy:
		if len(d.destroyed) < maxDirty { // a hint may be lost, the list will tell
			d.destroyed = append(d.destroyed, e.container)
		}
	}
	d.mu.Unlock()
	d.ring()
}

func (d *dirt) ring() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *dirt) put(m mark) {
	if old, ok := d.marks[m.id]; ok {
		if m.tries == 0 { // else it is older than what is there
			old.last, old.tries = m.last, 0
			d.marks[m.id] = old
		}
		return
	}
	if len(d.marks) >= maxDirty {
		if d.overflown == nil {
			first := m
			d.overflown = &first
		}
		return
	}
	d.marks[m.id] = m
	d.order = append(d.order, m.id)
}

// waiting counts the dirty ids; overflown says that they are not all.
func (d *dirt) waiting() (n int, overflown bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.order), d.overflown != nil
}

// take removes the n ids that have waited longest.
func (d *dirt) take(n int) []mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.takeLocked(n)
}

func (d *dirt) takeLocked(n int) []mark {
	n = min(n, len(d.order))
	taken := make([]mark, 0, n)
	for _, id := range d.order[:n] {
		taken = append(taken, d.marks[id])
		delete(d.marks, id)
	}
	d.order = d.order[n:]
	if len(d.order) == 0 {
		d.order = nil
	} else {
		d.ring()
	}
	return taken
}

// takeAll removes every id; a full list that begins now answers them all. It says whether there were more than are
// known.
func (d *dirt) takeAll() (all []mark, overflown bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	all = d.takeLocked(len(d.order))
	if d.overflown == nil {
		return all, false
	}
	all = append(all, *d.overflown)
	d.overflown = nil
	return all, true
}

// peek copies the marks that wait and leaves them.
func (d *dirt) peek() []mark {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := make([]mark, 0, len(d.order))
	for _, id := range d.order {
		seen = append(seen, d.marks[id])
	}
	return seen
}

// hints removes the hints. False: there are none.
func (d *dirt) hints() (messages.RuntimeHinted, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := messages.RuntimeHinted{Destroyed: d.destroyed, Started: d.started}
	d.destroyed, d.started = nil, 0
	return h, h.Started > 0 || len(h.Destroyed) > 0
}

// oldest finds the oldest event behind marks: when it happened and what it was. An event without a time still names
// the cause. Without marks the cause is a look of our own.
func oldest(marks []mark) (at time.Time, cause string) {
	cause = causeRelist
	var first int64
	for _, m := range marks {
		if cause == causeRelist {
			cause = m.cause
		}
		if m.at > 0 && (first == 0 || m.at < first) {
			first, cause = m.at, m.cause
		}
	}
	if first > 0 {
		at = time.Unix(0, first)
	}
	return at, cause
}
