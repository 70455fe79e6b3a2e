package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) reconcileVerb() *cobra.Command {
	var once, dryRun, detailed bool
	c := &cobra.Command{
		Use:   "reconcile --once",
		Short: "Make one pass and say what it did",
		Long: "Read state file, table and containers once, make the table true, wait until the bus has what was announced, and end. A source that\n" +
			"does not answer within 5 s counts as unknown, and nothing is decided about what it would have said. Where a daemon owns the state\n" +
			"directory, it is asked to make the pass.\n\n" +
			"The first line of the output is the counts. With --dry-run nothing is written and the changes that are due follow as a table.\n\n" +
			"Exit codes: 0 done; 1 the state file is invalid or the database fails; 6, with --detailed-exitcode, something was to do or is held.",
		Example: "  decnet-fleetd reconcile --once\n  decnet-fleetd reconcile --once --dry-run -o wide\n" +
			"  decnet-fleetd reconcile --once --dry-run --detailed-exitcode || echo drift",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			if !once {
				return usage(errors.New("reconcile makes one pass: it needs --once"), "decnet-fleetd serve is the daemon that goes on")
			}
			report, err := a.reconcile(c.Context(), onceOptions{DryRun: dryRun})
			if err != nil {
				return err
			}
			return a.showPass(report, detailed)
		},
	}
	c.Flags().BoolVar(&once, "once", false, "make one pass and end (required)")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "write nothing, show what would change")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 6 where something was to do or is held")
	return c
}

// reconcile makes a pass here, or has the daemon make it that owns the state directory.
func (a *app) reconcile(ctx context.Context, o onceOptions) (messages.PassReport, error) {
	s, origins, err := a.settings(false)
	if err != nil {
		return messages.PassReport{}, err
	}
	quietLog(&s, origins)
	log, err := a.logger(s, false)
	if err != nil {
		return messages.PassReport{}, err
	}
	report, err := runOnce(ctx, s, o, log)
	if !errors.Is(err, errLocked) {
		return report, err
	}
	client := console.NewClient(s.ControlSocket, a.timeout)
	defer client.Close()
	report, asked := client.Reconcile(ctx, o.DryRun)
	if asked != nil && explain(ctx, asked).exit == exitUnreachable {
		return report, &failure{
			exit: exitUnreachable, code: exitWords[exitUnreachable], err: fmt.Errorf("%w; and %w", err, asked),
			hint: "name the control socket of that process with --control-socket, or wait until it has started or ended",
		}
	}
	return report, asked
}

// quietLog keeps a verb that a person runs from chatting, unless somebody chose a level.
func quietLog(s *config.Settings, origins []config.Origin) {
	for _, o := range origins {
		if o.Key == "log-level" && o.Source == "default" {
			s.LogLevel = "error" // what matters of the warnings is in the report
		}
	}
}

// showPass prints a report. The first line is DECNET's own, which scripts read.
func (a *app) showPass(r messages.PassReport, detailed bool) error {
	l := passListing(r)
	if f := a.format(); f == "table" || f == "wide" {
		line := fmt.Sprintf("reconcile: inserted=%d deleted=%d state_updated=%d\n", r.Inserted, r.Deleted, r.StateUpdated)
		if err := a.print([]byte(line)); err != nil {
			return err
		}
	}
	if a.format() != "table" && a.format() != "wide" || len(l.rows) > 0 {
		if err := a.show(l); err != nil {
			return err
		}
	}
	a.warnPass(r)
	switch {
	case r.FileInvalid:
		return withExit(exitError, errors.New("the state file is invalid: nothing was decided"))
	case r.DatabaseDown:
		return withExit(exitError, errors.New("the database fails: the pass is not complete"))
	case r.NotOwner:
		return withExit(exitRefused, errors.New("another process owns this host's rows: nothing was written"))
	case r.Late:
		return withExit(exitTimeout, errors.New("the pass did not end in time"))
	case detailed && (r.Inserted+r.Deleted+r.StateUpdated+r.Changed+len(r.Plan)+len(r.Held) > 0):
		return findings()
	}
	return nil
}

func passListing(r messages.PassReport) listing {
	l := listing{
		head: []string{"NAME", "ACTION", "JSON", "DB", "DOCKER", "REASON", "FROM", "TO"}, wide: 2,
		doc: console.PassReply{Envelope: console.Envelope{API: console.API, Kind: "reconcile"}, PassReport: console.Whole(r)},
	}
	for _, p := range r.Plan {
		l.rows = append(l.rows, []string{p.Name, p.Action, p.Declared, p.Recorded, p.Observed, p.Reason, orDash(p.From), orDash(p.To)})
		l.names, l.items = append(l.names, p.Name), append(l.items, p)
	}
	if !r.DryRun {
		return l // what is held is a warning then
	}
	for _, h := range r.Held {
		l.rows = append(l.rows, []string{h.Name, "held " + h.What, "-", "-", "-", h.Why, "-", "-"})
	}
	return l
}

func (a *app) warnPass(r messages.PassReport) {
	for _, f := range r.Faults {
		a.warn(f.Error())
	}
	if !r.DryRun {
		for _, h := range groupHeld(r.Held) {
			a.warn(h.line())
		}
	}
	if r.Unpublished > 0 {
		a.warn(fmt.Sprintf("%d events are not acknowledged by the bus yet; they stay in the outbox for whoever publishes next", r.Unpublished))
	}
}
