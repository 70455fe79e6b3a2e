package main

import (
	"context"
	"fmt"

	"github.com/decnet/decnet-fleetd/messages"
)

// backend answers the control socket's questions from the actors that know.
type backend struct{ n *node }

// Ask passes a question on: what is known to the view, what is to be done to the fleet.
//
//nolint:gocyclo // a table of questions
func (b backend) Ask(ctx context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.GetStatus:
		return b.n.status(ctx)
	case messages.GetDeckies:
		return b.n.deckies(ctx)
	case messages.GetPauses:
		return b.n.view.Ask(ctx, q)
	case messages.GetDeckiesVersion:
		return b.n.deckiesVersion(ctx)
	case messages.GetMembers, messages.GetOwners, messages.LeaveCluster, messages.ForgetHost:
		return b.n.askCluster(ctx, q)
	case messages.GetHealth:
		return messages.Alive{}, b.n.health(ctx)
	case messages.GetReady:
		return b.n.ready(), nil
	case messages.ApproveDeletes:
		if b.n.shadow != nil && !q.DryRun {
			return nil, messages.ErrShadow
		}
		return b.n.fleet.Ask(ctx, q)
	case messages.GetShadow:
		if b.n.shadow == nil {
			return nil, messages.ErrNoShadow
		}
		return b.n.shadow.Ask(ctx, q)
	case messages.ReloadSettings:
		if b.n.reload != nil {
			return b.n.reload(), nil
		}
	case messages.GetActors, messages.GetHandlerTimes:
		return b.n.sampler.Ask(ctx, q)
	case messages.GetInspection:
		return b.n.inspect(ctx, q)
	case messages.GetCrashes:
		return b.n.crashes(q), nil
	case messages.GetMessages:
		return b.n.messages(q)
	case messages.GetDeadLetters:
		return b.n.deadLetters(), nil
	case messages.GetConfig:
		return b.n.config(), nil
	case messages.Act:
		return b.n.act(ctx, q)
	case messages.GetPass:
		if b.n.shadow != nil && !q.DryRun {
			return nil, messages.ErrShadow
		}
		return b.n.pass(ctx, q)
	}
	return nil, fmt.Errorf("nobody answers a %T", question)
}
