package main

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/systemd"
	"github.com/decnet/decnet-fleetd/messages"
)

// serviceManager hears how the daemon is.
type serviceManager interface {
	Ready(status string) error
	Status(status string) error
	Watchdog() error
}

var _ serviceManager = (*systemd.Notifier)(nil)

// asker is an actor that answers questions.
type asker interface {
	Ask(ctx context.Context, msg any) (any, error)
}

const (
	// lookStarting is how often the daemon is asked whether it is ready. Chosen: what waits for the unit waits that much longer.
	lookStarting = 100 * time.Millisecond
	// lookEvery is how often its status is looked at later, and what bounds how often that is told. Source: nobody reads faster.
	lookEvery = time.Second
	// lookPatience is how long an answer may take. Source: the deadline of a call to a dependency.
	lookPatience = 5 * time.Second
)

// herald tells the service manager when the daemon is ready, how it is, and that it is alive.
type herald struct {
	to    serviceManager
	ping  func(ctx context.Context) error // a round trip through the root supervisor
	view  asker
	store asker
	reads func() int64  // what the reader of Docker's events has done so far; it may do nothing for a while
	feed  time.Duration // between two feedings of the watchdog; 0: nobody watches
	told  told
	mute  string // why the manager could not be told; "" while it can
	ill   string // why the watchdog is not fed; "" while it is

	reader reader
}

// told is what the manager knows.
type told struct {
	ready bool
	line  string
	at    time.Time
}

// What comes back from the herald's goroutines.
type (
	looked struct {
		told told
		err  error
	}
	fed struct {
		err  error
		took time.Duration
	}
)

// notify starts the herald where a service manager listens.
func (n *node) notify(to *systemd.Notifier, log zerolog.Logger, reads func() int64) {
	if to == nil {
		return
	}
	timeout, err := to.WatchdogTimeout()
	if err != nil {
		log.Warn().Err(err).Msg("watchdog not fed")
	}
	store := n.store.ref.Load()
	n.sys.Spawn(supervise.Spec{Kind: "herald", ID: "systemd", Subsystem: true, New: func() supervise.Receiver {
		// A third leaves room for one round trip that fails and another that takes its time.
		return &herald{to: to, ping: n.sys.Ping, view: n.view, store: store, reads: reads, feed: timeout / 3}
	}})
}

// Receive handles one message.
func (h *herald) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		h.look(c)
		h.trip(c)
	case looked:
		h.looked(c, m)
	case fed:
		h.fed(c, m)
	case messages.Tick:
		if m.Name == "look" {
			h.look(c)
			return
		}
		h.trip(c)
	}
}

// look asks and tells in a goroutine: a manager that does not read blocks whoever tells it.
func (h *herald) look(c *supervise.Ctx) {
	before := h.told
	c.Go("look", func(ctx context.Context) {
		now, err := h.tell(ctx, before, c.Now)
		c.After(0, looked{now, err})
	})
}

// tell answers what the manager knows afterwards: without an answer of the view, or a manager that hears, what it knew.
func (h *herald) tell(ctx context.Context, before told, now func() time.Time) (told, error) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	a, err := h.view.Ask(ctx, messages.GetStatus{})
	if err != nil {
		return before, err
	}
	s, ok := a.(messages.Status)
	if !ok {
		return before, fmt.Errorf("the view answers with a %T", a)
	}
	after := told{ready: before.ready || isReady(s), line: unitStatus(s), at: now()}
	switch {
	case after.ready && !before.ready:
		err = h.to.Ready(after.line)
	case after.line != before.line && after.at.Sub(before.at) >= lookEvery:
		err = h.to.Status(after.line)
	default:
		return before, nil
	}
	if err != nil {
		return before, err
	}
	return after, nil
}

func (h *herald) looked(c *supervise.Ctx, m looked) {
	if m.told.ready && !h.told.ready {
		c.Log().Info().Str("status", m.told.line).Msg("told the service manager: ready")
	}
	h.told = m.told
	if why := reason(m.err); why != h.mute {
		h.mute = why
		if why != "" {
			c.Log().Warn().Str("error", why).Msg("the service manager cannot be told the status")
		}
	}
	next := lookEvery
	if !h.told.ready {
		next = lookStarting
	}
	c.After(next, messages.Tick{Name: "look"})
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
