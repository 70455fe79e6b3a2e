package swarm

import (
	"cmp"
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// shipReport tells the view how a worker stands with its hub. The zero value has told nothing.
type shipReport struct {
	due       bool // something may have changed
	measuring bool
	at        time.Time // of the last measure
	depth     int64
	refused   int64
	broken    string // what the table or the hub last said; "" while they work
	since     time.Time
	told      messages.ComponentStatus
}

// measureEvery bounds how often the outbox is counted. Chosen: people read it.
const measureEvery = 2 * time.Second

type measured struct {
	depth int64
	err   error
}

func (r *shipReport) forget() { r.told, r.due = messages.ComponentStatus{}, true }

func (r *shipReport) failed(c *supervise.Ctx, err error) {
	if r.broken == "" {
		c.Log().Warn().Err(err).Msg("transitions cannot be shipped: it is tried again")
	}
	r.broken, r.due = err.Error(), true
}

func (r *shipReport) works(c *supervise.Ctx) {
	if r.broken != "" {
		c.Log().Info().Msg("transitions are shipped again")
		r.broken, r.due = "", true
	}
}

func (r *shipReport) measured(m measured) {
	r.measuring = false
	if m.err == nil {
		r.depth, r.due = m.depth, true
	}
}

// tell reports what changed.
func (r *shipReport) tell(c *supervise.Ctx, s *Shipper) {
	now := c.Now()
	if (s.behind || r.depth > 0) && !r.measuring && now.Sub(r.at) >= measureEvery {
		r.at, r.measuring = now, true
		table := s.cfg.Table
		c.Go("outbox depth", func(ctx context.Context) {
			var m measured
			m.depth, m.err = table.Depth(ctx)
			c.After(0, m)
		})
	}
	if !r.due {
		return
	}
	r.due = false
	st := r.status(s.link)
	if st == r.told {
		return
	}
	if st.State != r.told.State {
		r.since = now
	}
	r.told = st
	st.Since = messages.Moment{Time: r.since}
	s.cfg.View.Tell(messages.ComponentReported{Status: st})
	if s.cfg.Alone {
		s.cfg.View.Tell(messages.ComponentReported{Status: messages.ComponentStatus{Component: "outbox", State: "ok", Waiting: st.Waiting, Since: st.Since}})
	}
}

func (r *shipReport) status(l messages.LinkState) messages.ComponentStatus {
	st := messages.ComponentStatus{Component: "hub", Waiting: r.depth}
	switch l.Phase {
	case messages.LinkConnected:
		st.State, st.Detail = "ok", l.Hub
		if r.broken != "" {
			st.State, st.Detail = "degraded", r.broken
		}
	case messages.LinkClosed:
		st.State, st.Detail = "off", "left the cluster"
	case messages.LinkConnecting, messages.LinkAway, messages.LinkRefused:
		st.State, st.Detail = "down", cmp.Or(faultText(l.Fault), "connecting to "+l.Hub)
	}
	return st
}

func faultText(f *messages.Fault) string {
	if f == nil {
		return ""
	}
	return f.Error()
}
