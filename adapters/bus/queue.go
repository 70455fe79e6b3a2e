package bus

import (
	"sync"
	"time"
)

// ring is a queue of frames that keeps its memory within what it needed at most.
type ring struct {
	slots []([]byte)
	head  int
	n     int
	bytes int
}

func (r *ring) push(frame []byte) {
	if r.n == len(r.slots) {
		next := make([][]byte, max(16, 2*len(r.slots)))
		for i := range r.n {
			next[i] = r.slots[(r.head+i)%len(r.slots)]
		}
		r.slots, r.head = next, 0
	}
	r.slots[(r.head+r.n)%len(r.slots)] = frame
	r.n++
	r.bytes += len(frame)
}

func (r *ring) pop() []byte {
	frame := r.slots[r.head]
	r.slots[r.head] = nil
	r.head = (r.head + 1) % len(r.slots)
	r.n--
	r.bytes -= len(frame)
	return frame
}

// quiet lets one message through in quietFor and counts the others. The zero value is ready.
type quiet struct {
	mu   sync.Mutex
	last time.Time
	held int64
}

func (q *quiet) let(now time.Time) (held int64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.last.IsZero() && now.Sub(q.last) < quietFor {
		q.held++
		return 0, false
	}
	held, q.held, q.last = q.held, 0, now
	return held, true
}
