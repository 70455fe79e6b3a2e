package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"slices"
	"sync/atomic"

	"github.com/decnet/decnet-fleetd/actors/store"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/swarm"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/messages"
)

var (
	_ swarm.Table        = (*database.DB)(nil)
	_ swarm.Mirrors      = (*database.DB)(nil)
	_ swarm.MirrorReader = (*database.DB)(nil)
	_ swarm.Hub          = (*hubLink)(nil)
)

// cluster is what a node has beside its own host: nothing where it runs alone.
type cluster struct {
	role     config.Role
	name     string // of this host
	link     *hubLink
	delivery *post  // the shipper of a worker, the mirror of a hub
	both     *sinks // of a worker with a bus; nil: one sink alone
	mirror   *supervise.Ref
	members  *supervise.Ref
	swarm    messages.ComponentStatus          // of the fabric, as last reported
	fabric   atomic.Pointer[fabric.Hub]        // nil while it does not stand
	names    atomic.Pointer[map[string]string] // of enrolled hosts by uuid
}

func newCluster(role config.Role) *cluster {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return &cluster{role: role, name: name, link: &hubLink{}, delivery: &post{}}
}

// nameOf is the name of another host; its uuid where nobody knows it.
func (k *cluster) nameOf(host string) string {
	if names := k.names.Load(); names != nil {
		return cmp.Or((*names)[host], host)
	}
	return host
}

// tee tells several actors; a refusal of one is a refusal.
type tee []store.Teller

// Tell passes a message on to all.
func (t tee) Tell(msg any) bool {
	all := true
	for _, to := range t {
		all = to.Tell(msg) && all
	}
	return all
}

// hears are those who hear what the store commits and whether this process owns the rows.
func (n *node) hears(p parts, publisher store.Teller) store.Teller {
	switch {
	case p.silent || p.dryRun:
	case n.cluster.role == config.RoleWorker, n.cluster.role == config.RoleHub:
		return tee{publisher, n.cluster.delivery}
	}
	return publisher
}

// clusterActors starts the actors of a hub or a worker. The fabric comes later: it needs them.
func (n *node) clusterActors(p parts, publisher store.Teller) {
	if p.silent {
		return
	}
	switch n.cluster.role {
	case config.RoleWorker:
		n.cluster.delivery.ref.Store(n.sys.Spawn(supervise.Spec{Kind: "swarm", ID: "shipper", Group: "delivery", Subsystem: true, Mailbox: bigMailbox,
			New: p.metered("swarm", func() supervise.Receiver {
				return swarm.NewShipper(swarm.ShipperConfig{Table: p.db, Hub: n.cluster.link, Store: n.outboxOf(hubSink), View: n.view, Whole: n.whole, NewID: newID,
					Jitter: mathrand.Float64, Alone: n.publisher == nil})
			})}))
	case config.RoleHub:
		n.hubActors(p, publisher)
	case config.RoleSolo:
	}
}

// The sinks of a worker's outbox.
const (
	busSink = iota
	hubSink
)

// outboxOf is the store for one of the sinks: where there are two, each waits for the other.
func (n *node) outboxOf(who int) store.Teller {
	if n.cluster.both == nil {
		return n.store
	}
	return sink{n.cluster.both, who}
}

func (n *node) hubActors(p parts, publisher store.Teller) {
	membersPost := &post{}
	n.cluster.mirror = n.sys.Spawn(supervise.Spec{Kind: "swarm", ID: "mirror", Group: "delivery", Subsystem: true, Mailbox: bigMailbox,
		New: p.metered("swarm", func() supervise.Receiver {
			return swarm.NewMirror(swarm.MirrorConfig{Rows: p.db, Store: n.store, Publisher: publisher, View: n.view, Members: membersPost})
		})})
	n.cluster.delivery.ref.Store(n.cluster.mirror)
	n.cluster.members = n.sys.Spawn(supervise.Spec{Kind: "swarm", ID: "members", Mailbox: bigMailbox,
		New: p.metered("swarm", func() supervise.Receiver {
			return swarm.NewMembers(swarm.MembersConfig{Peers: n.peers, Rows: p.db, Publisher: publisher, View: n.view, Instance: p.instance, Audit: p.auditRefused, Own: n.own, Again: n.again,
				Self: messages.Member{HostUUID: p.hostUUID, Name: n.cluster.name, Role: string(config.RoleHub), Version: version}})
		})})
	membersPost.ref.Store(n.cluster.members)
}

// peers lists the enrolled hosts; nil while the fabric does not stand.
func (n *node) peers() []messages.Peer {
	if h := n.cluster.fabric.Load(); h != nil {
		return append([]messages.Peer{}, h.Peers()...) // none enrolled is not nil
	}
	return nil
}

// again cuts a host's connection: it comes back at once and lists all its rows.
func (n *node) again(host string) {
	if h := n.cluster.fabric.Load(); h != nil {
		h.Cut(host)
	}
}

// whole says whether our table says all there is to say of this host: the first pass is over, and its sources are known.
func (n *node) whole() bool {
	s, known := n.board.Status()
	if !known || !n.passed.Load() || s.Role != "owner" {
		return false
	}
	return !slices.ContainsFunc(s.Components, func(c messages.ComponentStatus) bool {
		return (c.Component == "file" || c.Component == "database") && c.State != "ok"
	})
}

// own is how this host is doing, as the view last put it on its board.
func (n *node) own() (deckies int, health string, paused bool) {
	s, known := n.board.Status()
	if !known {
		return 0, "starting", false
	}
	for _, c := range s.Deckies {
		deckies += c
	}
	for _, c := range s.Components {
		if ailing(c) && c.Component != "hub" && c.Component != "reconciler" {
			health = "degraded"
		}
	}
	return deckies, health, slices.ContainsFunc(s.Paused, func(p messages.Pause) bool { return p.Target == messages.PauseHost })
}

// sayBeat is what a worker's beat tells.
func (n *node) sayBeat() messages.Beat {
	var b messages.Beat
	b.Deckies, b.Health, b.Paused = n.own()
	s, _ := n.board.Status()
	for _, c := range s.Components {
		if c.Component == "hub" {
			b.Pending = c.Waiting
		}
	}
	return b
}

// askMember asks the API of another host on behalf of a user. Only a hub can; the answer's body must be closed.
func (n *node) askMember(ctx context.Context, hostUUID string, who messages.Asker, r *http.Request) (*http.Response, error) {
	h := n.cluster.fabric.Load()
	if h == nil {
		if n.cluster.role != config.RoleHub {
			return nil, messages.ErrNotHub
		}
		return nil, fmt.Errorf("the hub does not listen yet: %w", fabric.ErrAway)
	}
	answer, err := h.Do(ctx, hostUUID, who, r)
	if errors.Is(err, fabric.ErrUnknownHost) {
		err = fmt.Errorf("host %q: %w", hostUUID, messages.ErrNoSuchHost)
	}
	return answer, err
}
