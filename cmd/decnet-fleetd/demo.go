package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// demoOptions says what the demo shows.
type demoOptions struct {
	Deckies int  // how many; 0 means 25
	Docker  bool // real containers where an engine answers
	Host    string
	Out     io.Writer
	Logs    *console.LogRing // the last lines of log, for the console
}

// runDemo runs a whole host in a directory of its own and takes everything away again at the end.
func runDemo(ctx context.Context, o demoOptions, log zerolog.Logger) (err error) {
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP) // a closed terminal cleans up too
	defer cancel()
	// So does a closed pipe, but that of our own output only: the signal also comes when a browser leaves.
	signal.Ignore(syscall.SIGPIPE)
	o.Out = lastWord{o.Out, cancel}
	dir, err := os.MkdirTemp("", "fleetd-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w (set TMPDIR to one you may write to)", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	d := &demo{o: o, dir: dir, deckies: sampleFleet(o.Deckies), log: log}
	stage, err := d.engine(ctx)
	if err != nil {
		return err
	}
	defer stage.end()
	if err := writeSample(filepath.Join(dir, "decnet-state.json"), d.deckies); err != nil {
		return err
	}
	return d.run(ctx, stage)
}

// lastWord ends the demo when nobody can read what it says any more.
type lastWord struct {
	to  io.Writer
	end context.CancelFunc
}

// Write passes on.
func (w lastWord) Write(b []byte) (int, error) {
	n, err := w.to.Write(b)
	if err != nil {
		w.end()
	}
	return n, err
}

// demo is one demonstration.
type demo struct {
	o       demoOptions
	dir     string
	deckies []sampleDecky
	log     zerolog.Logger
}

// settings are those of a host that lives in the demo's directory.
func (d *demo) settings(engine string) config.Settings {
	in := func(name string) string { return filepath.Join(d.dir, name) }
	return config.Settings{InstallDir: in("none"), StateFile: in("decnet-state.json"), Database: "sqlite://" + in("decnet.db"),
		CreateSchema: true, DockerHost: engine, Bus: config.BusEmbedded, BusSocket: in("bus.sock"), HostUUID: messages.LocalHost,
		StateDir: in("state"), ControlSocket: in("control.sock"), Interval: 30 * time.Second}
}

func (d *demo) run(ctx context.Context, stage engineStage) error {
	s := d.settings(stage.host)
	lock, err := lockDir(s.StateDir)
	if err != nil {
		return err
	}
	defer lock.release()
	feed := console.NewFeed(0, 0)
	p, err := prepare(s, feed, d.log)
	if err != nil {
		return err
	}
	defer func() { _ = p.db.Close() }() // the directory goes with it
	if err := firstCheck(ctx, p.db, true, d.log); err != nil {
		return err
	}
	host := &daemon{settings: s, feed: feed, log: d.log, asked: make(chan string, 1), logs: d.o.Logs}
	told := make(chan struct{})
	go func() {
		defer close(told)
		d.tell(ctx, feed, stage, s)
	}()
	err = host.run(ctx, p)
	<-told
	fmt.Fprintln(d.o.Out, "\nThe demo is over; nothing is left behind.")
	return err
}

// tell narrates: the fleet as soon as all of it is recorded, then every transition.
func (d *demo) tell(ctx context.Context, feed *console.Feed, stage engineStage, s config.Settings) {
	follow := feed.Follow(console.Query{Since: 0})
	defer follow.Stop()
	fmt.Fprintf(d.o.Out, "A fleet of %d deckies on %s, with its own SQLite database and bus, in %s\n", len(d.deckies), stage.what, d.dir)
	inserted := map[string]string{}
	for {
		batch, err := follow.Next(ctx)
		if err != nil {
			return
		}
		for _, e := range batch.Events {
			switch {
			case e.Topic == "":
			case len(inserted) < len(d.deckies):
				if inserted[e.Target] = e.To; len(inserted) == len(d.deckies) {
					d.table(inserted)
					d.hints(stage, s)
				}
			default:
				d.transition(e)
			}
		}
	}
}

func (d *demo) table(states map[string]string) {
	fmt.Fprintf(d.o.Out, "\n%-10s %-10s %-13s %s\n", "NAME", "STATE", "IP", "SERVICES")
	for _, x := range d.deckies {
		fmt.Fprintf(d.o.Out, "%-10s %-10s %-13s %v\n", x.Name, states[x.Name], x.IP, x.Services)
	}
}

func (d *demo) hints(stage engineStage, s config.Settings) {
	name := d.deckies[0].Name + "-" + d.deckies[0].Services[0]
	fmt.Fprintf(d.o.Out, "\nNow kill something, from another terminal:\n\n  %s\n", stage.kill(name))
	fmt.Fprintf(d.o.Out, "\nand bring it back:\n\n  %s\n", stage.start(name))
	fmt.Fprintf(d.o.Out, "\nLook around:\n\n  %s status --control-socket %s\n  %s deckies --control-socket %s\n"+
		"  %s console --control-socket %s\n  %s console --web --control-socket %s\n",
		os.Args[0], s.ControlSocket, os.Args[0], s.ControlSocket, os.Args[0], s.ControlSocket, os.Args[0], s.ControlSocket)
	fmt.Fprintf(d.o.Out, "\nOr edit %s. Ctrl-C ends the demo.\n\nTransitions, as the bus has them:\n", s.StateFile)
}

func (d *demo) transition(e messages.Event) {
	var t messages.Transition
	if json.Unmarshal(e.Payload, &t) != nil {
		return // an event of ours always parses; one that did not would be shown nowhere else either
	}
	from := ""
	if t.PreviousState != "" {
		from = t.PreviousState + " → "
	}
	fmt.Fprintf(d.o.Out, "  %s  %-9s %-14s %s%s  (%s, rev %d, %d ms after it happened)\n", time.Now().Format("15:04:05.000"), t.Name,
		t.Transition, from, t.State, t.Cause, t.Rev, time.Since(t.ObservedAt.Time).Milliseconds())
}
