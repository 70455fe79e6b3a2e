package main

import (
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/decky"
	"github.com/decnet/decnet-fleetd/actors/fleet"
	"github.com/decnet/decnet-fleetd/actors/publisher"
	"github.com/decnet/decnet-fleetd/actors/pulse"
	"github.com/decnet/decnet-fleetd/actors/source"
	"github.com/decnet/decnet-fleetd/actors/store"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/adapters/bus"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/deckyconfig"
	"github.com/decnet/decnet-fleetd/adapters/docker"
	"github.com/decnet/decnet-fleetd/adapters/metrics"
	"github.com/decnet/decnet-fleetd/adapters/statefile"
	"github.com/decnet/decnet-fleetd/messages"
)

// What one side offers is what the other side asks for.
var (
	_ source.Observer  = (*statefile.Watcher)(nil)
	_ source.Observer  = (*database.Recorded)(nil)
	_ source.Observer  = (*docker.Runtime)(nil)
	_ store.Rows       = (*database.DB)(nil)
	_ store.Leases     = (*database.DB)(nil)
	_ publisher.Outbox = (*database.DB)(nil)
	_ publisher.Dialer = (*bus.Dialer)(nil)
)

// post is the address of an actor that is started later: actors know each other in circles.
type post struct{ ref atomic.Pointer[supervise.Ref] }

// Tell passes a message on; before the actor exists it is refused, as by a full mailbox.
func (p *post) Tell(msg any) bool {
	r := p.ref.Load()
	return r != nil && r.Tell(msg)
}

// nowhere is the address of an actor that does not run: what it is told is done with.
type nowhere struct{}

func (nowhere) Tell(any) bool { return true }

// node is one running fleet with everything it consists of.
type node struct {
	sys       *supervise.System
	fleet     *supervise.Ref
	view      *supervise.Ref
	publisher *supervise.Ref // nil with the bus off
	store     *post
	fleetPost *post
	lease     *heldLease
	board     *view.Board
	metrics   *metrics.Metrics             // nil: nothing is measured
	passed    atomic.Bool                  // the first complete pass is over
	shadow    *supervise.Ref               // nil but in a shadow
	interval  atomic.Int64                 // between two audits, in nanoseconds
	reload    func() messages.ReloadReport // nil: this process does not
	sampler   *supervise.Ref
	keep      *keeper
	settings  func() []config.Origin // as they are now
	cluster   *cluster
	db        *database.DB
	hostUUID  string
}

// parts are the adapters and values a node is made of.
type parts struct {
	hostUUID string
	instance string
	stateDir string
	bootID   string
	interval time.Duration
	log      zerolog.Logger

	file   source.Observer
	db     *database.DB
	docker source.Observer
	dialer publisher.Dialer // nil: the bus is off
	feed   view.Feed
	// init makes our tables, for a database that was not there at the start; nil: nothing.
	init   func(ctx context.Context) error
	dryRun bool
	silent bool // one pass: no heartbeat, no control
	stop   func(reason string)
	replay time.Duration
	// What is done about control messages and other reconcilers.
	ignoreStop, takeover bool

	counters    func() map[string]int64
	stats       *publisher.Stats
	metrics     *metrics.Metrics // nil: nothing is measured
	board       *view.Board
	answerTimes *answerTimes // when sources last answered
	crew        *crew        // who works, for the metrics
	shadow      bool         // a dry run that goes on, compared with what another reconciler does
	reads       func() int64 // what the reader of Docker's events has done so far

	keep     *keeper // nil: nothing outlives the process
	settings []config.Origin
	role     config.Role
}

// Mailboxes. The store's and the fleet's must hold a message of every decky; a decky's orders and replies are one each.
const (
	bigMailbox = 1 << 17
	viewBox    = 1 << 17
)

