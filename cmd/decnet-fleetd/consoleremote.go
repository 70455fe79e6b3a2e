package main

import (
	"context"
	"net"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// remoteOf is where other hosts reach the console; nil: nowhere.
func remoteOf(s config.Settings) *console.Remote {
	if s.ConsoleListen == "" {
		return nil
	}
	return &console.Remote{Addr: s.ConsoleListen, Cert: s.ConsoleCert, Key: s.ConsoleKey, ClientCA: s.ConsoleCA}
}

// bindAgain is the wait before an address that cannot be had is tried again. Chosen: it may come with an interface that
// is not up yet, or go with a process that is ending.
const bindAgain = 5 * time.Second

// remoteServer is what serves other hosts.
type remoteServer interface {
	ListenRemote(ctx context.Context) (net.Listener, error)
	ServeRemote(ctx context.Context, l net.Listener) error
}

// serveRemote lets other hosts in. An address that cannot be had makes a component degraded and nothing else.
func serveRemote(s remoteServer, tell func(messages.ComponentStatus)) serves {
	return func(ctx context.Context) error {
		l, err := s.ListenRemote(ctx)
		for told := ""; err != nil; l, err = s.ListenRemote(ctx) {
			if err.Error() != told {
				told = err.Error()
				tell(messages.ComponentStatus{Component: "console", State: "degraded", Detail: told + "; tried again every 5s"})
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(bindAgain):
			}
		}
		tell(messages.ComponentStatus{Component: "console", State: "ok", Detail: "client certificates at " + l.Addr().String()})
		return s.ServeRemote(ctx, l)
	}
}

// remote serves other hosts in an actor of its own, where the settings want it.
func (d *daemon) remote(n *node, control *console.Server) {
	if d.settings.ConsoleListen == "" {
		return
	}
	n.serve("console", serveRemote(control, func(c messages.ComponentStatus) {
		c.Since = messages.Moment{Time: time.Now()}
		n.view.Tell(messages.ComponentReported{Status: c})
	}))
}
