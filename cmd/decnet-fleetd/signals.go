package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// signals hears what is sent to the process. Each kind has room for one: a hundred at once are one wish. SIGTERM and
// SIGINT are heard where the process begins, SIGQUIT is Go's own.
type signals struct{ reload, dump, debug chan os.Signal }

// listenForSignals begins to hear. A reader that goes away, SIGPIPE, is an error of the write, never the end.
func listenForSignals() *signals {
	s := &signals{make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan os.Signal, 1)}
	signal.Notify(s.reload, syscall.SIGHUP)
	signal.Notify(s.dump, syscall.SIGUSR1)
	signal.Notify(s.debug, syscall.SIGUSR2)
	signal.Ignore(syscall.SIGPIPE)
	return s
}

func (s *signals) stop() {
	for _, c := range []chan os.Signal{s.reload, s.dump, s.debug} {
		signal.Stop(c)
	}
}

// debugFor is how long SIGUSR2 lasts. Source: the conventions of the daemon; long enough to see something happen twice.
const debugFor = 10 * time.Minute

// sweepEvery is how often suppressed log lines are told of at the latest.
const sweepEvery = 10 * time.Second

// obey starts the actor that does what signals ask for. A panic in it restarts it, and the next signal is heard again.
func (d *daemon) obey(n *node) {
	n.sys.Spawn(supervise.Spec{Kind: "signals", ID: "signals", New: func() supervise.Receiver { return &obedient{d: d, n: n} }})
}

// obedient is that actor.
type obedient struct {
	d       *daemon
	n       *node
	undebug func()
}

// heardSignal is one signal.
type heardSignal struct{ which os.Signal }

// Receive handles one message.
func (o *obedient) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		c.Go("signals", func(ctx context.Context) { o.d.signals.each(ctx, func(s os.Signal) { c.After(0, heardSignal{s}) }) })
		c.After(sweepEvery, messages.Tick{Name: "sweep"})
	case heardSignal:
		o.heard(c, m.which)
	case messages.Tick:
		o.tick(c, m)
	}
}

// each hands every signal over until the context ends.
func (s *signals) each(ctx context.Context, take func(os.Signal)) {
	for {
		select {
		case <-ctx.Done():
			return
		case which := <-s.reload:
			take(which)
		case which := <-s.dump:
			take(which)
		case which := <-s.debug:
			take(which)
		}
	}
}

func (o *obedient) tick(c *supervise.Ctx, m messages.Tick) {
	if m.Name == "debug is over" {
		o.debug(c, false)
		return
	}
	o.d.reloader.logs.limiter.sweep()
	c.After(sweepEvery, messages.Tick{Name: "sweep"})
}

func (o *obedient) heard(c *supervise.Ctx, which os.Signal) {
	switch which {
	case syscall.SIGHUP:
		c.Go("reload", func(ctx context.Context) { o.d.hangup(ctx, o.n) })
	case syscall.SIGUSR1:
		c.Go("dump", func(ctx context.Context) { o.d.dump(ctx, o.n) })
	case syscall.SIGUSR2:
		o.debug(c, o.undebug == nil)
	}
}

// debug turns it on for a while, or off.
func (o *obedient) debug(c *supervise.Ctx, on bool) {
	if o.undebug != nil {
		o.undebug()
		o.undebug = nil
	}
	if on {
		o.undebug = c.After(debugFor, messages.Tick{Name: "debug is over"})
	}
	if o.d.reloader.setDebug(on) {
		c.Log().Info().Bool("debug", on).Msg("level of the log changed")
	}
}

// reloadable lets the control socket and SIGHUP reload this node.
func (d *daemon) reloadable(n *node) {
	d.reloader.every = func(every time.Duration) {
		n.interval.Store(int64(every))
		n.fleet.Tell(messages.AuditEvery{Every: every}) // one whose mailbox is full has it from its next start
	}
	n.settings = d.reloader.inForce
	n.reload = func() messages.ReloadReport {
		r := d.reloader.reload()
		if err := n.cluster.link.join(); err != nil { // of a worker that left
			d.log.Error().Err(err).Msg("the cluster cannot be joined again")
		}
		if len(r.Rejected) > 0 {
			d.log.Error().Errs("faults", faults(r.Rejected)).Msg(messageNotLoaded)
			return r
		}
		d.log.Info().Strs("changed", changes(r.Changed)).Strs("after_a_restart", changes(r.Restart)).Msg(messageReloaded)
		return r
	}
}

func faults(list []messages.Fault) []error {
	out := make([]error, 0, len(list))
	for _, f := range list {
		out = append(out, f)
	}
	return out
}

// statusWait is how long the status may take that goes with a READY=1. Chosen: the reload is over in any case.
const statusWait = 2 * time.Second

// hangup reloads because of SIGHUP: nobody waits for the answer but the service manager. Before the first READY=1 it is
// not told: a RELOADING=1 would end the start.
func (d *daemon) hangup(ctx context.Context, n *node) {
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	a, err := n.view.Ask(ctx, messages.GetStatus{})
	s, known := a.(messages.Status)
	tells := err == nil && known && isReady(s)
	if tells {
		err = d.sd.Reloading()
	}
	n.reload()
	if tells && err == nil {
		err = d.sd.Ready(unitStatus(s))
	}
	if err != nil {
		d.log.Warn().Err(err).Msg("the service manager was not told of the reload")
	}
}
