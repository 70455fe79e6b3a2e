package console

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// defaultKept is how many events a feed keeps. Chosen: some 2 MiB, an hour of a busy fleet.
const defaultKept = 4096

// Feed numbers events, keeps the latest and wakes whoever follows. Append never waits for a reader: what is kept is
// every follower's queue, and one that falls behind it is told how many events it lost. Safe from any goroutine.
type Feed struct {
	mu        sync.Mutex
	ring      []messages.Event
	begin     int64 // seq of the first there ever was
	first     int64 // seq of the oldest kept
	next      int64 // seq of the next to come
	followers map[*Follower]struct{}
}

// NewFeed keeps size events; 0 means 4096. The first event gets base+1: a base that grows from one life of the daemon
// to the next keeps a follower's place valid over a restart.
func NewFeed(size int, base int64) *Feed {
	if size <= 0 {
		size = defaultKept
	}
	return &Feed{ring: make([]messages.Event, size), begin: base + 1, first: base + 1, next: base + 1, followers: map[*Follower]struct{}{}}
}

// Append numbers an event and keeps it; its Seq is overwritten.
func (f *Feed) Append(e messages.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e.Seq = f.next
	f.ring[f.slot(e.Seq)] = e
	f.next++
	if f.next-f.first > int64(len(f.ring)) {
		f.first++
	}
	for w := range f.followers {
		select {
		case w.wake <- struct{}{}:
		default: // it has been woken and has not looked yet
		}
	}
}

// Last is the seq of the newest event, or the base.
func (f *Feed) Last() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next - 1
}

func (f *Feed) slot(seq int64) int64 { return seq % int64(len(f.ring)) }

// Query selects events. The zero value selects none but for Limit 0, which means 256.
type Query struct {
	Since     int64           // events after this seq; negative: the newest Limit ones
	Limit     int             // at most this many
	Type      string          // "" for all
	Target    string          // a pattern like that of deckies; "" for all
	Name      string          // exactly this target, also as the id of an actor; "" for all
	Names     map[string]bool // these targets, also as the ids of actors; nil for all
	NotBefore time.Time       // zero for all
	topics    topics          // none for all
}

// Bounds of a page.
const (
	defaultLimit = 256  // chosen: a screenful of any face
	maxLimit     = 4096 // chosen: all that a feed keeps by default
)

func (q Query) limit() int {
	if q.Limit <= 0 {
		return defaultLimit
	}
	return min(q.Limit, maxLimit)
}

func (q Query) selects(e messages.Event) bool {
	return (q.Type == "" || q.Type == e.Type) && matches(q.Target, e.Target) && (q.Name == "" || q.names(e.Target)) &&
		(q.Names == nil || q.Names[strings.TrimPrefix(e.Target, "decky/")]) && (q.NotBefore.IsZero() || !e.At.Before(q.NotBefore)) && q.topics.selects(e)
}

// names: events of the supervisor are about decky/NAME, all others about NAME.
func (q Query) names(target string) bool {
	id, actor := strings.CutPrefix(target, "decky/")
	return target == q.Name || actor && id == q.Name
}

// Page returns the events that a query selects, oldest first.
func (f *Feed) Page(q Query) EventList {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := EventList{Envelope: Envelope{API, "events"}, Items: []messages.Event{}, Seq: f.next - 1}
	if q.Since < 0 {
		list.Items = f.tail(q)
		return list
	}
	from, gap, _ := f.resume(f.after(q.Since))
	list.Gap = gap
	for seq := from; seq < f.next; seq++ {
		e := f.ring[f.slot(seq)]
		if !q.selects(e) {
			continue
		}
		if len(list.Items) == q.limit() {
			list.More = true
			break
		}
		list.Items = append(list.Items, e)
	}
	return list
}

// tail returns the newest events that are selected.
func (f *Feed) tail(q Query) []messages.Event {
	out := []messages.Event{}
	for seq := f.next - 1; seq >= f.first && len(out) < q.limit(); seq-- {
		if e := f.ring[f.slot(seq)]; q.selects(e) {
			out = append(out, e)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

// Follower reads a feed at its own pace. It belongs to one goroutine; Stop ends it.
type Follower struct {
	feed  *Feed
	query Query
	next  int64
	wake  chan struct{}
}

// Follow starts after Since, with the first event there was where that is 0, with what is coming where it is negative. A
// Since that the feed never reached, or from before it began, is a place in another feed: the first batch says Reset.
func (f *Feed) Follow(q Query) *Follower {
	f.mu.Lock()
	defer f.mu.Unlock()
	w := &Follower{feed: f, query: q, next: f.after(q.Since), wake: make(chan struct{}, 1)}
	f.followers[w] = struct{}{}
	return w
}

// after is the seq that follows since: the first there ever was where that is 0, the next to come where it is negative.
func (f *Feed) after(since int64) int64 {
	switch {
	case since < 0:
		return f.next
	case since == 0:
		return f.begin
	}
	return since + 1
}

// resume is the seq to go on with where seq is wanted. There is a gap where it is not kept any more, dropped events wide, and
// where it is a place in another feed: then nobody can tell how many, and dropped is 0.
func (f *Feed) resume(seq int64) (from int64, gap bool, dropped int64) {
	switch {
	case seq < f.begin || seq > f.next:
		return f.first, true, 0
	case seq < f.first:
		return f.first, true, f.first - seq
	}
	return seq, false, 0
}

// Stop ends the follower.
func (w *Follower) Stop() {
	w.feed.mu.Lock()
	defer w.feed.mu.Unlock()
	delete(w.feed.followers, w)
}

// Batch is what a follower got. After a Reset events are missing between the batch before and this one: Dropped of
// them, or an unknown number where that is 0.
type Batch struct {
	Events  []messages.Event
	After   int64 // events up to here belong to the batches before
	Reset   bool
	Dropped int64
}

// batchSize bounds a batch; chosen so that a slow reader's deadline is per few events.
const batchSize = 64

// Next waits for events that the query selects. Its error is that of ctx.
func (w *Follower) Next(ctx context.Context) (Batch, error) {
	for {
		if b := w.take(); b.Reset || len(b.Events) > 0 {
			return b, nil
		}
		select {
		case <-ctx.Done():
			return Batch{}, ctx.Err()
		case <-w.wake:
		}
	}
}

func (w *Follower) take() Batch {
	f := w.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	var b Batch
	w.next, b.Reset, b.Dropped = f.resume(w.next)
	b.After = w.next - 1
	for w.next < f.next && len(b.Events) < batchSize {
		if e := f.ring[f.slot(w.next)]; w.query.selects(e) {
			b.Events = append(b.Events, e)
		}
		w.next++
	}
	return b
}
