package main

import (
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/actors/swarm"
	"github.com/decnet/decnet-fleetd/adapters/agentdir"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/messages"
)

// hubLink is a worker's way to its hub. It can be left and taken up again.
type hubLink struct {
	mu    sync.Mutex
	dial  func() (*fabric.Worker, error)
	w     *fabric.Worker // nil: not dialled, or left
	last  atomic.Pointer[messages.LinkState]
	tells func(messages.LinkState)
}

func (h *hubLink) worker() *fabric.Worker {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.w
}

// join dials, unless it has.
func (h *hubLink) join() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.w != nil || h.dial == nil {
		return nil
	}
	w, err := h.dial()
	if err != nil {
		return err
	}
	h.w = w
	return nil
}

// leave says goodbye to the hub.
func (h *hubLink) leave(ctx context.Context) {
	h.mu.Lock()
	w := h.w
	h.w = nil
	h.mu.Unlock()
	if w != nil {
		w.Leave(ctx)
	}
}

func (h *hubLink) state() messages.LinkState {
	if w := h.worker(); w != nil {
		return w.State()
	}
	if st := h.last.Load(); st != nil {
		return *st
	}
	return messages.LinkState{Phase: messages.LinkConnecting}
}

// told remembers the last state and passes it on.
func (h *hubLink) told(st messages.LinkState) {
	h.last.Store(&st)
	h.tells(st)
}

// Ship implements swarm.Hub.
func (h *hubLink) Ship(ctx context.Context, b messages.ShipBatch) (messages.ShipAck, error) {
	w := h.worker()
	if w == nil {
		return messages.ShipAck{}, messages.ErrHubAway
	}
	ack, err := w.Ship(ctx, b)
	switch {
	case errors.Is(err, fabric.ErrRefused), errors.Is(err, fabric.ErrTooLarge):
		err = fmt.Errorf("%w: %w", messages.ErrShipNever, err)
	case errors.Is(err, fabric.ErrAway):
		err = fmt.Errorf("%w: %w", messages.ErrHubAway, err)
	}
	return ack, err
}

func (h *hubLink) beat(b messages.Beat) error {
	if w := h.worker(); w != nil {
		return w.Beat(b)
	}
	return messages.ErrHubAway
}

// joinHub makes a worker's link and what lives by it. console answers what the hub asks on behalf of its users.
func (d *daemon) joinHub(n *node, console http.Handler) error {
	s := d.settings
	files := agentdir.In(s.AgentDir)
	n.cluster.link.tells = func(st messages.LinkState) { n.cluster.delivery.Tell(messages.LinkChanged{State: st}) }
	n.cluster.link.dial = func() (*fabric.Worker, error) {
		w, err := fabric.Dial(fabric.WorkerConfig{Hub: s.Hub, HostUUID: s.HostUUID, Files: fabric.Files(files), HubFingerprint: s.HubFingerprint,
			Version: version, State: n.cluster.link.told, Now: time.Now, Jitter: mathrand.Float64})
		if err == nil {
			w.Serve(console)
		}
		return w, err
	}
	if err := n.cluster.link.join(); err != nil {
		return configFault(err)
	}
	n.sys.Spawn(supervise.Spec{Kind: "swarm", ID: "beats", New: func() supervise.Receiver {
		return swarm.NewBeats(swarm.BeatsConfig{Root: n.sys.Ping, Say: n.sayBeat, Send: n.cluster.link.beat})
	}})
	d.watchDestruct(n, s)
	return nil
}

// destructEvery is how often it is looked whether DECNET has destroyed itself here. Chosen: two stats.
const destructEvery = 2 * time.Second

// watchDestruct ends the daemon when DECNET's agent has removed its directory and its unit: it cannot remove what it does
// not know of, and nothing must be left behind. Only what was there once can vanish.
func (d *daemon) watchDestruct(n *node, s config.Settings) {
	seen := map[string]bool{}
	n.sys.Spawn(supervise.Spec{Kind: "swarm", ID: "destruct", New: func() supervise.Receiver {
		return supervise.Func(func(c *supervise.Ctx, msg any) {
			switch msg.(type) {
			case supervise.Started, messages.Tick:
				c.After(destructEvery, messages.Tick{Name: "destruct"})
				for _, path := range []string{s.AgentDir, s.AgentUnit} {
					seen[path] = seen[path] || !agentdir.Vanished(path)
				}
				if seen[s.AgentDir] && seen[s.AgentUnit] && agentdir.Vanished(s.AgentDir, s.AgentUnit) {
					d.destruct()
				}
			}
		})
	}})
}

func (d *daemon) destruct() {
	d.wipe.Store(true)
	select {
	case d.asked <- "DECNET destroyed itself on this host":
	default: // asked already
	}
}

// wipeState removes everything in the state directory, and the directory itself if it may. The lock is held: it is ours.
func wipeState(dir string, log zerolog.Logger) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	_ = os.Remove(dir) // the service manager may keep it
	if err != nil {
		log.Error().Err(err).Msg("not everything could be removed from the state directory")
	}
}
