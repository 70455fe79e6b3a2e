package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/messages"
)

// inspection starts the actors of the console.
func (n *node) inspection(p parts, crashPost *post) {
	sys := n.sys
	n.sampler = sys.Spawn(supervise.Spec{Kind: "console", ID: "sampler", New: func() supervise.Receiver { return view.NewSampler(sys) }})
	if p.keep != nil && p.keep.crashes != nil {
		crashPost.ref.Store(sys.Spawn(supervise.Spec{Kind: "console", ID: "scribe", Mailbox: scribeKeeps,
			New: func() supervise.Receiver { return &scribe{to: p.keep.crashes} }}))
	}
}

// inspect says why a decky is as it is: what it last reported, and its counters. The decky itself is not asked.
func (n *node) inspect(ctx context.Context, q messages.GetInspection) (messages.Inspection, error) {
	a, err := n.view.Ask(ctx, q)
	if err != nil {
		return messages.Inspection{}, err
	}
	i, ok := a.(messages.Inspection)
	if !ok {
		err, _ = a.(error)
		return i, cmp.Or(err, fmt.Errorf("the answer to %T is a %T", q, a))
	}
	if r := n.sys.Find("decky", q.Name); r != nil {
		i.Actor = view.ActorOf(r, time.Now())
		i.Decky.Restarts, i.Decky.Mailbox, i.Decky.HighWater = i.Actor.Restarts, i.Actor.Mailbox, i.Actor.HighWater
		if i.Actor.Stuck {
			i.StaleFor = i.Actor.InHandlerSeconds
		}
	}
	i.Messages, _ = n.messages(messages.GetMessages{Name: q.Name}) // one without an actor has handled none
	i.Crashes = n.crashes(messages.GetCrashes{Actor: "decky/" + q.Name})
	return i, nil
}

// crashes gives the records of this life and earlier ones, newest first.
func (n *node) crashes(q messages.GetCrashes) []messages.CrashRecord {
	all := slices.Clone(n.keep.earlier())
	for _, c := range n.sys.Crashes() {
		all = append(all, crashRecord(c))
	}
	out := make([]messages.CrashRecord, 0, min(len(all), 64))
	for _, r := range slices.Backward(all) {
		if q.Actor != "" && r.Actor != q.Actor || q.ID != 0 && r.ID != q.ID {
			continue
		}
		if q.ID == 0 {
			r.Stack, r.State = "", ""
		}
		out = append(out, r)
	}
	return out
}

// messages gives the last messages a decky's actor has handled.
func (n *node) messages(q messages.GetMessages) ([]messages.HandledMessage, error) {
	r := n.sys.Find("decky", q.Name)
	if r == nil {
		return nil, messages.ErrUnknownTarget
	}
	out := []messages.HandledMessage{}
	for _, h := range r.Recent() {
		out = append(out, messages.HandledMessage{At: messages.Moment{Time: h.At}, Type: h.Type})
	}
	return out, nil
}

func (n *node) deadLetters() messages.DeadLetterList {
	groups, total := n.sys.Letters()
	l := messages.DeadLetterList{Items: make([]messages.DeadLetter, 0, len(groups)), Total: total}
	for _, g := range groups {
		l.Items = append(l.Items, messages.DeadLetter{At: messages.Moment{Time: g.Last}, Target: g.Kind + "/" + g.ID, Type: g.Type, Why: g.Why, Count: g.Count})
	}
	slices.SortFunc(l.Items, func(a, b messages.DeadLetter) int {
		return cmp.Or(b.At.Compare(a.At.Time), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Type, b.Type))
	})
	return l
}

func (n *node) config() []messages.Setting {
	all := n.settings()
	out := make([]messages.Setting, 0, len(all))
	for _, o := range all {
		out = append(out, messages.Setting{Key: o.Key, Value: o.Value, Source: o.Source})
	}
	return out
}
