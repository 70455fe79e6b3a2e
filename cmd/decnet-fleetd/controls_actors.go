package main

import (
	"cmp"
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// order has the supervisor do something to actors.
func (n *node) order(ctx context.Context, q messages.Act, why string) ([]messages.ActionResult, error) {
	refs := map[string]*supervise.Ref{}
	for _, r := range n.sys.Refs() {
		switch {
		case q.Actors:
			refs[r.Name()] = r
		case r.Kind() == "decky":
			refs[r.ID()] = r
		}
	}
	results := make([]messages.ActionResult, 0, len(q.Targets))
	begun := map[string]uint32{}
	for _, name := range q.Targets {
		r := refs[name]
		if r == nil {
			results = append(results, messages.ActionResult{Name: name, Result: actNotFound})
			continue
		}
		st := r.Stats()
		x := messages.ActionResult{Name: name, Before: st.State.String(), After: st.State.String(), Result: actDone}
		x.Detail = objection(q.Verb, r, st)
		switch {
		case x.Detail != "":
			x.Result = actRefused
		case q.DryRun:
			x.After = map[string]string{"quarantine": "quarantined", "release": "running"}[q.Verb]
			x.After = cmp.Or(x.After, x.Before)
		default:
			begun[name] = st.Incarnation
			n.obey(q.Verb, r, why)
		}
		results = append(results, x)
	}
	if q.DryRun {
		return planned(results), nil
	}
	// Orders to the supervisor are carried out within a moment: the answer waits for that, and longer where it was asked to.
	err := until(ctx, max(q.Wait, orderPatience), results, func() error { return nil }, func(i int) bool {
		st := refs[results[i].Name].Stats()
		results[i].After = st.State.String()
		return carriedOut(q.Verb, begun[results[i].Name], st, q.Wait > 0)
	})
	return softened(results, q.Wait), err
}

// orderPatience is how long the answer to an order waits to tell what became of it. Chosen: a handler takes far less.
const orderPatience = 100 * time.Millisecond

// softened: who did not ask to wait is told that it is ordered, not that it is late.
func softened(results []messages.ActionResult, wait time.Duration) []messages.ActionResult {
	for i := range results {
		if wait <= 0 && results[i].Result == actTimedOut {
			results[i].Result, results[i].Detail = actDone, "ordered: its handler has not returned yet"
		}
	}
	return results
}

// objection says why a verb cannot be done to an actor; "" if it can.
func objection(verb string, r *supervise.Ref, st supervise.Stats) string {
	switch {
	case verb == "quarantine" && r.Subsystem():
		return "the daemon cannot do without it; restart it instead"
	case verb == "quarantine" && st.State == supervise.Quarantined:
		return "" // the next try is called off
	case verb == "release" && st.State != supervise.Quarantined:
		return "it is not in quarantine"
	case (verb == "restart" || verb == "kill") && st.State == supervise.Quarantined:
		return "it is in quarantine: release it"
	case st.State == supervise.Closing || st.State == supervise.Stopped:
		return "it is stopping"
	case (verb == "restart" || verb == "kill") && st.State == supervise.Backoff:
		return "it has crashed and is about to restart"
	}
	return ""
}

func (n *node) obey(verb string, r *supervise.Ref, why string) {
	switch verb {
	case "restart":
		n.sys.Restart(r, why)
	case "kill":
		n.sys.Kill(r, why)
	case "quarantine":
		n.sys.Quarantine(r, why)
	case "release":
		n.sys.Release(r)
	}
}

// carriedOut says whether an order is: whole, whether the actor runs again.
func carriedOut(verb string, before uint32, st supervise.Stats, whole bool) bool {
	switch verb {
	case "quarantine":
		return st.State == supervise.Quarantined
	case "release":
		return st.State != supervise.Quarantined && (!whole || st.State == supervise.Running)
	}
	if whole {
		return st.Incarnation > before && st.State == supervise.Running
	}
	return st.Incarnation > before || st.State == supervise.Backoff || st.State == supervise.Quarantined
}
