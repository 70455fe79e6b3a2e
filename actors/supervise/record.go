package supervise

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// Crash is the record of one crash.
type Crash struct {
	ID          uint64 // ascending
	At          time.Time
	Actor       string // kind/id
	Incarnation uint32
	Reason      string // what panicked, or why it was crashed on purpose
	Stack       string // of the goroutine
	Message     string // the message that was being handled, or the goroutine that panicked; it is not delivered again
	State       string // what the Receiver's Snapshot said before it was thrown away; "" if it has none
}

// Bounds of a crash record, in bytes. Chosen: a stack of 40 frames, a state as wide as a row of the fleet, and the head
// of a message are enough to find a defect.
const (
	maxStack   = 8 << 10
	maxState   = 4 << 10
	maxMessage = 1 << 10
	maxReason  = 1 << 10
)

// records is a ring of the last crashes, read by consoles while the supervisor writes.
type records struct {
	mu   sync.Mutex
	last []Crash // at most limit; the oldest at next once it is full
	next int
	seen uint64
}

// add numbers the record and keeps it.
func (r *records) add(c Crash, limit int) Crash {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen++
	c.ID = r.seen
	if len(r.last) < limit {
		r.last = append(r.last, c)
		return c
	}
	r.last[r.next] = c
	r.next = (r.next + 1) % limit
	return c
}

// list answers the oldest first.
func (r *records) list() []Crash {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Crash, 0, len(r.last))
	return append(append(out, r.last[r.next:]...), r.last[:r.next]...)
}

// guard runs f and answers its panic as a crash; nil if it returned.
func guard(f func()) (failed *crash) {
	defer func() {
		if reason := recover(); reason != nil {
			failed = &crash{reason: clip(fmt.Sprint(reason), maxReason), stack: stackOfPanic()}
		}
	}()
	f()
	return nil
}

// stackOfPanic is the running goroutine's stack without the frames of recovering. Call it in a deferred function.
func stackOfPanic() string {
	stack := string(debug.Stack())
	head, rest, _ := strings.Cut(stack, "\n")
	if _, below, found := strings.Cut(rest, "\npanic("); found {
		_, below, _ = strings.Cut(below, "\n") // the rest of the line of panic itself
		_, below, _ = strings.Cut(below, "\n") // where it stands
		stack = head + "\n" + below
	}
	return clip(stack, maxStack)
}

// snapshot asks a Receiver that crashed for its state. The code is as doubtful as what crashed, so it is guarded.
func snapshot(r Receiver) (state string) {
	teller, ok := r.(snapshotter)
	if !ok {
		return ""
	}
	if failed := guard(func() { state = clip(teller.Snapshot(), maxState) }); failed != nil {
		return "snapshot panicked: " + failed.reason
	}
	return state
}

// clip cuts text to limit bytes, at a character, and copies it so that the long one can be freed.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(strings.Clone(text[:limit]), "") + "…"
}
