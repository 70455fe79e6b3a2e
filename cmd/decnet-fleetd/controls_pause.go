package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

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
		return nil, errors.New("what is paused is kept, but the fleet is too busy to hear of it: try again")
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
		return nil, errors.New("there is no place to keep what is paused")
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
