package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) actorsVerb() *cobra.Command {
	var s console.Selection
	var tree bool
	var sample time.Duration
	c := &cobra.Command{
		Use:   "actors [pattern]",
		Short: "List the actors of the daemon by their counters",
		Long: "List every actor: what waits in its mailbox and for how long, how many messages came and were handled, how long handlers take, and\n" +
			"how often it was restarted. No actor is asked, so a stuck one is shown like any other. Rates need two looks: where nobody has been\n" +
			"looking, the first answer is waited for --sample long." + filterHelp,
		Example:     "  decnet-fleetd actors --sort mbox\n  decnet-fleetd actors --tree\n  decnet-fleetd actors --filter 'oldest>1 kind:decky'",
		Args:        cobra.MaximumNArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			if len(args) > 0 {
				s.Filter = strings.TrimSpace(s.Filter + " " + console.Quoted(args[0]))
			}
			if tree {
				s.Sort = cmp.Or(s.Sort, "pid") // else as they happened to start
			}
			list, err := sampled(ctx, client, s, sample)
			if err != nil {
				return err
			}
			if len(list.Items) == 0 && s.Filter != "" {
				return notFound("no actor is selected by %q", s.Filter, "decnet-fleetd actors lists all of them")
			}
			if tree {
				slices.SortStableFunc(list.Items, func(x, y messages.ActorStatus) int { return strings.Compare(branch(x), branch(y)) })
			}
			return a.show(actorsListing(list, tree))
		}),
		ValidArgsFunction: a.completing(actorWords, 1),
	}
	picking(c.Flags(), &s)
	c.Flags().BoolVar(&tree, "tree", false, "by group and kind")
	c.Flags().DurationVar(&sample, "sample", 1100*time.Millisecond, "how long to wait for rates where nobody has been looking; 0 is not at all")
	return c
}

// sampled asks twice where the first answer has no rates yet.
func sampled(ctx context.Context, client *console.Client, s console.Selection, wait time.Duration) (console.ActorList, error) {
	list, err := client.Actors(ctx, s)
	if err != nil || list.Sampled || wait <= 0 {
		return list, err
	}
	select {
	case <-ctx.Done():
		return list, ctx.Err()
	case <-time.After(wait):
	}
	return client.Actors(ctx, s)
}

// branch is where an actor stands in the tree: groups restart together.
func branch(x messages.ActorStatus) string {
	if x.Group == "" {
		return x.Kind
	}
	return x.Group + "/" + x.Kind
}

func actorsListing(list console.ActorList, tree bool) listing {
	l := listing{head: []string{"PID", "KIND", "STATE", "MBOX", "HWM", "OLDEST", "IN/S", "OUT/S", "P99", "RST", "UP", "P50", "DONE", "LOST", "DROPPED", "CRASHES", "GROUP"},
		wide: 6, doc: list}
	last := ""
	for _, x := range list.Items {
		pid := x.PID
		if tree {
			if b := branch(x); b != last {
				l.rows = append(l.rows, append([]string{b}, make([]string, len(l.head)-1)...))
				last = b
			}
			pid = "  " + x.PID
		}
		l.rows = append(l.rows, actorCells(pid, x, list.Sampled))
		l.names, l.items = append(l.names, x.PID), append(l.items, x)
	}
	return l
}

func actorCells(pid string, x messages.ActorStatus, rates bool) []string {
	in, out := "-", "-"
	if rates {
		in, out = fmt.Sprintf("%.1f", x.InPerSecond), fmt.Sprintf("%.1f", x.DonePerSecond)
	}
	state := x.State
	if x.Stuck {
		state = "stuck " + span(x.InHandlerSeconds)
	}
	return []string{pid, x.Kind, state, number(x.Mailbox), number(x.HighWater), span(x.OldestSeconds), in, out, span(x.P99Seconds), number(x.Restarts),
		ago(time.Duration(x.UpSeconds * float64(time.Second))), span(x.P50Seconds), number(x.Done), number(x.Lost), number(x.Dropped), number(x.Crashes), orDash(x.Group)}
}

func (a *app) topVerb() *cobra.Command {
	s := console.Selection{Sort: "in_per_second", Limit: 20}
	var every time.Duration
	var times int
	c := &cobra.Command{
		Use:   "top",
		Short: "Show the busiest actors again and again",
		Long: "Print the process and its busiest actors, again and again until interrupted; on a terminal each time in the same place. Rates and\n" +
			"handler times are those of the last second." + filterHelp,
		Example:     "  decnet-fleetd top\n  decnet-fleetd top --sort mbox --every 5s\n  decnet-fleetd top -n 1 --json",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			if every < 100*time.Millisecond {
				return usage(fmt.Errorf("--every is %v", every), "it is at least 100ms")
			}
			return a.top(ctx, client, s, every, times)
		}),
	}
	picking(c.Flags(), &s)
	c.Flags().DurationVar(&every, "every", 2*time.Second, "time between two looks")
	c.Flags().IntVarP(&times, "times", "n", 0, "how many looks (default: until interrupted)")
	return c
}

func (a *app) top(ctx context.Context, client *console.Client, s console.Selection, every time.Duration, times int) error {
	if _, err := sampled(ctx, client, console.Selection{Limit: 1}, 1100*time.Millisecond); err != nil {
		return err
	}
	for n := 1; ; n++ {
		switch err := a.topOnce(ctx, client, s); {
		case ctx.Err() != nil: // it came in the midst of a look
			return ended(ctx)
		case err != nil || n == times:
			return err
		}
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(every):
		}
	}
}

// topOnce prints one look.
func (a *app) topOnce(ctx context.Context, client *console.Client, s console.Selection) error {
	list, err := client.Actors(ctx, s)
	if err != nil {
		return err
	}
	r, err := client.Runtime(ctx)
	if err != nil {
		return err
	}
	if f := a.format(); f == "table" || f == "wide" {
		if a.outTTY {
			fmt.Fprint(a.out, "\x1b[H\x1b[2J")
		}
		fmt.Fprintf(a.out, "%s  rss %d MiB  heap %d MiB  goroutines %d  cpu %.1fs  gc %.2fs  sched p99 %s\n", time.Now().UTC().Format(time.RFC3339), r.RSSBytes>>20,
			r.HeapBytes>>20, r.Goroutines, r.CPUSeconds, r.GCCPUSeconds, span(r.SchedP99Seconds))
	}
	return a.show(actorsListing(list, false))
}
