package supervise

import (
	"sync"
	"sync/atomic"
)

// tally counts the messages that nobody took, by kind of actor. Unlike the counters of a Ref it outlives the actors.
type tally struct {
	mu   sync.Mutex
	kind map[string]*atomic.Int64
}

// of is the counter of a kind.
func (t *tally) of(kind string) *atomic.Int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kind == nil {
		t.kind = map[string]*atomic.Int64{}
	}
	if t.kind[kind] == nil {
		t.kind[kind] = new(atomic.Int64)
	}
	return t.kind[kind]
}

// DeadLetters counts, by kind of actor, the messages that nobody took: refused by Tell and Ask, or discarded at a stop.
// The counts only ever grow; those of actors that are gone stay in.
func (s *System) DeadLetters() map[string]int64 {
	s.dead.mu.Lock()
	defer s.dead.mu.Unlock()
	out := make(map[string]int64, len(s.dead.kind))
	for kind, n := range s.dead.kind {
		out[kind] = n.Load()
	}
	return out
}
