package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// longPause is how long a pause may last before somebody is reminded of it, and again as often. Chosen: whoever works on
// a host for a day has gone home since.
const longPause = 24 * time.Hour

// pauses are what operators have paused, by target. The zero value is nothing.
type pauses struct {
	by       map[string]messages.Pause
	reminded map[string]time.Time // when somebody was last reminded
}

func pausesOf(all []messages.Pause) pauses {
	p := pauses{by: map[string]messages.Pause{}, reminded: map[string]time.Time{}}
	for _, x := range all {
		p.by[x.Target] = x
	}
	return p
}

func (p pauses) list() []messages.Pause {
	out := make([]messages.Pause, 0, len(p.by))
	for _, x := range p.by {
		out = append(out, x)
	}
	slices.SortFunc(out, func(a, b messages.Pause) int { return cmp.Compare(a.Target, b.Target) })
	return out
}

// of is what the pauses mean for one decky: its own counts before that of the host.
func (p pauses) of(name string) messages.PauseObserved {
	x, is := p.by[name]
	if !is {
		x, is = p.by[messages.PauseHost]
	}
	if !is {
		return messages.PauseObserved{}
	}
	return messages.PauseObserved{Paused: true, Why: pausedBy(x)}
}

func pausedBy(x messages.Pause) string {
	why := "paused by " + cmp.Or(x.By, "somebody")
	if x.Target == messages.PauseHost {
		why = "host " + why
	}
	if x.Reason != "" {
		why += ": " + x.Reason
	}
	return why
}

// due are the pauses somebody should be reminded of at now; it counts as done.
func (p pauses) due(now time.Time) []messages.Pause {
	var out []messages.Pause
	for _, x := range p.list() {
		last := x.Since.Time
		if at := p.reminded[x.Target]; at.After(last) {
			last = at
		}
		if now.Sub(last) >= longPause {
			p.reminded[x.Target] = now
			out = append(out, x)
		}
	}
	return out
}

// pausesChanged tells every decky what changed for it.
func (f *Fleet) pausesChanged(c *supervise.Ctx, all []messages.Pause) {
	next := pausesOf(all)
	for name := range next.by {
		if at, is := f.pauses.reminded[name]; is {
			next.reminded[name] = at
		}
	}
	f.pauses = next
	for name, m := range f.roll {
		if p := next.of(name); p != m.pause {
			m.pause = p
			f.tell(m, p)
		}
	}
	f.mind(c)
	f.later(c)
}

// remind says that something has been paused for long: what nobody writes drifts.
func (f *Fleet) remind(c *supervise.Ctx) {
	now := c.Now()
	for _, x := range f.pauses.due(now) {
		c.Log().Warn().Str("target", x.Target).Str("by", x.By).Str("reason", x.Reason).Time("since", x.Since.Time).Msg("still paused")
		f.cfg.View.Tell(messages.EventHappened{Event: messages.Event{At: messages.Moment{Time: now}, Type: "still_paused",
			Target: x.Target, Cause: pausedBy(x)}})
	}
}

// looks says when each source was last looked at.
func (f *Fleet) looks() []messages.SourceSeen {
	known := map[messages.Source]bool{messages.SourceDeclared: f.file.good, messages.SourceRecorded: f.table, messages.SourceObserved: f.docker}
	out := make([]messages.SourceSeen, 0, len(known))
	for _, s := range []messages.Source{messages.SourceDeclared, messages.SourceRecorded, messages.SourceObserved} {
		out = append(out, messages.SourceSeen{Source: s, Known: known[s], Stamp: f.stamps[s], Whole: f.whole[s]})
	}
	return out
}
