package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/actors/swarm"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/messages"
)

// askCluster answers the questions about the hosts of a cluster.
func (n *node) askCluster(ctx context.Context, question any) (any, error) {
	if n.cluster.role != config.RoleHub && n.cluster.role != config.RoleWorker {
		return nil, messages.ErrSolo
	}
	switch q := question.(type) {
	case messages.GetMembers:
		return n.memberList(ctx)
	case messages.GetOwners:
		return n.owners(ctx)
	case messages.LeaveCluster:
		if n.cluster.role != config.RoleWorker {
			return nil, messages.ErrNotWorker
		}
		n.cluster.link.leave(ctx)
		return messages.Alive{}, nil
	case messages.ForgetHost:
		if n.cluster.role != config.RoleHub {
			return nil, messages.ErrNotHub
		}
		return n.forget(ctx, q)
	}
	return nil, fmt.Errorf("nobody answers a %T", question)
}

func (n *node) memberList(ctx context.Context) ([]messages.Member, error) {
	if n.cluster.role == config.RoleHub {
		a, err := n.cluster.members.Ask(ctx, messages.GetMembers{})
		all, _ := a.([]messages.Member)
		if h := n.cluster.fabric.Load(); h != nil {
			all = certOf(all, n.hostUUID, messages.Moment{Time: h.CertExpires()})
		}
		return all, err
	}
	now := messages.Moment{Time: time.Now()}
	self := messages.Member{HostUUID: n.hostUUID, Name: n.cluster.name, Role: string(config.RoleWorker), Status: messages.MemberUp, LastContact: now, Version: version}
	self.Deckies, self.Health, self.Paused = n.own()
	self.Lag = n.sayBeat().Pending
	l := n.cluster.link.state()
	self.CertExpires = l.CertExpires
	hub := messages.Member{Name: "decnet-master", Role: string(config.RoleHub), Status: messages.MemberNever, Since: l.Since, Address: l.Hub, Version: l.HubVersion,
		Skewed: l.HubVersion != "" && l.HubVersion != version, CertExpires: l.HubCertExpires, SkewSeconds: l.SkewSeconds}
	switch l.Phase {
	case messages.LinkConnected:
		hub.Status, hub.LastContact = messages.MemberUp, now
	case messages.LinkClosed:
		hub.Status = messages.MemberLeft
	case messages.LinkAway, messages.LinkRefused:
		hub.Status = messages.MemberStale
	case messages.LinkConnecting:
	}
	if l.Fault != nil {
		hub.Why = l.Fault.Error()
	}
	return []messages.Member{hub, self}, nil
}

// certOf says of one member when its certificate ends: nobody meets the hub's own in a handshake.
func certOf(all []messages.Member, host string, ends messages.Moment) []messages.Member {
	out := slices.Clone(all)
	for i := range out {
		if out[i].HostUUID == host {
			out[i].CertExpires = ends
		}
	}
	return out
}

// owners: the lease is in our own database, so of another host only the process is known that speaks for it.
func (n *node) owners(ctx context.Context) ([]messages.Owner, error) {
	l, err := n.lease.Look(ctx)
	if err != nil {
		return nil, err
	}
	token := n.lease.token.Load()
	own := messages.Owner{HostUUID: n.hostUUID, Name: n.cluster.name, Owner: l.Owner, Token: l.Token, Ours: token != 0 && token == l.Token}
	if own.Ours {
		own.Beat = messages.Moment{Time: time.Now()}
	}
	out := []messages.Owner{own}
	for _, p := range n.peers() {
		out = append(out, messages.Owner{HostUUID: p.HostUUID, Name: p.Name, Owner: p.Instance, Beat: p.LastContact})
	}
	slices.SortFunc(out, func(a, b messages.Owner) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.HostUUID, b.HostUUID))
	})
	return out, nil
}

// forget removes the rows of a host that is enrolled no longer.
func (n *node) forget(ctx context.Context, q messages.ForgetHost) (messages.Forgotten, error) {
	host, err := n.hostOf(ctx, q.Host)
	out := messages.Forgotten{HostUUID: host, Deckies: []string{}, DryRun: q.DryRun}
	if err == nil && host == n.hostUUID {
		err = messages.ErrEnrolled
	}
	if err != nil {
		return out, err
	}
	names, err := n.db.MirrorNames(ctx, host)
	if err != nil {
		return out, err
	}
	out.Deckies = names
	if q.DryRun {
		return out, nil
	}
	a, err := n.cluster.mirror.Ask(ctx, messages.Delivery{HostUUID: host, Forget: true, By: cmp.Or(q.Reason, "an operator")})
	if err != nil {
		return out, err
	}
	d, err := delivered(a)
	out.Deckies = append([]string{}, d.Gone...)
	return out, errors.Join(err, d.Err)
}

// hostOf finds a host by its uuid, or by its name where one host alone has it.
func (n *node) hostOf(ctx context.Context, said string) (string, error) {
	members, err := n.memberList(ctx)
	if err != nil {
		return "", err
	}
	var found []string
	for _, m := range members {
		if m.HostUUID == said {
			return said, nil
		}
		if m.Name == said {
			found = append(found, m.HostUUID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%q: %w", said, messages.ErrNoSuchHost)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%q is the name of several hosts, name one by its uuid: %s", said, strings.Join(found, ", "))
}

// delivered is the mirror's answer.
func delivered(answer any) (messages.Delivered, error) {
	switch a := answer.(type) {
	case messages.Delivered:
		return a, nil
	case error:
		return messages.Delivered{}, a
	}
	return messages.Delivered{}, fmt.Errorf("the mirror answered a %T", answer)
}

// deckies are those of this host, and on a hub those of all.
func (n *node) deckies(ctx context.Context) (any, error) {
	a, err := n.view.Ask(ctx, messages.GetDeckies{})
	if err != nil || n.cluster.members == nil {
		return a, err
	}
	own, _ := a.([]messages.DeckyStatus)
	b, err := n.cluster.members.Ask(ctx, swarm.GetRows{})
	if err != nil {
		return nil, err
	}
	others, _ := b.([]messages.DeckyStatus)
	for i := range own {
		own[i].Node = n.cluster.name
	}
	all := slices.Concat(own, others)
	slices.SortFunc(all, func(a, b messages.DeckyStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.HostUUID, b.HostUUID))
	})
	return all, nil
}

// status is that of this host; on a hub it counts the deckies of all, and its members.
func (n *node) status(ctx context.Context) (any, error) {
	a, err := n.view.Ask(ctx, messages.GetStatus{})
	s, is := a.(messages.Status)
	if err != nil || !is {
		return a, err
	}
	if n.cluster.role == config.RoleHub || n.cluster.role == config.RoleWorker {
		s.Cluster = string(n.cluster.role)
	}
	if n.cluster.members == nil {
		return s, nil
	}
	b, err := n.cluster.members.Ask(ctx, swarm.GetCounts{})
	if err != nil {
		s.Warnings = append(s.Warnings, "the members of the cluster are not known at the moment: "+err.Error())
		return s, nil //nolint:nilerr // the rest of the status is worth having
	}
	counts, _ := b.(swarm.Counts)
	for state, c := range counts.States {
		s.Deckies[state] += c
	}
	s.Members = counts.Members
	return s, nil
}
