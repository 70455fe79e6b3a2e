package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// tripEvery is how often the loops are asked for a sign of life. Chosen: a sixth of the watchdog's time.
	tripEvery = 5 * time.Second
	// tripPatience is how long one may take. Source: the console waits 2 s for an answer of ours.
	tripPatience = 1500 * time.Millisecond
)

// loop is something the daemon cannot do without, and how to see that it goes round.
type loop struct {
	name string
	ping func(ctx context.Context) error
}

// loops are the root supervisor and the actors that everything goes through.
func (n *node) loops() []loop {
	all := []loop{{"supervisor", n.sys.Ping}}
	for _, r := range []*supervise.Ref{n.fleet, n.view, n.store.ref.Load(), n.publisher} {
		if r != nil {
			all = append(all, loop{r.Kind(), func(ctx context.Context) error { return alive(ctx, r) }})
		}
	}
	return all
}

func alive(ctx context.Context, r *supervise.Ref) error {
	_, err := r.Ask(ctx, messages.GetAlive{})
	return err
}

// health asks all loops at once; a loop that hangs keeps no other from answering.
func (n *node) health(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tripPatience)
	defer cancel()
	var wg sync.WaitGroup
	silent := make(chan error, 8) // room for all
	for _, l := range n.loops() {
		wg.Go(func() {
			if err := l.ping(ctx); err != nil {
				silent <- fmt.Errorf("%s does not answer: %w", l.name, err)
				return
			}
			if n.metrics != nil {
				n.metrics.Beat(l.name)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-silent:
		return err
	default:
		return nil
	}
}

// watchLoops keeps the ages of the loops in the metrics.
func (n *node) watchLoops() {
	n.sys.Spawn(supervise.Spec{Kind: "loops", ID: "loops", New: func() supervise.Receiver {
		return supervise.Func(func(c *supervise.Ctx, msg any) {
			switch msg.(type) {
			case supervise.Started, messages.Tick:
				c.Go("round trips", func(ctx context.Context) {
					_ = n.health(ctx) // who does not answer is seen by its age
					c.After(tripEvery, messages.Tick{Name: "loops"})
				})
			}
		})
	}})
}

// firstPass asks for one complete pass and notes when it is over, whatever it came to.
func (n *node) firstPass() {
	n.sys.Spawn(supervise.Spec{Kind: "starter", ID: "first-pass", New: func() supervise.Receiver {
		return supervise.Func(func(c *supervise.Ctx, msg any) {
			switch msg.(type) {
			case supervise.Started, messages.Tick:
				c.Go("pass", func(ctx context.Context) {
					if _, err := n.pass(ctx, messages.GetPass{First: true}); err != nil {
						c.After(tripEvery, messages.Tick{Name: "pass"}) // the fleet has just restarted
						return
					}
					n.passed.Store(true)
				})
			}
		})
	}})
}

// ready says whether the daemon does its work. It asks nobody.
func (n *node) ready() messages.Ready {
	s, known := n.board.Status()
	r := messages.Ready{Passed: n.passed.Load(), Role: s.Role, Reasons: []string{}}
	if !known || s.Role == "starting" || !r.Passed {
		r.Reasons = append(r.Reasons, "the first pass over file, table and containers is not over")
	}
	for _, c := range s.Components {
		// A second reconciler is a reason to worry, not one to send nobody here.
		if ailing(c) && c.Component != "reconciler" {
			r.Reasons = append(r.Reasons, c.Component+" is "+c.State+": "+c.Detail)
		}
	}
	return r
}
