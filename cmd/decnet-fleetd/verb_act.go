package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// control is one control verb.
type control struct {
	verb, short, long string
	host              bool // knows "*"
	actors            bool // knows actors
	harmless          bool // needs no confirmation
}

var controls = []control{
	{"resync", "Read every source again and decide anew", "Have file, table and Docker read again, and deckies decide anew from everything known. It changes nothing by itself.", true, false, true},
	{"restart", "Restart the actors of deckies", "End an actor's incarnation and begin the next: it forgets everything and is told it again. It counts as a crash.", false, true, false},
	{"pause", "Stop writing the rows of deckies", "Observe deckies as ever, but write and announce nothing about them until they are resumed. It survives a restart of the daemon, and warns after a day.", true, false, false},
	{"resume", "Write the rows of deckies again", "End a pause. What was held meanwhile is decided anew from what is there now.", true, false, false},
	{"quarantine", "Take the actors of deckies out of service", "End an actor's incarnation and refuse its messages until it is released. The decky's row stays and says so in last_error. It does not survive a restart of the daemon: pause does.", false, true, false},
	{"release", "Take actors out of quarantine", "Begin the next incarnation of an actor that is in quarantine, with a clean history.", false, true, false},
	{"kill", "Abandon the actors of deckies at once", "Abandon an actor whatever its handler does, and replace it, as is done with one that hangs. For drills; it needs the role admin.", false, true, false},
}

// actOptions are the flags of a control verb.
type actOptions struct {
	filter, reason      string
	dryRun, yes, actors bool
	wait                time.Duration
}

func (a *app) controlVerb(x control) *cobra.Command {
	var o actOptions
	host, example := "", "  decnet-fleetd "+x.verb+" decky-01 --reason 'ticket 4711'\n  decnet-fleetd "+x.verb+" --filter 'state:degraded' --dry-run"
	if x.host {
		host = " '*' is the host as a whole."
		example += "\n  decnet-fleetd " + x.verb + " '*' --yes"
	}
	if x.actors {
		host = " With --actors the names are those of actors, kind/id."
		example += "\n  decnet-fleetd " + x.verb + " --actors publisher/publisher --yes"
	}
	c := &cobra.Command{
		Use:   x.verb + " name...",
		Short: x.short,
		Long: x.long + host + "\n\nIt is asked for on a terminal; elsewhere it needs --yes. The audit keeps who did it and why. The exit code is 5 where a name is\n" +
			"unknown, 8 where something was refused, 7 where --wait was too short." + filterHelp,
		Example: example, Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			return a.act(ctx, client, x, o, args)
		}),
		ValidArgsFunction: a.completing(func(ctx context.Context, client *console.Client, part string) []string {
			if o.actors {
				return actorWords(ctx, client, part)
			}
			return deckyWords(ctx, client, part)
		}, 0),
	}
	f := c.Flags()
	f.StringVar(&o.filter, "filter", "", "those this selects, instead of names")
	f.StringVar(&o.reason, "reason", "", "why, for the audit")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.DurationVar(&o.wait, "wait", 0, "wait until it is done, at most so long (default 30s where no time is given)")
	f.Lookup("wait").NoOptDefVal = "30s"
	if x.actors {
		f.BoolVar(&o.actors, "actors", false, "the names are those of actors")
	}
	return c
}

func (a *app) act(ctx context.Context, client *console.Client, x control, o actOptions, names []string) error {
	if (len(names) == 0) == (o.filter == "") {
		return usage(errors.New(x.verb+" needs names or --filter, and not both"), "decnet-fleetd "+x.verb+" --help shows examples")
	}
	if o.wait > time.Minute || o.wait < 0 {
		return usage(fmt.Errorf("--wait is %v", o.wait), "it is at most 1m")
	}
	want := console.ActionRequest{Targets: names, Filter: o.filter, Actors: o.actors, Reason: o.reason, DryRun: true, Wait: console.Wait(o.wait)}
	if !o.dryRun && !o.yes && !x.harmless {
		if err := a.confirmAct(ctx, client, x.verb, want); err != nil {
			return err
		}
	}
	want.DryRun = o.dryRun
	reply, err := client.Act(ctx, x.verb, want)
	if err != nil {
		return err
	}
	if err := a.show(actListing(reply)); err != nil {
		return err
	}
	return actExit(reply.Items)
}

// confirmAct asks the person at the terminal, after it was said what would be done.
func (a *app) confirmAct(ctx context.Context, client *console.Client, verb string, want console.ActionRequest) error {
	if !a.inTTY {
		return usage(errors.New(verb+" changes something, and nobody can be asked"), "add --yes, or see what it would do with --dry-run")
	}
	plan, err := client.Act(ctx, verb, want)
	if err != nil {
		return err
	}
	n := 0
	for _, x := range plan.Items {
		if x.Result == actWouldBe {
			n++
		}
	}
	word := "y"
	if len(want.Targets) == 1 && want.Targets[0] == messages.PauseHost {
		word = "all"
		fmt.Fprintf(a.err, "%s the whole host? Type all: ", verb)
	} else {
		fmt.Fprintf(a.err, "%s %s? [y/N] ", verb, escape(targetsText(plan.Items, n)))
	}
	line, err := bufio.NewReader(io.LimitReader(a.in, 64)).ReadString('\n')
	if answer := strings.TrimSpace(line); err != nil || !strings.EqualFold(answer, word) {
		return withExit(exitRefused, errors.New("not confirmed: nothing was done"))
	}
	return nil
}

func targetsText(items []messages.ActionResult, n int) string {
	if n == 1 {
		for _, x := range items {
			if x.Result == actWouldBe {
				return x.Name
			}
		}
	}
	return fmt.Sprintf("%d of %d", n, len(items))
}

func actListing(r console.ActionReply) listing {
	l := listing{head: []string{"NAME", "BEFORE", "AFTER", "RESULT", "DETAIL"}, doc: r}
	for _, x := range r.Items {
		l.rows = append(l.rows, []string{x.Name, orDash(x.Before), orDash(x.After), x.Result, x.Detail})
		l.names, l.items = append(l.names, x.Name), append(l.items, x)
	}
	return l
}

// actExit is the worst that became of a target: refused before not found before timed out.
func actExit(items []messages.ActionResult) error {
	worst := exitOK
	for _, x := range items {
		switch {
		case x.Result == actRefused:
			worst = exitRefused
		case x.Result == actNotFound && worst != exitRefused:
			worst = exitNotFound
		case x.Result == actTimedOut && worst == exitOK:
			worst = exitTimeout
		}
	}
	if worst == exitOK {
		return nil
	}
	return &failure{exit: worst, code: exitWords[worst]}
}

// addConsole adds the verbs of the console.
func (a *app) addConsole(root *cobra.Command) {
	root.AddCommand(a.inspectVerb(), a.actorsVerb(), a.topVerb(), a.crashesVerb(), a.deadLettersVerb(), a.tapVerb(), a.logsVerb(), a.auditVerb(),
		a.pprofVerb(), a.debugVerb(), a.clusterVerb())
	for _, x := range controls {
		root.AddCommand(a.controlVerb(x))
	}
}
