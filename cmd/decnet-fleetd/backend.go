package main

import (
	"context"
	"fmt"

	"github.com/decnet/decnet-fleetd/messages"
)

// backend answers the control socket's questions from the actors that know.
type backend struct{ n *node }

// Ask passes a question on: what is known to the view, what is to be done to the fleet.
func (b backend) Ask(ctx context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.GetStatus, messages.GetDeckies:
		return b.n.view.Ask(ctx, q)
	case messages.ApproveDeletes:
		return b.n.fleet.Ask(ctx, q)
	case messages.ReloadSettings:
		if b.n.reload != nil {
			return b.n.reload(), nil
		}
	case messages.GetPass:
		return b.n.pass(ctx, q)
	}
	return nil, fmt.Errorf("nobody answers a %T", question)
}
