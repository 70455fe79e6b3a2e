package main

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// serves serves until its context ends, then returns nil.
type serves func(ctx context.Context) error

// serveAgain is the wait before a server that ended is started again. Chosen: nothing depends on it.
const serveAgain = time.Second

// serve runs a server inside an actor.
func (n *node) serve(name string, f serves) {
	n.sys.Spawn(supervise.Spec{Kind: "server", ID: name, New: func() supervise.Receiver {
		return supervise.Func(func(c *supervise.Ctx, msg any) {
			switch msg.(type) {
			case supervise.Started, messages.Tick:
				c.Go("serve", func(ctx context.Context) {
					if err := f(ctx); err != nil && ctx.Err() == nil {
						c.Log().Error().Err(err).Msg("server ended: starting it again")
						c.After(serveAgain, messages.Tick{Name: "serve"})
					}
				})
			}
		})
	}})
}