// assemble starts all actors. It connects to nothing: that is the sources' business.
func assemble(p parts) (*node, error) {
	n := &node{lease: &heldLease{Leases: sabotaged(p.leases(), p.stateDir), init: p.init}, fleetPost: &post{}, store: &post{}, board: p.board, metrics: p.metrics, keep: p.keep, settings: func() []config.Origin { return p.settings },
		cluster: newCluster(p.role), db: p.db, hostUUID: p.hostUUID}
	n.interval.Store(int64(p.interval))
	viewPost, publisherPost, pulsePost := &post{}, &post{}, &post{}
	crashPost := &post{}
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: mathrand.Float64, Log: p.log, LastCrash: p.keep.lastCrash(),
		OnCrash: func(c supervise.Crash) { crashPost.Tell(crashRecord(c)) },
		OnEvent: func(e supervise.Event) {
			onEvent(e, n.fleetPost, viewPost)
			p.supervised(e)
		}})
	if err != nil {
		return nil, fmt.Errorf("start actors: %w", err)
	}
	n.sys = sys
	if p.crew != nil {
		p.crew.sys.Store(sys)
	}
	began := time.Now()
	n.view = sys.Spawn(supervise.Spec{Kind: "view", ID: "view", Subsystem: true, Mailbox: viewBox, New: p.metered("view", func() supervise.Receiver {
		return view.New(view.Config{HostUUID: p.hostUUID, Version: version, Instance: p.instance, PID: os.Getpid(), Feed: p.feed, Started: began,
			Reporters: []view.Teller{n.fleetPost, n.store, publisherPost},
			Counters:  deckyCounters(sys), Extra: p.counters, Board: p.board, Node: n.cluster.nameOf})
	})})
	viewPost.ref.Store(n.view)
	n.inspection(p, crashPost)
	switch {
	case p.shadow:
		n.watch(p)
	case !p.dryRun: // a dry run writes nothing, not even a lease
		n.delivery(p, publisherPost, pulsePost)
	}
	n.sources(p)
	return n, nil
}

// delivery starts what writes and announces: store, publisher, pulse.
func (n *node) delivery(p parts, publisherPost, pulsePost *post) {
	if p.role == config.RoleWorker && p.dialer != nil && !p.silent {
		n.cluster.both = newSinks(n.store)
	}
	if p.dialer != nil {
		n.publisher = n.sys.Spawn(supervise.Spec{Kind: "publisher", ID: "publisher", Group: "delivery", Subsystem: true, Mailbox: bigMailbox,
			New: p.metered("publisher", func() supervise.Receiver {
				return publisher.New(publisher.Config{Outbox: p.outbox(), Dialer: p.links(), Store: n.outboxOf(busSink), Pulse: pulsePost, View: n.view,
					Instance: p.instance, Jitter: mathrand.Float64, Policy: publisher.Policy{Replay: p.replay}, Stats: p.stats})
			})})
		publisherPost.ref.Store(n.publisher)
	}
	var publish, beat store.Teller = nowhere{}, nowhere{}
	if n.publisher != nil {
		publish = publisherPost
	}
	n.clusterActors(p, publish)
	if n.publisher != nil && !p.silent {
		beat = pulsePost
		pulsePost.ref.Store(n.sys.Spawn(supervise.Spec{Kind: "pulse", ID: "pulse", Subsystem: true, New: p.metered("pulse", func() supervise.Receiver {
			return pulse.New(pulse.Config{Publisher: publisherPost, Store: n.store, View: n.view, Stop: p.stop, IgnoreStop: p.ignoreStop,
				Takeover: p.takeover, Instance: p.instance, Version: version, HostUUID: p.hostUUID, Extra: p.keep.beat})
		})}))
	}
	n.store.ref.Store(n.sys.Spawn(supervise.Spec{Kind: "store", ID: "store", Group: "delivery", Subsystem: true, Mailbox: bigMailbox,
		New: p.metered("store", func() supervise.Receiver {
			return store.New(store.Config{Rows: p.rows(), Leases: n.lease, Fleet: n.fleetPost, Publisher: n.hears(p, publish), Pulse: beat, View: n.view,
				BootID: p.bootID, StateDir: p.stateDir, Jitter: mathrand.Float64})
		})}))
}

