package fleet

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// loss is a decky that lost a container by removal.
type loss struct {
	decky string
	at    time.Time
}

func (f *Fleet) runtimeChanged(c *supervise.Ctx, m messages.RuntimeChanged) {
	if !f.fresh(messages.SourceObserved, m.Stamp) {
		return
	}
	f.readAt[messages.SourceObserved] = m.ReadAt
	f.counters["relist_drift_found"] += int64(m.Drift)
	if m.Whole {
		f.whole[messages.SourceObserved] = m.ReadAt
	}
	back := !f.docker
	delete(f.down, messages.SourceObserved)
	f.docker = true
	touched := map[string]bool{}
	if m.Full {
		for name := range f.seen.seen {
			touched[name] = true
		}
		f.seen = newSightings()
	}
	for _, id := range m.Gone {
		note(touched, f.seen.drop(id))
	}
	for _, x := range m.Changed {
		note(touched, f.seen.put(x, f.roll))
	}
	f.seekDeployed(c.Now(), m.Changed)
	if back || m.Full {
		for name := range f.roll {
			touched[name] = true
		}
	}
	for name := range touched {
		f.tellRuntime(name, m)
	}
	f.rule(c)
	f.hear(c, messages.SourceObserved)
	f.passDue(c)
	f.mind(c)
}

func (f *Fleet) tellRuntime(name string, m messages.RuntimeChanged) {
	x := f.roll[name]
	if x == nil {
		return
	}
	o := f.seen.of(name)
	o.EventAt, o.Cause, o.ReadAt = m.EventAt, m.Cause, m.ReadAt
	f.tell(x, o)
}

func note(set map[string]bool, names []string) {
	for _, n := range names {
		set[n] = true
	}
}

// hinted looks for a redeploy: many deckies lose containers by removal within seconds. A container that merely dies
// never holds anything.
func (f *Fleet) hinted(c *supervise.Ctx, m messages.RuntimeHinted) {
	now := c.Now()
	for len(f.losses) > 0 && now.Sub(f.losses[0].at) > f.cfg.RedeployWindow {
		f.losses = f.losses[1:]
	}
	lost := map[string]bool{}
	for _, x := range f.losses {
		lost[x.decky] = true
	}
	for _, x := range m.Destroyed {
		for _, o := range attribute(x, f.roll) {
			if f.roll.known(o.decky) && !lost[o.decky] {
				lost[o.decky] = true
				f.losses = append(f.losses, loss{o.decky, now})
			}
		}
	}
	switch {
	case m.Started > 0 && now.Before(f.redeploy):
		f.redeploy, f.losses = time.Time{}, nil
		f.spreadHolds(c)
	case len(m.Destroyed) > 0 && redeploying(len(lost), len(f.roll)) && now.After(f.redeploy):
		f.redeploy = now.Add(f.cfg.RedeployHold)
		f.remake = f.redeploy
		f.counters["redeploys_held"]++
		f.spreadHolds(c)
	}
}
