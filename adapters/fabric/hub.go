package fabric

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/decnet/decnet-fleetd/messages"
)

// Hub is the master's end. Its methods may be called from any goroutine.
type Hub struct {
	cfg    HubConfig
	shelf  shelf
	gate   *gate
	secret string // of this process; lets its own connections in

	ns      *server.Server
	account *server.Account
	events  *nats.Conn
	fatal   atomic.Value // string: why there is no socket

	refusals   refusals
	refreshing sync.Mutex
	life       context.Context //nolint:containedctx // it is the hub's life, which Deliver's calls end with
	end        context.CancelFunc
	spawning   sync.Mutex
	wg         sync.WaitGroup // under spawning to grow
}

// Listen starts a hub: it reads the files, asks for the pins, subscribes to every enrolled host, and opens the socket
// last. An error names what is wrong and leaves nothing behind. ctx bounds the start; the hub lives until Close.
func Listen(ctx context.Context, cfg HubConfig) (*Hub, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	h := &Hub{cfg: cfg, shelf: shelf{files: cfg.Files}, gate: newGate(), secret: rand.Text()}
	h.life, h.end = context.WithCancel(context.WithoutCancel(ctx))
	if h.shelf.look(); h.shelf.fault != nil {
		h.end()
		return nil, *h.shelf.fault
	}
	if err := h.start(ctx); err != nil {
		h.Close()
		return nil, fmt.Errorf("fabric: %w", err)
	}
	h.spawn(h.watchFiles)
	return h, nil
}

func (h *Hub) start(ctx context.Context) error {
	pins, err := h.cfg.Pins(ctx)
	if err != nil {
		return fmt.Errorf("read the enrolled hosts: %w", err)
	}
	if err := h.startServer(len(pins)); err != nil {
		return err
	}
	if err := h.watchConnections(); err != nil {
		return err
	}
	if err := h.take(pins); err != nil {
		return err
	}
	return h.openSocket()
}

// spawn runs what Close waits for; nothing once it waits.
func (h *Hub) spawn(f func()) {
	h.spawning.Lock()
	defer h.spawning.Unlock()
	if h.life.Err() == nil {
		h.wg.Go(f)
	}
}

// Addr is where the hub listens.
func (h *Hub) Addr() net.Addr { return h.ns.Addr() }

// Fingerprint is that of the hub's own certificate, for workers that pin it.
func (h *Hub) Fingerprint() string { return Fingerprint(h.shelf.current().pair.Leaf) }

// CertExpires is when the hub's own certificate ends.
func (h *Hub) CertExpires() time.Time { return h.shelf.current().pair.Leaf.NotAfter }

// Refresh asks for the pins again and cuts at once every connection whose host is gone or has another certificate.
func (h *Hub) Refresh(ctx context.Context) error {
	h.refreshing.Lock()
	defer h.refreshing.Unlock()
	pins, err := h.cfg.Pins(ctx)
	if err != nil {
		return fmt.Errorf("fabric: read the enrolled hosts: %w", err)
	}
	for _, cid := range h.gate.connections() {
		if h.ns.GetClient(cid) == nil {
			h.gone(cid, "Client Closed")
		}
	}
	return h.take(pins)
}

// take makes pins the table. A row that cannot be a host has no place; of two with one fingerprint neither has.
func (h *Hub) take(pins []messages.Pin) error {
	pins = h.sound(pins)
	opened, err := h.openLanes(h.gate.without(pins))
	c := h.gate.set(slices.DeleteFunc(pins, func(p messages.Pin) bool {
		return h.gate.seat(p.HostUUID) == nil && opened[p.HostUUID] == nil
	}), opened)
	for _, cid := range c.cut {
		h.kick(cid)
	}
	for _, l := range c.gone {
		h.spawn(l.close) // a delivery that runs may take its time
	}
	return err
}

func (h *Hub) sound(pins []messages.Pin) []messages.Pin {
	times, hosts := map[string]int{}, map[string]bool{}
	out := make([]messages.Pin, 0, len(pins))
	for _, p := range pins {
		p.Fingerprint = strings.ToLower(p.Fingerprint)
		if messages.ValidHostUUID(p.HostUUID) && fingerprintForm.MatchString(p.Fingerprint) && !hosts[p.HostUUID] {
			hosts[p.HostUUID] = true
			times[p.Fingerprint]++
			out = append(out, p)
		}
	}
	return slices.DeleteFunc(out, func(p messages.Pin) bool { return times[p.Fingerprint] > 1 })
}

// lanesAtOnce is how many lanes are opened side by side. Source: the server lets a connection of its own process wait
// 50 ms; a hundred of them one by one would take five seconds.
const lanesAtOnce = 32

func (h *Hub) openLanes(hosts []string) (map[string]*lane, error) {
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		faults []error
		opened = make(map[string]*lane, len(hosts))
		slots  = make(chan struct{}, lanesAtOnce)
	)
	for _, host := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			l, err := h.openLane(host)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults = append(faults, err)
				return
			}
			opened[host] = l
		})
	}
	wg.Wait()
	return opened, errors.Join(faults...)
}

// Revoke cuts a host at once and keeps it out until Refresh finds it enrolled.
func (h *Hub) Revoke(hostUUID string) {
	if cid := h.gate.shut(hostUUID, time.Time{}); cid != 0 {
		h.kick(cid)
	}
}

// Cut ends a host's connection. The worker is let in again at once, and begins as with every connection.
func (h *Hub) Cut(hostUUID string) {
	if cid := h.gate.connection(hostUUID); cid != 0 {
		h.kick(cid)
	}
}

// watchFiles takes new certificates into use. Connections that stand stay.
func (h *Hub) watchFiles() {
	tick := time.NewTicker(h.cfg.Reread)
	defer tick.Stop()
	for {
		select {
		case <-h.life.Done():
			return
		case <-tick.C:
			found := h.shelf.look()
			switch {
			case found.fault != nil:
				h.cfg.Fault(*found.fault)
			case found.healed:
				h.cfg.Fault(messages.Fault{Where: h.cfg.Files.Cert})
			}
		}
	}
}

// Close ends all connections and waits for the callbacks that run.
func (h *Hub) Close() {
	h.refreshing.Lock()
	defer h.refreshing.Unlock()
	h.spawning.Lock()
	h.end()
	h.spawning.Unlock()
	if h.ns != nil {
		h.ns.Shutdown()
		h.ns.WaitForShutdown()
	}
	if h.events != nil {
		h.events.Close()
	}
	for _, l := range h.gate.lanes() {
		l.close()
	}
	h.wg.Wait()
}
