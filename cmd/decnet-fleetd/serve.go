package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/bus"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/adapters/systemd"
	"github.com/decnet/decnet-fleetd/messages"
)

// stopWithin is how long an orderly end may take. Source: SIGTERM to exit within a second; the outbox is durable, so
// nothing needs to be drained.
const stopWithin = 800 * time.Millisecond

// startWithin is how long a start may take once a standby has got the lock. Source: the unit's TimeoutStartSec.
const startWithin = time.Minute

// runServe is the daemon: it returns nil after a stop that was asked for.
func runServe(ctx context.Context, s config.Settings, log zerolog.Logger, r *reloader, ring *console.LogRing) error {
	heard := listenForSignals() // before anything takes time: an unheard SIGHUP ends a process
	defer heard.stop()
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	sd := systemd.Open()
	lock, err := standby(ctx, s, sd, log)
	if err != nil || lock == nil {
		return err
	}
	defer lock.release()
	feed := console.NewFeed(0, time.Now().UnixMicro()) // grows over restarts, so that a follower keeps its place
	p, err := prepare(s, loggedFeed{feed, log}, log)
	if err != nil {
		return err
	}
	defer func() { _ = p.db.Close() }() // everything committed is durable already
	if !s.Shadow {                      // that one makes no tables, and a table it cannot read it says with its status
		if err := firstCheck(ctx, p.db, s.CreateSchema, log); err != nil {
			return unlessCalledOff(ctx, err)
		}
	}
	d := &daemon{settings: s, feed: feed, log: log, asked: make(chan string, 1), sd: sd, reloader: r, signals: heard, logs: ring}
	return d.run(ctx, p)
}

// unlessCalledOff is err, but for a start that a signal interrupted: whatever it did not finish then is no fault.
func unlessCalledOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // see above
	}
	return err
}

// standby takes the lock of the state directory, and waits for it while another daemon has it. nil, nil: it was not to
// wait.
func standby(ctx context.Context, s config.Settings, sd *systemd.Notifier, log zerolog.Logger) (*dirLock, error) {
	if s.NoWait {
		l, err := lockDir(s.StateDir)
		if errors.Is(err, errLocked) {
			log.Info().Str("reason", err.Error()).Msg("another daemon runs: not waiting")
			return nil, nil
		}
		return l, err
	}
	l, err := waitLock(ctx, s.StateDir, func(err error) {
		log.Warn().Str("reason", err.Error()).Msg("standby: waiting until the other daemon ends")
	}, func() { _ = sd.Extend(startWithin, "standby: waiting until the other daemon ends") }) // said again soon
	return l, unlessCalledOff(ctx, err)
}

// daemon is the running process around a node.
type daemon struct {
	settings config.Settings
	feed     *console.Feed
	log      zerolog.Logger
	asked    chan string // why we were asked to stop
	sd       *systemd.Notifier
	reloader *reloader // nil: there is no configuration to read again, as in the demo
	signals  *signals
	logs     *console.LogRing // nil: none are kept
	wipe     atomic.Bool      // DECNET destroyed itself here: so do we
}

func (d *daemon) run(ctx context.Context, p parts) error {
	p.keep = openKeeper(d.settings.StateDir, d.log)
	defer p.keep.close()
	p.stop = func(reason string) {
		p.keep.record(messages.AuditEntry{UID: -1, Role: "bus", Via: "bus", Verb: "stop", Target: "daemon", Reason: reason, Result: "done"}, d.log)
		select {
		case d.asked <- reason:
		default: // asked already
		}
	}
	p.init = func(ctx context.Context) error { return p.db.Init(ctx, d.settings.CreateSchema) }
	n, err := assemble(p)
	if err != nil {
		return err
	}
	n.thrift()
	if d.reloader != nil {
		d.reloadable(n)
		d.obey(n)
	}
	if err := d.servers(ctx, n); err != nil {
		return errors.Join(unlessCalledOff(ctx, err), d.end(n))
	}
	n.watchLoops()
	n.firstPass()
	n.notify(d.sd, d.log, p.reads)
	d.log.Info().Str("version", version).Str("host", p.hostUUID).Str("state_file", d.settings.StateFile).
		Str("database", p.db.Where()).Str("control", d.settings.ControlSocket).Bool("shadow", d.settings.Shadow).Msg("decnet-fleetd started")
	return errors.Join(d.wait(ctx, n), d.end(n))
}

