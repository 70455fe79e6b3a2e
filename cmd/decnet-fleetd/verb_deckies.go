package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) deckiesVerb() *cobra.Command {
	var pick console.Selection
	c := &cobra.Command{
		Use:   "deckies [pattern]",
		Short: "List the deckies",
		Long: "List the deckies of this host, on a hub those of all its hosts, as their actors last reported them. A pattern selects by a part of the\n" +
			"name; with * or ? by all of it; @fw-2 by the host.\n" +
			"Where pattern and filter select none, the exit code is 5." + filterHelp,
		Example:     "  decnet-fleetd deckies\n  decnet-fleetd deckies 'web-*' -o wide\n  decnet-fleetd deckies -o name",
		Args:        cobra.MaximumNArgs(1),
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, args []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			defer client.Close()
			pattern := ""
			if len(args) > 0 {
				pattern = args[0]
			}
			q, term := pick, pattern
			if !strings.HasPrefix(pattern, "@") { // that names a host
				term = console.Quoted(pattern)
			}
			q.Filter = strings.TrimSpace(q.Filter + " " + term)
			list, err := client.Select(c.Context(), q)
			if err != nil {
				return err
			}
			if len(list.Items) == 0 && pick.Filter != "" {
				return notFound("no decky is selected by %q", q.Filter, "decnet-fleetd deckies lists all of them")
			}
			if len(list.Items) == 0 && pattern != "" {
				return &failure{
					exit: exitNotFound, code: exitWords[exitNotFound], err: fmt.Errorf("no decky's name matches %q", pattern),
					hint: "decnet-fleetd deckies lists all of them",
				}
			}
			return a.show(a.deckiesListing(list))
		},
		ValidArgsFunction: a.completing(deckyWords, 1),
	}
	picking(c.Flags(), &pick)
	return c
}

func (a *app) deckiesListing(list console.DeckyList) listing {
	l := listing{
		head: []string{"NAME", "STATE", "SVC", "IP", "NODE", "MBOX", "RST", "CHANGED", "PHASE", "HWM", "REV", "LAST_CAUSE", "REASON"}, wide: 5,
		doc: list,
	}
	for _, d := range list.Items {
		l.rows = append(l.rows, []string{
			d.Name, shownState(d), fmt.Sprintf("%d/%d", d.Up, len(d.Expected)), orDash(d.IP), shownNode(d), number(d.Mailbox), number(d.Restarts),
			a.when(d.ChangedAt), d.Phase, number(d.HighWater), revision(d.Rev), orDash(d.Cause), orDash(d.Reason),
		})
		l.names, l.items = append(l.names, d.Name), append(l.items, d)
	}
	for _, n := range list.Nodes {
		if n.Why != "" {
			a.warn(fmt.Sprintf("%d deckies of %s are shown as they were last: %s", n.Items, n.Name, n.Why))
		}
	}
	return l
}

// shownNode is the name of the host a decky is on, with a mark where that is silent.
func shownNode(d messages.DeckyStatus) string {
	name := cmp.Or(d.Node, d.HostUUID)
	if d.Stale {
		return name + " (stale)"
	}
	return name
}

// shownState is how a decky is; one without a row has a dash.
func shownState(d messages.DeckyStatus) string {
	if s := d.Standing(); s != "unrecorded" {
		return s
	}
	return "-"
}

// revision is unknown until the daemon commits the decky's next transition.
func revision(n int64) string {
	if n == 0 {
		return "-"
	}
	return number(n)
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// completeWithin bounds what a shell waits for a key press to be completed.
const completeWithin = 300 * time.Millisecond
