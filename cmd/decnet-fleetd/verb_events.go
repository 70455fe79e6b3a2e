package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// eventOptions are the flags of events.
type eventOptions struct {
	follow bool
	since  string
	kind   string
	decky  string
	limit  int
}

func (a *app) eventsVerb() *cobra.Command {
	var o eventOptions
	c := &cobra.Command{
		Use:   "events",
		Short: "Show what happened, or follow what happens",
		Long: "Show the latest events the daemon remembers, oldest first, or follow them as they happen. --since takes the number of an event (those\n" +
			"after it) or a time like 1h. A daemon that is restarted meanwhile is found again, and the list goes on where it stopped; where events are\n" +
			"missing, a warning says so.\n\n" +
			"In -o jsonl the last line of a list is {\"kind\":\"end\",\"dropped\":N}; in a followed one {\"kind\":\"reset\",…} marks what is missing.",
		Example:     "  decnet-fleetd events --since 1h\n  decnet-fleetd events --follow --decky web-01\n  decnet-fleetd events --follow -o jsonl --type state_changed",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, _ []string) error {
			q, err := o.query(time.Now())
			if err != nil {
				return err
			}
			client, err := a.client()
			if err != nil {
				return err
			}
			defer client.Close()
			if o.follow {
				return a.follow(c.Context(), client, q)
			}
			list, err := client.Events(c.Context(), q)
			if err != nil {
				return err
			}
			return a.showEvents(list, !q.NotBefore.IsZero())
		},
	}
	f := c.Flags()
	f.BoolVarP(&o.follow, "follow", "f", false, "go on with what happens, until interrupted")
	f.StringVar(&o.since, "since", "", "the number of an event, or a time like 1h")
	f.StringVar(&o.kind, "type", "", "only events of this type, like state_changed")
	f.StringVar(&o.decky, "decky", "", "only events of deckies this pattern selects")
	f.IntVar(&o.limit, "limit", 0, "at most this many (default 256)")
	return c
}

func (o eventOptions) query(now time.Time) (console.Query, error) {
	q := console.Query{Since: -1, Limit: o.limit, Type: o.kind, Target: o.decky}
	if o.limit < 0 {
		return q, usage(fmt.Errorf("--limit is %d", o.limit), "it is a positive number")
	}
	if o.since == "" {
		return q, nil
	}
	if n, err := strconv.ParseInt(o.since, 10, 64); err == nil && n >= 0 {
		q.Since = n
		return q, nil
	}
	d, err := time.ParseDuration(o.since)
	if err != nil || d < 0 {
		return q, usage(fmt.Errorf("--since is %q", o.since), "it is the number of an event, or a time like 90s or 1h")
	}
	q.Since, q.NotBefore = 0, now.Add(-d)
	return q, nil
}

func eventCells(at string, e messages.Event) []string {
	return []string{at, number(e.Seq), e.Type, e.Target, orDash(e.From), orDash(e.To), orDash(e.Cause)}
}

// showEvents prints a page. all: it was asked for from the very first event on, so that a gap before it is no news.
func (a *app) showEvents(list console.EventList, all bool) error {
	l := listing{head: []string{"TIME", "SEQ", "TYPE", "TARGET", "FROM", "TO", "CAUSE"}, doc: list}
	of := slices.ContainsFunc(list.Items, func(e messages.Event) bool { return e.Node != "" })
	if of { // one host alone is not named again and again
		l.head = slices.Insert(l.head, 4, "NODE")
	}
	for _, e := range list.Items {
		cells := eventCells(a.when(e.At), e)
		if of {
			cells = slices.Insert(cells, 4, orDash(e.Node))
		}
		l.rows = append(l.rows, cells)
		l.names, l.items = append(l.names, e.Target), append(l.items, e)
	}
	l.end = struct {
		Kind    string `json:"kind"`
		Dropped int64  `json:"dropped"`
	}{Kind: "end"}
	if list.Gap && !all {
		a.warn("older events are no longer kept")
	}
	if list.More {
		a.warn(fmt.Sprintf("there are more: --since %d goes on, --limit shows more at once", list.Items[len(list.Items)-1].Seq))
	}
	return a.show(l)
}

// again is the wait before a lost daemon is looked for; a restart takes about as long.
const again = time.Second

// follow prints events until it is interrupted. The daemon has to be there at first; later it may come and go.
func (a *app) follow(ctx context.Context, client *console.Client, q console.Query) error {
	first, err := client.Events(ctx, console.Query{Since: -1, Limit: 1})
	if err != nil {
		return err
	}
	if q.Since < 0 {
		q.Since = first.Seq
	}
	f := &follower{app: a, at: q.Since, whole: !q.NotBefore.IsZero()}
	for {
		q.Since = f.at
		err := client.Stream(ctx, q, f.item)
		switch e := explain(ctx, err); {
		case ctx.Err() != nil:
			return ended(ctx)
		case err != nil && e.exit != exitUnreachable:
			return err
		}
		if !f.lost {
			a.warn(cmp.Or(a.node, "the daemon") + " is gone; waiting for it")
		}
		f.lost = true
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-time.After(again):
		}
	}
}

// ended: a user who ends what would go on for ever did not interrupt anything.
func ended(ctx context.Context) error {
	if _, by := errors.AsType[interrupted](context.Cause(ctx)); by {
		return nil
	}
	return ctx.Err()
}

// follower prints the items of a stream.
type follower struct {
	app   *app
	at    int64 // the last event seen
	whole bool  // the stream began with all there is: that older events are missing is no news
	lost  bool
	begun bool
}

func (f *follower) item(i console.Item) error {
	f.lost = false
	var b bytes.Buffer
	if i.Reset.Kind != "" {
		return f.reset(&b, i.Reset)
	}
	f.at, f.whole = i.Event.Seq, false
	switch f.app.format() {
	case "json", "jsonl":
		if err := f.app.addJSON(&b, i.Event, false); err != nil {
			return err
		}
	case "name":
		fmt.Fprintln(&b, escape(i.Event.Target))
	default:
		f.row(&b, i.Event)
	}
	return f.app.print(b.Bytes())
}

func (f *follower) reset(b *bytes.Buffer, r console.Reset) error {
	if !f.whole {
		f.app.warn(fmt.Sprintf("events are missing here: %s", dropped(r)))
	}
	f.whole = false
	if o := f.app.format(); o != "json" && o != "jsonl" {
		return nil
	}
	if err := f.app.addJSON(b, r, false); err != nil {
		return err
	}
	return f.app.print(b.Bytes())
}

func dropped(r console.Reset) string {
	if r.Dropped == 0 {
		return "nobody can tell how many"
	}
	return strconv.FormatInt(r.Dropped, 10)
}

// row uses fixed widths: the next event is not known yet.
func (f *follower) row(b *bytes.Buffer, e messages.Event) {
	const form = "%-20s  %-16s  %-14s  %-24s  %-9s  %-9s  %s\n"
	if !f.begun {
		fmt.Fprintf(b, form, "TIME", "SEQ", "TYPE", "TARGET", "FROM", "TO", "CAUSE")
		f.begun = true
	}
	if e.Node != "" {
		e.Target += "@" + e.Node
	}
	cells := eventCells(e.At.UTC().Format(time.RFC3339), e)
	padded := make([]any, len(cells))
	for i, c := range cells {
		padded[i] = escape(c)
	}
	text := fmt.Sprintf(form, padded...)
	b.WriteString(strings.TrimRight(text, " \n") + "\n")
}