func (d *daemon) wait(ctx context.Context, n *node) error {
	select {
	case <-ctx.Done():
		d.log.Info().Msg("stopping: signal")
	case why := <-d.asked:
		d.log.Info().Str("reason", why).Msg("stopping: asked over the bus")
	case err := <-n.sys.Fatal():
		return withExit(exitGaveUp, fmt.Errorf("actors crash faster than they can be restarted: %w", err))
	}
	return nil
}

func (d *daemon) end(n *node) error {
	if err := d.sd.Stopping(); err != nil {
		d.log.Warn().Err(err).Msg("the service manager was not told of the stop")
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	bye, said := context.WithTimeout(ctx, stopWithin/4)
	n.cluster.link.leave(bye) // so that nobody is alarmed
	said()
	if err := n.sys.Shutdown(ctx); err != nil {
		d.log.Warn().Err(err).Msg("not every actor stopped in time")
	}
	last, done := context.WithTimeout(context.Background(), stopWithin/4)
	defer done()
	n.lease.giveUp(last)
	if d.wipe.Load() {
		wipeState(d.settings.StateDir, d.log)
	}
	d.log.Info().Msg("decnet-fleetd stopped")
	return nil
}

// broker makes the bus itself where the settings say so. Its socket must be there before the first link looks for it.
func (d *daemon) broker(ctx context.Context) (serves, error) {
	if d.settings.Bus != config.BusEmbedded || d.settings.Shadow {
		return nil, nil
	}
	srv, err := bus.Listen(ctx, bus.ServerConfig{Path: d.settings.BusSocket, Group: "decnet", Now: time.Now, Log: d.log})
	if err != nil {
		return nil, configFault(err)
	}
	return srv.Serve, nil
}

// joinCluster makes the hub's server, or the worker's link.
func (d *daemon) joinCluster(ctx context.Context, n *node, control *console.Server) error {
	switch d.settings.Role {
	case config.RoleWorker:
		return d.joinHub(n, control.Proxied(fabric.AskerOf))
	case config.RoleHub:
		hub, err := d.openHub(ctx, n)
		if err != nil {
			return err
		}
		n.serve("swarm", hub)
	case config.RoleSolo:
	}
	return nil
}

// servers run in actors of their own: a panic in a handler restarts the one, not the daemon.
func (d *daemon) servers(ctx context.Context, n *node) error {
	faces, err := pages(backend{n}, d.feed, d.settings.HostUUID, d.settings.Role == config.RoleHub, d.log)
	if err != nil {
		return err
	}
	control, err := console.Listen(ctx, console.Config{Path: d.settings.ControlSocket, Group: "decnet", Version: version, Backend: backend{n}, Feed: d.feed, Now: time.Now,
		Node: d.settings.HostUUID, Log: d.log, Metrics: n.metrics.Handler(), Pages: faces,
		Access: access(d.settings.Admins, d.log), UserName: userNames(), Audit: n.keep.auditor(), Taps: tapper{n.sys}, Logs: d.logs, AskMember: d.memberAsker(n), Remote: remoteOf(d.settings)})
	if err != nil {
		return configFault(err)
	}
	broker, err := d.broker(ctx)
	if err != nil {
		return err
	}
	if err := d.joinCluster(ctx, n, control); err != nil {
		_ = control.Close() // nobody has connected
		return err
	}
	n.serve("control", control.Serve)
	d.remote(n, control)
	if broker != nil {
		n.serve("bus", broker)
	}
	return nil
}
