package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) inspectVerb() *cobra.Command {
	var raw bool
	var most int
	c := &cobra.Command{
		Use:   "inspect name",
		Short: "Say why a decky is as it is",
		Long: "Show what file, table and Docker say of a decky, as last seen, how old that is, what follows from it and why, what is held and until\n" +
			"when, its last decisions, transitions and crashes. The decky's actor is not asked: the answer also comes where it is stuck.",
		Example:     "  decnet-fleetd inspect decky-01\n  decnet-fleetd inspect decky-01 --json | jq .decisions",
		Args:        cobra.ExactArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			id, err := whoseDecky(ctx, client, args[0])
			if err != nil {
				return err
			}
			i, err := client.Inspect(ctx, id, most)
			if err != nil {
				return err
			}
			if raw {
				a.json = true
			}
			return a.showInspection(i)
		}),
		ValidArgsFunction: a.completing(deckyWords, 1),
	}
	c.Flags().BoolVar(&raw, "raw", false, "the whole document, same as --json")
	c.Flags().IntVar(&most, "decisions", 0, "how many decisions (default 8)")
	return c
}

func (a *app) showInspection(i console.InspectionReply) error {
	if f := a.format(); f != "table" && f != "wide" {
		return a.show(listing{doc: i, items: []any{i}, names: []string{i.Decky.Name}})
	}
	var b bytes.Buffer
	a.identity(&b, i)
	a.section(&b, "Sources", []string{"SOURCE", "SAYS", "AGE", "EPOCH", "SEQ", "DETAIL"}, a.factRows(i.Facts))
	a.section(&b, "Mailbox", []string{"ACTOR", "STATE", "MBOX", "HWM", "OLDEST", "IN HANDLER", "IN", "DONE", "LOST", "DROPPED", "CRASHES", "RESTARTS"}, [][]string{mailboxRow(i.Actor)})
	a.section(&b, "Decisions", []string{"TIME", "TIMES", "REASON", "STATE", "ACTION", "CAUSE", "HELD", "CHANGED"}, a.decisionRows(i.Decisions))
	var events, crashes, handled [][]string
	for _, e := range i.Timeline {
		events = append(events, eventCells(a.when(e.At), e))
	}
	a.section(&b, "Timeline", []string{"TIME", "SEQ", "TYPE", "TARGET", "FROM", "TO", "CAUSE"}, events)
	for _, c := range i.Crashes[:min(len(i.Crashes), 10)] {
		crashes = append(crashes, a.crashCells(c))
	}
	a.section(&b, "Crashes", crashHead, crashes)
	for _, m := range i.Messages {
		handled = append(handled, []string{a.when(m.At), m.Type})
	}
	a.section(&b, "Messages", []string{"TIME", "TYPE"}, handled)
	return a.print(b.Bytes())
}

func (a *app) identity(b *bytes.Buffer, i console.InspectionReply) {
	d := i.Decky
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%-9s %s\n", key, value)
		}
	}
	d.Paused = false // a line of its own tells that
	state := shownState(d)
	line("Decky", escape(d.Name))
	line("State", a.paint(escape(state), true)+"  "+escape(d.Phase)+": "+escape(d.Reason))
	line("Host", escape(d.HostUUID)+"  "+escape(cmp.Or(d.IP, "no address"))+fmt.Sprintf("  services %d/%d up  rev %d", d.Up, len(d.Expected), d.Rev))
	if h := d.Held; h != nil {
		line("Held", escape(heldText(a, *h)))
	}
	if p := i.Paused; p != nil {
		line("Paused", escape(pausedText(a, *p)))
	}
	if i.StaleFor > 0 {
		line("Stuck", "its actor has been in one handler for "+span(i.StaleFor)+": what is shown is that old")
	}
}

func heldText(a *app, h messages.Held) string {
	text := h.What + ": " + h.Why
	switch {
	case h.Hash != "":
		text += "; approve " + h.Hash + " releases it"
	case h.Until.IsZero():
	case a.outTTY:
		text += ", for another " + ago(time.Until(h.Until.Time))
	default:
		text += ", until " + a.when(h.Until)
	}
	return text
}

func pausedText(a *app, p messages.Pause) string {
	text := "since " + a.when(p.Since)
	if a.outTTY {
		text = "for " + a.when(p.Since)
	}
	if p.Target == messages.PauseHost {
		text = "the whole host, " + text
	}
	text += " by " + p.By
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

func (a *app) section(b *bytes.Buffer, title string, head []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	all := [][]string{head}
	for _, r := range rows {
		cells := make([]string, len(r))
		for i, c := range r {
			cells[i] = escape(c)
		}
		all = append(all, cells)
	}
	var t bytes.Buffer
	a.align(&t, all)
	for line := range strings.SplitSeq(strings.TrimSuffix(t.String(), "\n"), "\n") {
		fmt.Fprintf(b, "  %s\n", line)
	}
}

func (a *app) factRows(facts []messages.FactSeen) (rows [][]string) {
	for _, f := range facts {
		age := "never"
		if !f.SeenAt.IsZero() {
			age = ago(time.Duration(f.AgeSeconds * float64(time.Second)))
		}
		rows = append(rows, []string{f.Source, f.Presence, age, fmt.Sprint(f.Epoch), fmt.Sprint(f.Seq), orDash(f.Detail)})
	}
	return rows
}

func mailboxRow(x messages.ActorStatus) []string {
	state := x.State
	if x.Stuck {
		state = "stuck"
	}
	return []string{orDash(x.PID), orDash(state), number(x.Mailbox), number(x.HighWater), span(x.OldestSeconds), span(x.InHandlerSeconds), number(x.In),
		number(x.Done), number(x.Lost), number(x.Dropped), number(x.Crashes), number(x.Restarts)}
}

func (a *app) decisionRows(all []messages.Decision) (rows [][]string) {
	for _, d := range all {
		rows = append(rows, []string{a.when(d.At), number(d.Times), d.Reason, orDash(d.State), orDash(d.Action), orDash(d.Cause), orDash(d.Held.Text()), orDash(strings.Join(d.Changed, " "))})
	}
	return rows
}
