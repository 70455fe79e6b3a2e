package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) tapVerb() *cobra.Command {
	var want console.TapRequest
	var last time.Duration
	c := &cobra.Command{
		Use:     "tap actor",
		Aliases: []string{"trace"},
		Short:   "Watch the messages an actor handles",
		Long: "Show the messages an actor handles as it handles them, until --count or --for is reached or you interrupt it: type, how long it waited\n" +
			"and took, how it ended, and the head of its contents with secrets masked. The actor is kind/id, the name of a decky, or a pattern with\n" +
			"* or ?. It costs the actor a few microseconds a message while it lasts. --match is a filter on actor, dir, type, size,\n" +
			"waited_seconds, took_seconds, result and summary.",
		Example: "  decnet-fleetd tap decky-01\n  decnet-fleetd tap store/store --match 'type:RowChange' --count 20\n  decnet-fleetd tap 'decky/*' --match 'took_seconds>0.01 result:*' --for 5m -o jsonl",
		Args:    cobra.ExactArgs(1), Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			want.Actor, want.Seconds = actorName(args[0]), last.Seconds()
			return a.tap(ctx, client, want)
		}),
		ValidArgsFunction: a.completing(actorWords, 1),
	}
	f := c.Flags()
	f.StringVar(&want.Match, "match", "", "only messages this filter selects")
	f.Int64Var(&want.Count, "count", 100, "end after so many; at most 10000")
	f.DurationVar(&last, "for", time.Minute, "end after so long; at most 10m")
	return c
}

func (a *app) tap(ctx context.Context, client *console.Client, want console.TapRequest) error {
	begun := false
	end, err := client.Tap(ctx, want, func(m messages.Tapped) error {
		var b bytes.Buffer
		switch a.format() {
		case "json", "jsonl":
			if err := a.addJSON(&b, m, false); err != nil {
				return err
			}
		case "name":
			fmt.Fprintln(&b, escape(m.Type))
		default:
			tapRow(&b, m, &begun)
		}
		return a.print(b.Bytes())
	})
	if err != nil && ctx.Err() != nil {
		return ended(ctx)
	}
	if err != nil {
		return err
	}
	if end.Dropped > 0 {
		a.warn(fmt.Sprintf("dropped=%d: they came faster than they were read", end.Dropped))
	}
	if o := a.format(); o != "json" && o != "jsonl" {
		return nil
	}
	var b bytes.Buffer
	if err := a.addJSON(&b, console.TapEnd{Kind: "end", Dropped: end.Dropped}, false); err != nil {
		return err
	}
	return a.print(b.Bytes())
}

func tapRow(b *bytes.Buffer, m messages.Tapped, begun *bool) {
	const form = "%-27s  %-6s  %-3s  %-20s  %-28s  %-8s  %-8s  %-8s  %-7s  %s\n"
	if !*begun {
		fmt.Fprintf(b, form, "TIME", "SEQ", "DIR", "PEER", "TYPE", "SIZE", "WAITED", "DUR", "RESULT", "SUMMARY")
		*begun = true
	}
	cells := []string{m.At.UTC().Format("2006-01-02T15:04:05.000000Z"), number(m.Seq), m.Dir, orDash(m.Peer), strings.TrimPrefix(m.Type, "messages."), number(int64(m.Size)),
		span(m.WaitedSeconds), span(m.TookSeconds), m.Result, m.Actor + " " + m.Summary}
	padded := make([]any, len(cells))
	for i, c := range cells {
		padded[i] = escape(c)
	}
	b.WriteString(strings.TrimRight(fmt.Sprintf(form, padded...), " \n") + "\n")
}

func (a *app) logsVerb() *cobra.Command {
	var actor string
	var follow bool
	var s console.Selection
	c := &cobra.Command{
		Use:   "logs",
		Short: "Show the last lines of the daemon's log, by actor",
		Long: "Show the lines of the log that the daemon still has in memory: the last 4096, the whole log is in the journal. --actor selects by kind/id\n" +
			"or a pattern of it; the name of a decky alone means its actor." + filterHelp,
		Example:     "  decnet-fleetd logs --actor decky-01\n  decnet-fleetd logs --follow --filter 'level:error,warn'",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			if actor != "" {
				actor = actorName(actor)
			}
			return a.tailLogs(ctx, client, actor, s, follow)
		}),
	}
	f := c.Flags()
	f.StringVar(&actor, "actor", "", "only lines of this actor")
	f.BoolVarP(&follow, "follow", "f", false, "go on with what is written, until interrupted")
	f.StringVar(&s.Filter, "filter", "", "only lines this selects; fields are seq, level, actor and line")
	f.IntVar(&s.Limit, "limit", 200, "at first, at most this many")
	return c
}

// logLook is how often followed logs are looked at. Chosen: a person reads slower.
const logLook = 500 * time.Millisecond

func (a *app) tailLogs(ctx context.Context, client *console.Client, actor string, s console.Selection, follow bool) error {
	list, err := client.Logs(ctx, actor, 0, s)
	if err != nil {
		return err
	}
	if err := a.showLogs(list); err != nil || !follow {
		return err
	}
	for at := list.Seq; ; at = list.Seq {
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(logLook):
		}
		next, err := client.Logs(ctx, actor, at, console.Selection{Filter: s.Filter})
		var e *console.Error
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case errors.As(err, &e) && (e.Code == console.NotReachable || e.Code == console.NodeAway):
			continue // it may come again
		case err != nil:
			return err
		case next.Seq < at:
			a.warn("the daemon was started again")
		case next.Dropped > 0:
			a.warn(fmt.Sprintf("dropped=%d: lines came faster than they were read", next.Dropped))
		}
		list = next
		if err := a.showLogs(list); err != nil {
			return err
		}
	}
}

func (a *app) showLogs(list console.LogList) error {
	var b bytes.Buffer
	for _, x := range list.Items {
		switch a.format() {
		case "json", "jsonl":
			if err := a.addJSON(&b, x, false); err != nil {
				return err
			}
		default:
			fmt.Fprintln(&b, escapeUpTo(x.Line, maxLine))
		}
	}
	return a.print(b.Bytes())
}
