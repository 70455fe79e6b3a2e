package main

import (
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/metrics"
)

// crew is all actors, as the metrics show them.
type crew struct {
	sys atomic.Pointer[supervise.System]
}

// stuckAfter is when a handler counts as stuck. Source: the supervisor reports it then; the clock of the counters may have
// it begin a second early.
const stuckAfter = 6 * time.Second

func (w *crew) list() []metrics.Crew {
	sys := w.sys.Load()
	if sys == nil {
		return nil
	}
	now, kinds := time.Now(), map[string]*metrics.Crew{}
	for kind, n := range sys.DeadLetters() {
		kinds[kind] = &metrics.Crew{Kind: kind, Dropped: n}
	}
	for _, r := range sys.Refs() {
		st, k := r.Stats(), kinds[r.Kind()]
		if k == nil {
			continue // it began a moment ago
		}
		k.DepthMax = max(k.DepthMax, st.Depth)
		if st.State == supervise.Quarantined {
			k.Quarantined++
		}
		if !st.InHandlerSince.IsZero() && now.Sub(st.InHandlerSince) > stuckAfter {
			k.Stuck++
		}
	}
	out := make([]metrics.Crew, 0, len(kinds))
	for _, k := range kinds {
		out = append(out, *k)
	}
	return out
}
