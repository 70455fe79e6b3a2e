package main

import (
	"github.com/decnet/decnet-fleetd/actors/shadow"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/view"
)

// watch starts the shadow where a daemon that writes has its store: nothing is ordered of it, and it has nothing to wait for.
func (n *node) watch(p parts) {
	n.shadow = n.sys.Spawn(supervise.Spec{Kind: "shadow", ID: "shadow", Subsystem: true, Mailbox: bigMailbox, New: p.metered("shadow", func() supervise.Receiver {
		return shadow.New(shadow.Config{View: n.view, Fleet: n.fleetPost})
	})})
	n.store.ref.Store(n.shadow)
}

// audience is who hears of deckies: the view, and in a shadow the shadow too.
func (n *node) audience() view.Teller {
	if n.shadow == nil {
		return n.view
	}
	return both{n.view, n.shadow}
}

// both tells two.
type both struct{ a, b view.Teller }

// Tell is refused where either refuses: the teller says it again, and twice does no harm.
func (t both) Tell(msg any) bool {
	a, b := t.a.Tell(msg), t.b.Tell(msg)
	return a && b
}
