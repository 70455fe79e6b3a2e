package pulse

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// control handles what DECNET's worker panel, or anybody else on the bus, orders a reconciler to do.
func (p *Pulse) control(c *supervise.Ctx, m messages.ControlHeard) {
	now := c.Now()
	switch {
	case m.Malformed != "":
		if p.said.first("malformed: "+m.Malformed, now) {
			c.Log().Warn().Str("reason", m.Malformed).Msg("malformed control message ignored")
			p.audit(now, "ignored", m.Malformed)
		}
	case m.Action != "stop":
		if p.said.first("action: "+m.Action, now) {
			c.Log().Warn().Str("action", m.Action).Str("requested_by", m.RequestedBy).Msg("unknown control action ignored")
			p.audit(now, "ignored", "unknown action "+m.Action+", requested by "+who(m))
		}
	case p.cfg.IgnoreStop:
		if p.said.first("stop: "+m.RequestedBy, now) {
			c.Log().Warn().Str("requested_by", m.RequestedBy).Msg("stop ignored as configured")
			p.audit(now, "stop ignored", "requested by "+who(m))
		}
	case !p.stopped:
		p.stopped = true
		c.Log().Info().Str("requested_by", m.RequestedBy).Msg("control: stop requested")
		p.audit(now, "stop", "requested by "+who(m))
		p.cfg.Stop("stop requested on the bus by " + who(m))
	}
}

// audit puts what was ordered on record, before it is done.
func (p *Pulse) audit(now time.Time, what, why string) {
	p.cfg.View.Tell(messages.EventHappened{Event: messages.Event{At: messages.Moment{Time: now}, Type: "control",
		Target: messages.WorkerName, To: what, Cause: why, Topic: messages.ControlTopic}})
}

func who(m messages.ControlHeard) string {
	if m.RequestedBy == "" {
		return "somebody who gave no name"
	}
	return m.RequestedBy
}

const (
	// sayAgain is how long something that was said is not said again. Chosen: an operator who looks once an hour sees it.
	sayAgain = time.Hour
	// sayings is how many different things are remembered; what a hostile client invents beyond them is not said.
	sayings = 64
)

// said remembers what was said lately. The zero value is ready.
type said map[string]time.Time

// first says whether key has not been said for an hour, and remembers that it is being said now.
func (s *said) first(key string, now time.Time) bool {
	if *s == nil {
		*s = said{}
	}
	for k, at := range *s {
		if now.Sub(at) >= sayAgain {
			delete(*s, k)
		}
	}
	if _, is := (*s)[key]; is || len(*s) >= sayings {
		return false
	}
	(*s)[key] = now
	return true
}
