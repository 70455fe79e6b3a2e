package main

import (
	"cmp"
	"context"
	"errors"
	"time"

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
			return errors.New("the fleet is too busy: try again")
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
