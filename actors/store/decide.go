package store

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// identity is who wants the lease.
type identity struct {
	bootID   string
	stateDir string
}

// watch is what a process that does not own the lease remembers of it.
type watch struct {
	lease messages.Lease
	since time.Time // when its beat was first seen as it is; by our own clock
}

// LeasePatience is how long a lease must stand still before another may take it. Source: the owner beats every 2 s;
// five seconds forgive one lost beat and a slow commit.
const LeasePatience = 5 * time.Second

// LeaseBeat is how often the owner moves the lease. Chosen: see LeasePatience.
const LeaseBeat = 2 * time.Second

// watched folds a look at the lease.
func watched(w watch, l messages.Lease, now time.Time) watch {
	if w.since.IsZero() || l != w.lease {
		return watch{lease: l, since: now}
	}
	return w
}

// mayTake says whether the lease may be taken now. The same state directory on the same boot means that we hold the
// flock its owner held: that process is gone.
func mayTake(w watch, me identity, now time.Time) bool {
	l := w.lease
	switch {
	case !l.Held || l.Owner == "":
		return true
	case l.BootID == me.bootID && l.StateDir == me.stateDir:
		return true
	}
	return now.Sub(w.since) >= LeasePatience
}

// pause is how long the store leaves the database alone after a transaction: as long as that took, so that DECNET's own
// writers get their turn. Source: measured, back to back they waited up to 3.9 s, with the pause 53 ms.
func pause(took time.Duration) time.Duration { return max(took, minPause) }

const minPause = 2 * time.Millisecond
