package decky

import (
	"hash/maphash"
	"strconv"

	"github.com/decnet/decnet-fleetd/messages"
)

// report tells the view what changed, and the fleet when a pass it asked about is over for this decky.
func (d *Decky) report() {
	r := messages.DeckyReported{Status: d.status(), Busy: d.busy(), Decision: d.decision(), Repeated: d.repeated}
	if d.cfg.Policy.DryRun { // whoever watches what would be done needs to know on what grounds
		r.Services = d.o.declared.Entry.Services
		if d.v.want != nil {
			r.Plan = d.plan()
		}
	}
	d.repeated++
	switch sum := sumOf(r); {
	case d.v.retire: // the fleet tells the view that it is gone; a report after that would be a ghost
		d.told, d.reported = true, 0
	case !d.told || sum != d.reported:
		d.told, d.reported = d.cfg.View.Tell(r), sum
		if d.told {
			d.repeated = 0
		}
	}
	if d.mark == nil || r.Busy {
		return
	}
	m := messages.PassMarked{Token: d.mark.Token, Name: d.name, Held: d.v.held, Reason: d.v.reason}
	if d.v.want != nil {
		m.Plan = d.plan()
	}
	if d.cfg.Fleet.Tell(m) {
		d.mark = nil
	}
}

// decision is what it just came to, for whoever asks why.
func (d *Decky) decision() messages.Decision {
	return messages.Decision{At: messages.Moment{Time: d.o.now}, Reason: d.v.reason, State: string(d.v.state), Action: d.v.action(),
		Held: d.v.held, Cause: d.o.cause, Times: 1}
}

func (d *Decky) plan() *messages.PlanItem {
	w := d.v.want
	return &messages.PlanItem{Name: d.name, Action: w.Kind.String(), From: w.Prev, To: string(w.State), Reason: d.v.reason,
		Declared: d.o.declared.Presence.String(), Recorded: d.o.recorded.Presence.String(), Observed: d.observed()}
}

func (d *Decky) observed() string {
	switch {
	case !d.o.runtime.Known || d.o.runtime.Refused != "":
		return messages.Unknown.String()
	case len(d.o.runtime.Services) == 0:
		return messages.Absent.String()
	}
	return messages.Present.String()
}

func (d *Decky) status() messages.DeckyStatus {
	o := &d.o
	entry, _ := arbitrate(o)
	want := expected(entry.Services)
	s := messages.DeckyStatus{
		HostUUID: d.cfg.HostUUID, Name: d.name, Aggregate: string(d.v.state),
		Declared: o.declared.Presence.String(), Recorded: o.recorded.Presence.String(), Observed: d.observed(),
		Expected: want, Services: o.runtime.Services, Base: o.runtime.Base, IP: o.declared.Entry.IP,
		Phase: d.phase(), Reason: d.v.reason, Held: d.v.held, Rev: o.rev, Cause: o.lastCause,
		ChangedAt: messages.Moment{Time: o.changedAt}, Up: up(want, o.runtime.Services), Paused: o.pause != "", Drift: d.v.differs.names(),
		DeclaredAt: messages.Moment{Time: o.declared.ReadAt}, RecordedAt: messages.Moment{Time: o.recorded.ReadAt},
		ObservedAt: messages.Moment{Time: o.runtime.ReadAt},
	}
	if o.recorded.Presence == messages.Present {
		s.State = o.recorded.Row.State
	}
	return s
}

func (d *Decky) phase() string {
	switch {
	case d.v.held != nil:
		return "held"
	case d.busy():
		return "working"
	case d.o.declared.Presence == messages.Unknown || d.o.recorded.Presence == messages.Unknown:
		return "waiting"
	}
	return "quiet"
}

var seed = maphash.MakeSeed()

// sumOf tells reports apart: a decky keeps eight bytes of its last report instead of half a kilobyte.
func sumOf(r messages.DeckyReported) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	put := func(words ...string) {
		for _, w := range words {
			_, _ = h.WriteString(w) // it never fails
			_ = h.WriteByte(0)
		}
	}
	s := r.Status
	put(s.State, s.Aggregate, s.Declared, s.Recorded, s.Observed, s.Base, s.IP, s.Phase, s.Reason, s.Cause,
		strconv.FormatInt(s.Rev, 10), strconv.FormatBool(r.Busy), r.Decision.Action, strconv.FormatBool(s.Paused))
	put(s.Drift...)
	put(s.Expected...)
	for _, x := range s.Services {
		put(x.ID, x.Service, x.State, x.Health)
	}
	put(r.Services...)
	if r.Plan != nil {
		put(r.Plan.Action, r.Plan.From, r.Plan.To, r.Plan.Reason)
	}
	if s.Held != nil {
		put(s.Held.What, s.Held.Why, s.Held.Hash, s.Held.Until.String())
	}
	return h.Sum64()
}