// sources starts the fleet and the three actors that feed it.
func (n *node) sources(p parts) {
	posts := map[messages.Source]*post{}
	tellers := map[messages.Source]fleet.Teller{}
	for _, s := range []messages.Source{messages.SourceDeclared, messages.SourceRecorded, messages.SourceObserved} {
		posts[s] = &post{}
		tellers[s] = posts[s]
	}
	child := n.children(p)
	n.fleet = n.sys.Spawn(supervise.Spec{Kind: "fleet", ID: "fleet", Group: "sources", Subsystem: true, Mailbox: bigMailbox,
		New: p.metered("fleet", func() supervise.Receiver {
			return fleet.New(fleet.Config{HostUUID: p.hostUUID, Recode: deckyconfig.Recode, Sources: tellers, Store: n.store, View: n.audience(), NewID: newID,
				Staff: n.staff, Audit: time.Duration(n.interval.Load()), Child: child, Pauses: p.keep.paused})
		})})
	n.fleetPost.ref.Store(n.fleet)
	for s, o := range map[messages.Source]struct {
		component string
		observer  source.Observer
	}{
		messages.SourceDeclared: {"file", p.told(p.file)},
		messages.SourceRecorded: {"database", p.told(p.db.Recorded())},
		messages.SourceObserved: {"docker", p.docker},
	} {
		posts[s].ref.Store(n.sys.Spawn(supervise.Spec{Kind: "source", ID: string(s), Group: "sources", Subsystem: true, Mailbox: bigMailbox,
			New: p.metered("source", func() supervise.Receiver {
				return source.New(source.Config{Source: s, Observer: o.observer, Fleet: n.fleetPost, View: n.view, Component: o.component})
			})}))
	}
}

// staff names the deckies whose actors live.
func (n *node) staff() []string {
	var names []string
	for _, r := range n.sys.Refs() {
		if r.Kind() == "decky" {
			names = append(names, r.ID())
		}
	}
	return names
}

// children makes the deckies. What they share is made once: there are thousands of them.
func (n *node) children(p parts) func(name string) supervise.Spec {
	shared := decky.Config{HostUUID: p.hostUUID, Fleet: n.fleetPost, Store: n.store, View: n.audience(), NewID: newID, Policy: decky.DefaultPolicy()}
	shared.Policy.DryRun = p.dryRun
	meter := p.meter("decky") // one for all of them
	return func(name string) supervise.Spec {
		return supervise.Spec{Kind: "decky", ID: name, Mailbox: 64, Remember: true, New: func() supervise.Receiver { return onMeter(decky.New(name, &shared), meter) }}
	}
}

// onEvent tells fleet and view what the supervisor did.
func onEvent(e supervise.Event, fleetPost, viewPost *post) {
	if e.Kind == "decky" && (e.What == "quarantined" || e.What == "released") {
		m := messages.DeckyCrashed{Name: e.ID}
		if e.What == "quarantined" {
			m.Quarantined, m.Ordered, m.Reason = true, e.Message == supervise.OnPurpose, e.Reason
		}
		fleetPost.Tell(m)
		viewPost.Tell(m)
	}
	if e.What != "started" && e.What != "stopped" {
		viewPost.Tell(messages.EventHappened{Event: messages.Event{At: messages.Moment{Time: e.At}, Type: e.What,
			Target: e.Kind + "/" + e.ID, Cause: e.Reason}})
	}
}

// deckyCounters finds the counters of a decky's actor.
func deckyCounters(sys *supervise.System) func(name string) supervise.Stats {
	return func(name string) supervise.Stats {
		if r := sys.Find("decky", name); r != nil {
			return r.Stats()
		}
		return supervise.Stats{}
	}
}

// newID makes the id of a transition, of a listing, or of this process.
func newID() string { return messages.NewEventID(time.Now()) }
