package pulse

import (
	"fmt"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// silence is how long a rival may be silent before it counts as gone. Source: DECNET's panel calls a worker stale
	// after 90 s, which is three heartbeats.
	silence = 90 * time.Second
	// stopEvery is the least time between two orders to stop a rival. Source: the pace of its heartbeats.
	stopEvery = 30 * time.Second
	// most bounds the rivals that are remembered: a hostile client can invent names.
	most = 16
)

// rivals are the other reconcilers on the bus, by instance; "" is DECNET's own. The zero value is ready.
type rivals struct {
	seen    map[string]time.Time
	stopped time.Time // when the last order to stop went out
	state   string    // as last reported
	detail  string
	since   time.Time // when that state began
}

// sighted remembers a heartbeat.
func (r *rivals) sighted(instance string, now time.Time) {
	if r.seen == nil {
		r.seen = map[string]time.Time{}
	}
	if _, known := r.seen[instance]; known || len(r.seen) < most {
		r.seen[instance] = now
	}
}

// expire forgets who has been silent; left is when the next one may be, zero if there is none.
func (r *rivals) expire(now time.Time) (left time.Time) {
	for name, at := range r.seen {
		gone := at.Add(silence)
		switch {
		case !gone.After(now):
			delete(r.seen, name)
		case left.IsZero() || gone.Before(left):
			left = gone
		}
	}
	return left
}

func (r *rivals) forget() { r.seen = nil }

// mayStop says whether an order to stop is due, and counts it as given.
func (r *rivals) mayStop(now time.Time) bool {
	if !r.stopped.IsZero() && now.Sub(r.stopped) < stopEvery {
		return false
	}
	r.stopped = now
	return true
}

// shown says whether this differs from what was last reported, and remembers it.
func (r *rivals) shown(state, detail string, now time.Time) bool {
	if r.state == state && r.detail == detail {
		return false
	}
	if r.state != state {
		r.since = now
	}
	r.state, r.detail = state, detail
	return true
}

// describe says who is there and what to do about it. "" means nobody.
func (r *rivals) describe(takeover bool) string {
	if len(r.seen) == 0 {
		return ""
	}
	_, decnet := r.seen[""]
	names := make([]string, 0, len(r.seen))
	for n := range r.seen {
		if n != "" {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	who := "DECNET's own reconciler"
	switch {
	case decnet && len(names) > 0:
		who += fmt.Sprintf(" and instances %q", names)
	case !decnet:
		who = fmt.Sprintf("instances %q", names)
	}
	if takeover {
		return who + " on this bus too: told to stop"
	}
	remedy := "stop it in DECNET's worker panel (it lives in decnet-supervise-batch), or run with --takeover"
	if !decnet {
		remedy = "stop the other decnet-fleetd, or run with --takeover"
	}
	return who + " on this bus too, writing the same rows: " + remedy
}

// health handles a heartbeat of a reconciler. One with our own instance is a late one of ours, over an earlier link.
func (p *Pulse) health(c *supervise.Ctx, instance string) {
	if instance == p.cfg.Instance || !p.owner {
		return
	}
	now := c.Now()
	alone := len(p.rivals.seen) == 0
	p.rivals.sighted(instance, now)
	if p.cfg.Takeover && p.rivals.mayStop(now) {
		p.retire(c, now)
	}
	p.report(c, "degraded", p.rivals.describe(p.cfg.Takeover))
	if alone {
		c.After(silence, quietDue{})
	}
}

// quiet looks who has fallen silent.
func (p *Pulse) quiet(c *supervise.Ctx) {
	now := c.Now()
	left := p.rivals.expire(now)
	if left.IsZero() {
		p.report(c, "ok", "")
		return
	}
	p.report(c, "degraded", p.rivals.describe(p.cfg.Takeover))
	c.After(left.Sub(now), quietDue{})
}

// retire orders every other reconciler on the bus to stop. The bus does not echo it to us.
func (p *Pulse) retire(c *supervise.Ctx, now time.Time) {
	c.Log().Warn().Msg("takeover: telling the other reconciler to stop")
	p.audit(now, "takeover", "stop sent to every other reconciler on the bus")
	p.cfg.Publisher.Tell(messages.PublishNow{Topic: messages.ControlTopic, Type: "control",
		Payload: []byte(`{"action":"stop","requested_by":"decnet-fleetd","ts":` + seconds(now) + `}`)})
}
