package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Results of a control verb.
const (
	actDone     = "done"
	actWouldBe  = "would be done"
	actRefused  = "refused"
	actNotFound = "not found"
	actTimedOut = "timed out"
)

// actLook is how often it is looked whether an order has been carried out. Chosen: below what a person notices, and a list
// of 10,000 deckies takes a fifth of it.
const actLook = 50 * time.Millisecond

// act carries out a control verb. The console has checked who asks.
func (n *node) act(ctx context.Context, q messages.Act) ([]messages.ActionResult, error) {
	why := q.Verb + " by " + q.By
	if q.Reason != "" {
		why += ": " + q.Reason
	}
	switch q.Verb {
	case "pause", "resume":
		return n.pause(ctx, q)
	case "resync":
		return n.resync(ctx, q)
	}
	return n.order(ctx, q, why)
}

// known are the deckies of the fleet by name, as last reported.
func (n *node) known(ctx context.Context) (map[string]messages.DeckyStatus, error) {
	a, err := n.view.Ask(ctx, messages.GetDeckies{})
	if err != nil {
		return nil, err
	}
	all, _ := a.([]messages.DeckyStatus)
	out := make(map[string]messages.DeckyStatus, len(all))
	for _, d := range all {
		out[d.Name] = d
	}
	return out, nil
}

func standing(d messages.DeckyStatus) string {
	switch {
	case d.Phase == "quarantined":
		return "quarantined"
	case d.Paused:
		return "paused"
	}
	return cmp.Or(d.State, "unrecorded")
}

// pause keeps the rows of deckies, or of the host, from being written, or lets them be written again. It is on disk when
// it is answered.
func (n *node) pause(ctx context.Context, q messages.Act) ([]messages.ActionResult, error) {
	deckies, err := n.known(ctx)
	if err != nil {
		return nil, err
	}
	by := map[string]bool{}
	for _, p := range n.keep.paused() {
		by[p.Target] = true
	}
	results := make([]messages.ActionResult, 0, len(q.Targets))
	var changed []string
	for _, name := range q.Targets {
		r := pauseResult(q, name, by, deckies)
		if r.Result == actDone {
			changed = append(changed, name)
		}
		results = append(results, r)
	}
	if q.DryRun {
		return planned(results), nil
	}
	if len(changed) == 0 {
		return results, nil
	}
	now, err := n.keepPauses(q, changed)
	if err != nil {
		return nil, err
	}
	if !n.fleet.Tell(messages.PausesChanged{Pauses: now}) {
		return nil, fmt.Errorf("what is paused is kept, but the fleet is too busy to hear of it: try again")
	}
	return results, n.await(ctx, q, changed, results)
}

func pauseResult(q messages.Act, name string, paused map[string]bool, deckies map[string]messages.DeckyStatus) messages.ActionResult {
	d, known := deckies[name]
	r := messages.ActionResult{Name: name, Before: standing(d), Result: actDone}
	if name == messages.PauseHost {
		r.Before = map[bool]string{true: "paused", false: "not paused"}[paused[name]]
		known = true
	}
	switch {
	case q.Actors:
		r.Result, r.Detail = actRefused, "only deckies and the host can be paused"
	case q.Verb == "pause" && !known:
		r.Result = actNotFound
	case q.Verb == "pause" && paused[name]:
		r.Detail = "it was paused already"
	case q.Verb == "resume" && !paused[name]:
		r.Result, r.Detail = actRefused, "it is not paused"
		if paused[messages.PauseHost] && known {
			r.Detail = `the host is paused, not this decky: resume "*"`
		} else if !known {
			r.Result, r.Detail = actNotFound, ""
		}
	}
	r.After = r.Before
	if r.Result == actDone {
		r.After = "paused"
		if q.Verb == "resume" {
			r.After = cmp.Or(d.State, "not paused")
		}
	}
	return r
}

func planned(all []messages.ActionResult) []messages.ActionResult {
	for i := range all {
		if all[i].Result == actDone {
			all[i].Result = actWouldBe
		}
	}
	return all
}

