package publisher

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Stats hands the counters to whoever serves the metrics. The zero value is ready; it may be read from anywhere and is
// at most a second old.
type Stats struct{ v atomic.Pointer[Counts] }

// Counts returns the counters as last stored.
func (s *Stats) Counts() Counts {
	if c := s.v.Load(); c != nil {
		return *c
	}
	return Counts{}
}

// reportEvery is how often a status that keeps changing is told. Chosen: people read it.
const reportEvery = time.Second

// reporter tells the view about bus and outbox when something changed.
type reporter struct {
	why     string // what ended the last link
	failing string // what the outbox last said; "" while it works
	told    [2]messages.ComponentStatus
	at      time.Time
	counted time.Time // when the counters were last stored
	due     time.Time // something is waiting to be told then; zero = nothing
}

func (r *reporter) lost(why string) { r.why = why }

func (r *reporter) outbox(err error) {
	r.failing = ""
	if err != nil {
		r.failing = err.Error()
	}
}

// tell reports a change of state at once and a change of numbers once a second.
func (r *reporter) tell(p *Publisher, c *supervise.Ctx, now time.Time) {
	if now.Sub(r.counted) >= reportEvery {
		count := p.f.count
		p.cfg.Stats.v.Store(&count)
		r.counted = now
	}
	is := [2]messages.ComponentStatus{r.bus(p), r.queue(p)}
	same, state := true, true
	for i, s := range is {
		state = state && s.State == r.told[i].State
		same = same && s.State == r.told[i].State && s.Detail == r.told[i].Detail
	}
	r.due = time.Time{}
	if p.f.count != p.cfg.Stats.Counts() {
		r.due = r.counted.Add(reportEvery) // else the last ones would be told with the next audit only
	}
	if same {
		return
	}
	if state && now.Sub(r.at) < reportEvery {
		r.due = r.at.Add(reportEvery)
		return
	}
	r.at = now
	for i, s := range is {
		r.one(p, c, i, s)
	}
}

func (r *reporter) one(p *Publisher, c *supervise.Ctx, i int, s messages.ComponentStatus) {
	was := r.told[i]
	s.Since = was.Since
	if s.State != was.State {
		s.Since = messages.Moment{Time: c.Now()}
		e := c.Log().Info()
		if s.State == "down" || s.State == "degraded" {
			e = c.Log().Warn()
		}
		e.Str("component", s.Component).Str("from", was.State).Str("to", s.State).Str("detail", s.Detail).Msg("component changed")
	}
	r.told[i] = s
	p.cfg.View.Tell(messages.ComponentReported{Status: s})
}

func (r *reporter) bus(p *Publisher) messages.ComponentStatus {
	s := messages.ComponentStatus{Component: "bus"}
	switch {
	case !p.owner:
		s.State = "standby"
	case p.f.phase == open:
		s.State, s.LatencySeconds = "ok", p.f.lag.Seconds()
	case r.why == "":
		s.State = "unknown" // the first link is being made
	default:
		s.State, s.Detail = "down", r.why
	}
	return s
}

func (r *reporter) queue(p *Publisher) messages.ComponentStatus {
	s := messages.ComponentStatus{Component: "outbox", State: "ok"}
	n := max(int64(p.f.lanes.rows), p.depthBehind())
	s.Detail, s.Waiting = fmt.Sprintf("depth %d, parked %d", n, p.f.count.Parked), n
	switch {
	case !p.owner:
		s.State, s.Detail = "standby", ""
	case r.failing != "":
		s.State, s.Detail = "down", r.failing
	case p.f.count.Parked > 0:
		s.State = "degraded"
	}
	return s
}

// depthBehind is the depth of the outbox while not all of it is in memory.
func (p *Publisher) depthBehind() int64 {
	if p.back.behind || p.back.asking {
		return p.depth
	}
	return 0
}

// parkedEvent tells every face that a decky's events have a gap now.
func parkedEvent(k parking, now time.Time) messages.EventHappened {
	e := messages.Event{At: messages.Moment{Time: now}, Type: "parked", Target: k.row.Name, Cause: k.why, Topic: k.row.Topic}
	if json.Valid([]byte(k.row.Payload)) {
		e.Payload = json.RawMessage(k.row.Payload)
	}
	return messages.EventHappened{Event: e}
}
