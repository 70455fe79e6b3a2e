package fabric

import (
	"net"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// refusals keeps somebody who knocks all day from filling the audit: equal refusals are told once a minute, counted.
type refusals struct {
	mu   sync.Mutex
	seen map[refusalKey]*refusalCount
}

type refusalKey struct{ reason, fp, host, remote string }

type refusalCount struct {
	told  time.Time
	quiet int
}

const (
	refusalEvery = time.Minute // Chosen: an audit is read by people
	maxRefusals  = 1024        // kinds that are told apart; beyond them by reason alone
)

// admit says whether to tell this one, and how many it stands for.
func (r *refusals) admit(k refusalKey, now time.Time) (times int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen == nil {
		r.seen = map[refusalKey]*refusalCount{}
	}
	c := r.seen[k]
	if c == nil && len(r.seen) >= maxRefusals {
		r.forget(now)
		if len(r.seen) >= maxRefusals {
			k = refusalKey{reason: k.reason}
			c = r.seen[k]
		}
	}
	switch {
	case c == nil:
		r.seen[k] = &refusalCount{told: now}
		return 1, true
	case now.Sub(c.told) < refusalEvery:
		c.quiet++
		return 0, false
	}
	times = c.quiet + 1
	c.told, c.quiet = now, 0
	return times, true
}

func (r *refusals) forget(now time.Time) {
	for k, c := range r.seen {
		if now.Sub(c.told) >= refusalEvery {
			delete(r.seen, k)
		}
	}
}

// refuse tells of a refusal, once a minute.
func (h *Hub) refuse(r messages.Refusal) {
	now := h.cfg.Now()
	address := r.Remote
	if host, _, err := net.SplitHostPort(r.Remote); err == nil {
		address = host // every attempt has a port of its own
	}
	times, tell := h.refusals.admit(refusalKey{r.Reason, r.Fingerprint, r.HostUUID, address}, now)
	if !tell {
		return
	}
	r.At, r.Times = messages.Moment{Time: now}, times
	h.cfg.Refused(r)
}
