package main

import (
	"sync"

	"github.com/decnet/decnet-fleetd/actors/store"
	"github.com/decnet/decnet-fleetd/messages"
)

// sinks keeps the outbox of a worker with a bus: a transition may go when bus and hub have it. What one of them has alone is
// kept in mind up to a bound; beyond it that one waits for the other.
type sinks struct {
	mu    sync.Mutex
	store store.Teller
	had   [2]map[int64]bool // ids that one has alone
}

// maxAlone bounds what one sink may be ahead of the other. Source: some 10 MiB; a hub that is away for a day at three
// transitions a second.
const maxAlone = 1 << 18

func newSinks(to store.Teller) *sinks {
	return &sinks{store: to, had: [2]map[int64]bool{{}, {}}}
}

// sink is the store as one of the two sees it.
type sink struct {
	of  *sinks
	who int
}

// Tell passes on what both have, and everything that is no acknowledgement.
func (s sink) Tell(msg any) bool {
	m, is := msg.(messages.OutboxAcknowledged)
	if !is {
		return s.of.store.Tell(msg)
	}
	return s.of.acknowledged(s.who, m.IDs)
}

func (s *sinks) acknowledged(who int, ids []int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine, others := s.had[who], s.had[1-who]
	if len(mine) >= maxAlone {
		return false
	}
	var both []int64
	for _, id := range ids {
		if others[id] {
			both = append(both, id)
		}
	}
	if len(both) > 0 && !s.store.Tell(messages.OutboxAcknowledged{IDs: both}) {
		return false
	}
	for _, id := range ids {
		if !others[id] {
			mine[id] = true
		}
		delete(others, id)
	}
	return true
}