func (n *node) keepPauses(q messages.Act, names []string) ([]messages.Pause, error) {
	if n.keep == nil || n.keep.pauses == nil {
		return nil, fmt.Errorf("there is no place to keep what is paused")
	}
	if q.Verb == "resume" {
		return n.keep.pauses.Change(nil, names)
	}
	add := make([]messages.Pause, 0, len(names))
	for _, name := range names {
		add = append(add, messages.Pause{Target: name, By: q.By, Reason: q.Reason, Since: messages.Moment{Time: time.Now()}})
	}
	return n.keep.pauses.Change(add, nil)
}

// await waits until deckies show that they are paused, or not any more.
func (n *node) await(ctx context.Context, q messages.Act, names []string, results []messages.ActionResult) error {
	host := slices.ContainsFunc(n.keep.paused(), func(p messages.Pause) bool { return p.Target == messages.PauseHost })
	var deckies map[string]messages.DeckyStatus
	look := func() (err error) {
		deckies, err = n.known(ctx)
		return err
	}
	return until(ctx, q.Wait, results, look, func(i int) bool {
		d, known := deckies[results[i].Name]
		if !known || !slices.Contains(names, results[i].Name) {
			return true
		}
		results[i].After = standing(d)
		return d.Paused == (q.Verb == "pause") || q.Verb == "resume" && host // the host's pause holds it still
	})
}

// until looks again and again whether all is as wanted; what is not in time is marked.
func until(ctx context.Context, wait time.Duration, results []messages.ActionResult, look func() error, done func(i int) bool) error {
	if wait <= 0 {
		return nil
	}
	end := time.Now().Add(wait)
	for {
		if err := look(); err != nil {
			return err
		}
		late := time.Now().After(end) || ctx.Err() != nil
		left := 0
		for i := range results {
			if results[i].Result != actDone || done(i) {
				continue
			}
			left++
			if late {
				results[i].Result, results[i].Detail = actTimedOut, "ordered, and not done yet"
			}
		}
		if left == 0 || late {
			return nil
		}
		select {
		case <-time.After(actLook):
		case <-ctx.Done():
		}
	}
}

// resync reads every source again and has deckies decide anew from everything known.
func (n *node) resync(ctx context.Context, q messages.Act) ([]messages.ActionResult, error) {
	deckies, err := n.known(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]messages.ActionResult, 0, len(q.Targets))
	pass := messages.GetPass{Only: []string{}}
	for _, name := range q.Targets {
		d, known := deckies[name]
		r := messages.ActionResult{Name: name, Before: standing(d), After: standing(d), Result: actDone}
		switch {
		case q.Actors:
			r.Result, r.Detail = actRefused, "only deckies and the host can be read again"
		case name == messages.PauseHost:
			r.Before, r.After, pass.Only = "", "", nil
		case !known:
			r.Before, r.After, r.Result = "", "", actNotFound
		case d.Phase == "quarantined":
			r.Result, r.Detail = actRefused, "it is in quarantine: release it"
		case pass.Only != nil:
			pass.Only = append(pass.Only, name)
		}
		results = append(results, r)
	}
	if q.DryRun {
		return planned(results), nil
	}
	if pass.Only != nil && len(pass.Only) == 0 {
		return results, nil
	}
	return results, n.resynced(ctx, q, pass, results)
}

func (n *node) resynced(ctx context.Context, q messages.Act, pass messages.GetPass, results []messages.ActionResult) error {
	if q.Wait <= 0 {
		if !n.fleet.Tell(pass) {
			return fmt.Errorf("the fleet is too busy: try again")
		}
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, q.Wait)
	defer cancel()
	_, err := n.fleet.Ask(limited, pass)
	deckies, kerr := n.known(ctx)
	for i := range results {
		if results[i].Result != actDone {
			continue
		}
		if d, known := deckies[results[i].Name]; known && kerr == nil {
			results[i].After = standing(d)
		}
		if err != nil {
			results[i].Result, results[i].Detail = actTimedOut, "ordered, and not done yet"
		}
	}
	return nil
}

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
