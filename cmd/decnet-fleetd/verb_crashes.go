package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

var crashHead = []string{"ID", "TIME", "ACTOR", "RESTART#", "REASON"}

func (a *app) crashCells(c messages.CrashRecord) []string {
	return []string{strconv.FormatUint(c.ID, 10), a.when(c.At), c.Actor, strconv.FormatUint(uint64(c.Incarnation), 10), oneLine(c.Reason)}
}

func (a *app) crashesVerb() *cobra.Command {
	var s console.Selection
	c := &cobra.Command{
		Use:   "crashes [name]",
		Short: "List the crashes of actors",
		Long: "List crash records, newest first: of this life of the daemon and of earlier ones. A name selects one decky, or one actor by kind/id." +
			filterHelp,
		Example:     "  decnet-fleetd crashes\n  decnet-fleetd crashes decky-01\n  decnet-fleetd crashes show 17",
		Args:        cobra.MaximumNArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			actor := ""
			if len(args) > 0 {
				actor = actorName(args[0])
			}
			list, err := client.Crashes(ctx, actor, s)
			if err != nil {
				return err
			}
			l := listing{head: append(crashHead, "MESSAGE"), wide: 1, doc: list}
			for _, x := range list.Items {
				l.rows = append(l.rows, append(a.crashCells(x), orDash(x.Message)))
				l.names, l.items = append(l.names, strconv.FormatUint(x.ID, 10)), append(l.items, x)
			}
			return a.show(l)
		}),
		ValidArgsFunction: a.completing(deckyWords, 1),
	}
	picking(c.Flags(), &s)
	c.AddCommand(a.crashShowVerb())
	return c
}

// actorName makes a decky's name the name of its actor.
func actorName(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	return "decky/" + name
}

func (a *app) crashShowVerb() *cobra.Command {
	return &cobra.Command{
		Use:         "show id",
		Short:       "Show one crash: stack, message and state before",
		Long:        "Show one crash record whole: why, the stack, the message that was being handled, and the state before.",
		Example:     "  decnet-fleetd crashes show 17",
		Args:        cobra.ExactArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || id == 0 {
				return usage(fmt.Errorf("the id is %q", args[0]), "it is a number; decnet-fleetd crashes lists them")
			}
			c, err := client.Crash(ctx, id)
			if err != nil {
				return err
			}
			if f := a.format(); f != "table" && f != "wide" {
				return a.show(listing{doc: c, items: []any{c}, names: []string{args[0]}})
			}
			var b bytes.Buffer
			for _, x := range [][2]string{{"Crash", args[0]}, {"Time", a.when(c.At)}, {"Actor", c.Actor},
				{"Restart#", strconv.FormatUint(uint64(c.Incarnation), 10)}, {"Reason", oneLine(c.Reason)}, {"Message", c.Message}, {"State", c.State}} {
				fmt.Fprintf(&b, "%-9s %s\n", x[0], orDash(escapeUpTo(x[1], maxLine)))
			}
			if c.Stack != "" {
				fmt.Fprintf(&b, "\n  %s\n", indent(c.Stack))
			}
			return a.print(b.Bytes())
		}),
	}
}

func (a *app) deadLettersVerb() *cobra.Command {
	var s console.Selection
	var group string
	c := &cobra.Command{
		Use:   "deadletters",
		Short: "List the messages nobody took",
		Long: "List messages that were refused because a mailbox was full, or its actor in quarantine or stopped, and those that waited when an actor\n" +
			"was stopped. Senders say everything again in time: dead letters tell where it is tight, not what is lost." + filterHelp,
		Example:     "  decnet-fleetd deadletters\n  decnet-fleetd deadletters --group\n  decnet-fleetd deadletters --group=type",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			list, err := client.DeadLetters(ctx, group, s)
			if err != nil {
				return err
			}
			l := listing{head: []string{"TIME", "TARGET", "TYPE", "WHY", "COUNT"}, doc: list}
			for _, x := range list.Items {
				l.rows = append(l.rows, []string{a.when(x.At), x.Target, x.Type, x.Why, number(x.Count)})
				l.names, l.items = append(l.names, x.Target), append(l.items, x)
			}
			return a.show(l)
		}),
	}
	picking(c.Flags(), &s)
	c.Flags().StringVar(&group, "group", "", "add up what has its target in common; --group=type and --group=why its type or reason")
	c.Flags().Lookup("group").NoOptDefVal = "target"
	return c
}

func (a *app) auditVerb() *cobra.Command {
	s := console.Selection{Limit: 100}
	c := &cobra.Command{
		Use:         "audit",
		Short:       "List who ordered what",
		Long:        "List every request that changes something, carried out or refused, newest first: who asked, from where, why, and what became of it." + filterHelp,
		Example:     "  decnet-fleetd audit\n  decnet-fleetd audit --filter 'verb:kill,quarantine !user:root'",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			list, err := client.Audit(ctx, s)
			if err != nil {
				return err
			}
			l := listing{head: []string{"SEQ", "TIME", "USER", "ROLE", "VIA", "VERB", "TARGET", "RESULT", "REASON", "UID"}, wide: 1, doc: list}
			for _, e := range list.Items {
				l.rows = append(l.rows, []string{number(e.Seq), a.when(e.Time), auditUser(e), e.Role, e.Via, e.Verb, orDash(e.Target), e.Result, orDash(e.Reason), number(e.UID)})
				l.names, l.items = append(l.names, number(e.Seq)), append(l.items, e)
			}
			return a.show(l)
		}),
	}
	picking(c.Flags(), &s)
	return c
}

// auditUser is who it was, and where the user sits if not here.
func auditUser(e messages.AuditEntry) string {
	if e.Node != "" {
		return e.User + "@" + e.Node
	}
	return orDash(e.User)
}
