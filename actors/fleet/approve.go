package fleet

import (
	"maps"
	"slices"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// approve takes an operator's word for the set of deletions that is held now. It covers these names and any part of
// them: a set that shrinks because some are done, or declared again, needs no second word; one that grows does.
func (f *Fleet) approve(c *supervise.Ctx, m messages.ApproveDeletes) {
	w := f.waveNow(c.Now())
	r := guard(w, f.cfg.Guard)
	reply := messages.ApproveReply{Names: w.wanted, Hash: r.hash, Held: !r.granted && len(w.wanted) > 0, Why: r.why,
		Reads: f.wave.reads, NeedReads: f.cfg.Guard.Reads, ReleaseAt: messages.Moment{Time: w.since.Add(f.cfg.Guard.Over)}}
	if reply.Held && m.Hash == r.hash {
		if reply.Accepted = true; !m.DryRun {
			f.wave.approved = nameSet(w.wanted)
			f.rule(c)
			reply.Released = f.wave.released
			c.After(max(0, reply.ReleaseAt.Sub(c.Now())), messages.Tick{Name: "soon"})
		}
	}
	if !reply.Held {
		reply.Names, reply.Hash, reply.ReleaseAt = nil, "", messages.Moment{}
	}
	c.Respond(reply)
}

func nameSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		set[n] = true
	}
	return set
}

// covered says whether an operator approved every deletion that is wanted now.
func (w *waveTrack) covered() bool {
	if w.approved == nil {
		return false
	}
	return !slices.ContainsFunc(slices.Collect(maps.Keys(w.wanting)), func(n string) bool { return !w.approved[n] })
}
