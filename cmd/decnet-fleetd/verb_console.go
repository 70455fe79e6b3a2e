package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/adapters/console/tui"
	"github.com/decnet/decnet-fleetd/messages"
)

// consoleOptions are the flags of console.
type consoleOptions struct {
	once   bool
	ascii  bool
	screen string
	width  int
	height int
	web    bool
	listen string
}

func (a *app) consoleVerb() *cobra.Command {
	var o consoleOptions
	c := &cobra.Command{
		Use:   "console",
		Short: "Look into the running daemon in a terminal",
		Long: "Open the console: deckies, actors, events, crashes, dead letters, the runtime, the audit and the cluster, live. ? lists the keys. A daemon that is\n" +
			"restarted is found again. --once prints one screen and ends; where stdout is no terminal, or TERM is dumb, that is what happens.\n\n" +
			"--web shows it in a browser on this machine: it prints a link that lets one browser in, once, within a minute, and passes the\n" +
			"browser's requests to the daemon as you. From elsewhere, forward the socket instead:\n" +
			"ssh -L 8844:/run/decnet-fleetd/control.sock HOST, and open http://localhost:8844.",
		Example:     "  decnet-fleetd console\n  decnet-fleetd console --screen actors\n  decnet-fleetd console --once --ascii --width 100\n  decnet-fleetd console --web",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, _ []string) error {
			if o.web {
				return a.consoleWeb(c.Context(), o.listen)
			}
			return a.console(c.Context(), o)
		},
	}
	f := c.Flags()
	f.BoolVar(&o.once, "once", false, "print one screen and end")
	f.BoolVar(&o.ascii, "ascii", false, "no characters beyond ASCII")
	f.StringVar(&o.screen, "screen", "deckies", "the first screen: deckies, actors, events, crashes, deadletters, runtime, audit or cluster")
	f.IntVar(&o.width, "width", 0, "columns of --once (default those of the terminal, or 120)")
	f.IntVar(&o.height, "height", 0, "lines of --once (default those of the terminal, or 40)")
	f.BoolVar(&o.web, "web", false, "show it in a browser on this machine")
	f.StringVar(&o.listen, "listen", "127.0.0.1:0", "loopback address and port of --web; port 0 is a free one")
	return c
}

func (a *app) console(ctx context.Context, o consoleOptions) error {
	if !tui.Known(tui.Screen(o.screen)) {
		return usage(fmt.Errorf("--screen is %q", o.screen), "it is deckies, actors, events, crashes, deadletters, runtime, audit or cluster")
	}
	client, err := a.client()
	if err != nil {
		return err
	}
	defer client.Close()
	client.Via("tui")
	dumb := os.Getenv("TERM") == "dumb"
	cfg := tui.Config{Daemon: consoleDaemon{client}, Escape: escape, Now: time.Now, Screen: tui.Screen(o.screen), ASCII: o.ascii || dumb, Plain: !a.colour(), Filter: consoleFilter}
	if o.once || !a.outTTY || dumb {
		width, height := frameSize(o)
		text, err := tui.Once(ctx, cfg, width, height)
		if err != nil {
			return err
		}
		return a.print([]byte(text))
	}
	if _, err := client.Status(ctx); err != nil { // said on a plain line rather than on an empty screen
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, err = tea.NewProgram(tui.New(ctx, cfg), tea.WithContext(ctx)).Run()
	if errors.Is(err, tea.ErrInterrupted) || errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// consoleFilter is the one language of filters.
func consoleFilter(text string, sample any) (func(item any) bool, error) {
	f, err := console.ParseFilter(text)
	if err == nil {
		err = f.Suits(sample)
	}
	return f.Match, err
}

// frameSize is what was asked for, else the terminal's, else a size that shows most columns.
func frameSize(o consoleOptions) (width, height int) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width, height = 120, 40
	}
	if o.width > 0 {
		width = o.width
	}
	if o.height > 0 {
		height = o.height
	}
	return max(20, width), max(8, height)
}

