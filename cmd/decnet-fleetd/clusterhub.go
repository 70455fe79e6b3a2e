package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/actors/swarm"
	"github.com/decnet/decnet-fleetd/adapters/agentdir"
	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// pinsEvery is how often swarm_hosts is read: a host that is decommissioned is cut that much later at most.
	pinsEvery = 2 * time.Second
	// deliverWait bounds how long a worker's batch waits for the mirror. Source: below the 30 s that the worker waits.
	deliverWait = 25 * time.Second
	// listenAgain is the wait before a hub that could not listen tries again. Chosen: a database comes back in seconds.
	listenAgain = 2 * time.Second
)

// openHub makes the fabric's server. What waiting cannot mend is a fault of the configuration; a database that is away
// is not: then it listens as soon as it can.
func (d *daemon) openHub(ctx context.Context, n *node) (serves, error) {
	_, err := d.listenHub(ctx, n)
	var file messages.Fault
	switch {
	case errors.As(err, &file):
		return nil, configFault(file)
	case err != nil && !database.Retryable(err) && ctx.Err() == nil:
		return nil, configFault(err)
	}
	return func(ctx context.Context) error { return d.serveHub(ctx, n) }, nil
}

// serveHub keeps the pins as DECNET has them.
func (d *daemon) serveHub(ctx context.Context, n *node) error {
	for ctx.Err() == nil {
		h, err := n.cluster.fabric.Load(), error(nil)
		if h == nil {
			h, err = d.listenHub(ctx, n)
		}
		if err != nil {
			n.swarmIs("down", err.Error())
			waitFor(ctx, listenAgain)
			continue
		}
		d.refresh(ctx, n, h)
	}
	if h := n.cluster.fabric.Swap(nil); h != nil {
		h.Close()
	}
	return nil
}

func (d *daemon) refresh(ctx context.Context, n *node, h *fabric.Hub) {
	n.swarmIs("ok", "listening on "+h.Addr().String())
	for ctx.Err() == nil {
		waitFor(ctx, pinsEvery)
		limited, cancel := context.WithTimeout(ctx, 2*pinsEvery)
		err := h.Refresh(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			n.swarmIs("degraded", err.Error())
		default:
			n.swarmIs("ok", "listening on "+h.Addr().String())
		}
	}
}

func waitFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// swarmIs reports how the fabric does, again and again: a view that has just restarted knows nothing. One goroutine calls it.
func (n *node) swarmIs(state, detail string) {
	is := messages.ComponentStatus{Component: "swarm", State: state, Detail: detail, Since: n.cluster.swarm.Since}
	if is != n.cluster.swarm {
		is.Since = messages.Moment{Time: time.Now()}
		n.cluster.swarm = is
	}
	n.view.Tell(messages.ComponentReported{Status: is})
}

func (d *daemon) listenHub(ctx context.Context, n *node) (*fabric.Hub, error) {
	h, err := fabric.Listen(ctx, fabric.HubConfig{Listen: d.settings.SwarmListen, Files: fabric.Files(agentdir.In(d.settings.MasterDir)), Version: version, Now: time.Now,
		Pins: n.pins, Deliver: n.deliver,
		Beat: func(host string, b messages.Beat) { n.cluster.members.Tell(swarm.Beaten{HostUUID: host, Beat: b}) },
		Peer: func(e messages.PeerEvent) { n.cluster.members.Tell(e) },
		Refused: func(r messages.Refusal) {
			n.refusedBy(d, r)
		},
		Fault: func(f messages.Fault) {
			if f.What != "" {
				d.log.Error().Err(f).Msg("the hub's certificate cannot be read: the old one stays in use")
				return
			}
			d.log.Info().Str("file", f.Where).Msg("the hub's certificate is right again")
		}})
	if err == nil {
		n.cluster.fabric.Store(h)
		d.log.Info().Str("listen", h.Addr().String()).Str("fingerprint", h.Fingerprint()).Time("expires", h.CertExpires()).Msg("hub listening for workers")
	}
	return h, err
}

// pins reads the enrolled hosts and remembers their names.
func (n *node) pins(ctx context.Context) ([]messages.Pin, error) {
	pins, err := n.db.Pins(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[string]string, len(pins))
	for _, p := range pins {
		names[p.HostUUID] = p.Name
	}
	n.cluster.names.Store(&names)
	return pins, nil
}

// deliver commits a batch of a worker. Whoever carries it reads it: each worker's is read on its own, before they queue for
// the one transaction.
func (n *node) deliver(ctx context.Context, host string, b messages.ShipBatch) (messages.ShipAck, error) {
	ctx, cancel := context.WithTimeout(ctx, deliverWait)
	defer cancel()
	a, err := n.cluster.mirror.Ask(ctx, n.db.Understand(messages.Delivery{HostUUID: host, Batch: b}))
	if err != nil {
		return messages.ShipAck{}, err
	}
	d, err := delivered(a)
	return messages.ShipAck{Refused: d.Refused}, errors.Join(err, d.Err)
}

// refusedBy puts on record whom the fabric did not let in, or what it did not take.
func (n *node) refusedBy(d *daemon, r messages.Refusal) {
	who := cmp.Or(r.HostUUID, r.CN, r.Fingerprint, r.Remote)
	texts := []string{r.Reason}
	for _, more := range []struct{ key, text string }{{"", r.Detail}, {"cn ", r.CN}, {"fingerprint ", r.Fingerprint}, {"from ", r.Remote}} {
		if more.text != "" {
			texts = append(texts, more.key+more.text)
		}
	}
	if r.Times > 1 {
		texts = append(texts, fmt.Sprintf("%d times", r.Times))
	}
	why := strings.Join(texts, "; ")
	d.log.Warn().Str("host", r.HostUUID).Str("reason", why).Msg("refused a worker")
	n.keep.record(messages.AuditEntry{UID: -1, Role: "none", Via: "swarm", Verb: "connect", Target: who, Reason: why, Result: "refused"}, d.log)
	n.view.Tell(messages.EventHappened{Event: messages.Event{At: r.At, Type: "refused", Target: who, Cause: why}})
}

// auditRefused puts on record which rows of a worker were not taken.
func (p parts) auditRefused(host, name string, refused []messages.ShipRefusal) {
	texts := make([]string, 0, len(refused))
	for _, r := range refused[:min(len(refused), 4)] {
		texts = append(texts, r.Name+": "+r.Why)
	}
	if len(refused) > len(texts) {
		texts = append(texts, fmt.Sprintf("and %d more", len(refused)-len(texts)))
	}
	why := strings.Join(texts, "; ")
	p.log.Warn().Str("host", host).Str("member", name).Str("reason", why).Msg("refused rows of a worker")
	p.keep.record(messages.AuditEntry{UID: -1, Role: "none", Via: "swarm", Verb: "ship", Target: host, Reason: why, Result: "refused"}, p.log)
}