// consoleDaemon answers the console's questions over the control socket.
type consoleDaemon struct{ c *console.Client }

// Status asks for the status.
func (d consoleDaemon) Status(ctx context.Context) (messages.Status, error) {
	s, err := d.c.Status(ctx)
	return s.Status, err
}

// Deckies asks for all deckies.
func (d consoleDaemon) Deckies(ctx context.Context) ([]messages.DeckyStatus, error) {
	list, err := d.c.Deckies(ctx, "")
	return list.Items, err
}

// Table asks for the rows of a screen.
func (d consoleDaemon) Table(ctx context.Context, what tui.Screen) (any, error) {
	switch what {
	case tui.Actors:
		l, err := d.c.Actors(ctx, console.Selection{})
		return l.Items, offered(err)
	case tui.Crashes:
		l, err := d.c.Crashes(ctx, "", console.Selection{})
		return l.Items, offered(err)
	case tui.DeadLetters:
		l, err := d.c.DeadLetters(ctx, "", console.Selection{})
		return l.Items, offered(err)
	case tui.Audit:
		l, err := d.c.Audit(ctx, console.Selection{})
		return l.Items, offered(err)
	case tui.Cluster:
		l, err := d.c.Members(ctx, console.Selection{})
		return l.Items, offered(err)
	case tui.Deckies, tui.Events, tui.Runtime, tui.Detail, tui.Help:
	}
	return nil, tui.ErrNotOffered
}

// offered tells a daemon that does not know a path from one that refuses.
func offered(err error) error {
	var e *console.Error
	if errors.As(err, &e) && e.Code == console.NotFound {
		return tui.ErrNotOffered
	}
	return err
}

// shownDecisions is how many conclusions of a decky are shown. Chosen: as many as the daemon always keeps.
const shownDecisions = 8

// Inspect asks why a decky is as it is.
func (d consoleDaemon) Inspect(ctx context.Context, of messages.DeckyStatus) (messages.Inspection, error) {
	r, err := d.c.Inspect(ctx, of.HostUUID+":"+of.Name, shownDecisions)
	return r.Inspection, offered(err)
}

// Follow hands over events.
func (d consoleDaemon) Follow(ctx context.Context, since int64, on func(e messages.Event, gap bool)) error {
	q := console.Query{Since: max(since, 0)}
	first := since < 0
	return d.c.Stream(ctx, q, func(i console.Item) error {
		gap := i.Reset.Kind != "" && !first // that the oldest are gone when one begins is no news
		first = false
		on(i.Event, gap)
		return nil
	})
}

// Act carries out a control verb.
func (d consoleDaemon) Act(ctx context.Context, verb string, targets []string, reason string) ([]messages.ActionResult, error) {
	switch verb {
	case "drain", "undrain", "forget":
		return d.onHosts(ctx, verb, targets, reason)
	}
	r, err := d.c.Act(ctx, verb, console.ActionRequest{Targets: targets, Reason: reason})
	return r.Items, offered(err)
}

// onHosts orders something of whole hosts, one after the other.
func (d consoleDaemon) onHosts(ctx context.Context, verb string, hosts []string, reason string) ([]messages.ActionResult, error) {
	var all []messages.ActionResult
	want := console.ClusterRequest{Reason: reason}
	for _, host := range hosts {
		if verb == "forget" {
			r, err := d.c.Forget(ctx, host, want)
			if err != nil {
				return all, err
			}
			all = append(all, messages.ActionResult{Name: host, Result: actDone, Detail: fmt.Sprintf("%d deckies", len(r.Deckies))})
			continue
		}
		r, err := d.c.Drain(ctx, host, verb == "undrain", want)
		if err != nil {
			return all, err
		}
		all = append(all, r.Items...)
	}
	return all, nil
}

// At asks another host of the cluster.
func (d consoleDaemon) At(host string) tui.Daemon { return consoleDaemon{d.c.Of(host)} }
