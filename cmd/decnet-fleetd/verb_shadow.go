package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) shadowVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "shadow",
		Short: "Tell what a shadow would have done, against what was done",
		Long: "Ask a daemon that runs with --shadow how it and DECNET's own reconciler compare, newest first: agreed, the reference did what we would\n" +
			"have done, so many seconds later; differs, it did what we would not; missed, we would have and it never did; open, it still has time.\n" +
			"Changes in the table are seen within half a second. Codes D1 to D23 are defects of the reference, see docs/PARITY.md.",
		Example:     "  decnet-fleetd shadow\n  decnet-fleetd shadow --json | jq .codes",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			defer client.Close()
			r, err := client.Shadow(c.Context())
			if err != nil {
				return err
			}
			return a.show(a.shadowListing(r))
		},
	}
}

func (a *app) shadowListing(r console.ShadowReply) listing {
	l := listing{head: []string{"NAME", "ACTION", "FROM", "TO", "OUTCOME", "EARLIER", "CODE", "REASON", "DECIDED", "SEEN"}, wide: 2, doc: r}
	for _, i := range r.Items {
		earlier := "-"
		if i.Outcome == messages.ShadowAgreed && !i.DecidedAt.IsZero() {
			earlier = inSeconds(i.EarlierSeconds)
		}
		l.rows = append(l.rows, []string{i.Name, i.Action, orDash(i.From), orDash(i.To), i.Outcome, earlier, orDash(i.Code), oneLine(i.Reason),
			a.when(i.DecidedAt), a.when(i.SeenAt)})
		l.names, l.items = append(l.names, i.Name), append(l.items, i)
	}
	l.after = shadowLines(r)
	if len(l.rows) > 0 {
		l.after = append([]string{""}, l.after...)
	}
	return l
}

func shadowLines(r console.ShadowReply) []string {
	lines := []string{
		fmt.Sprintf("since %s: agreed %d, differs %d, missed %d, open %d", r.Since.UTC().Format(time.RFC3339), r.Agreed, r.Differs, r.Missed, r.Open),
	}
	if r.Led > 0 {
		lines = append(lines, fmt.Sprintf("in %d of the agreed we were first: %s earlier on average, %s at most", r.Led, inSeconds(r.EarlierMean), inSeconds(r.EarlierMax)))
	}
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(r.Codes)) {
		codes = append(codes, fmt.Sprintf("%s %d", code, r.Codes[code]))
	}
	if len(codes) > 0 {
		lines = append(lines, "why not: "+strings.Join(codes, ", "))
	}
	if r.Dropped > 0 {
		lines = append(lines, fmt.Sprintf("%d older ones are counted but no longer kept", r.Dropped))
	}
	return lines
}

func inSeconds(s float64) string { return fmt.Sprintf("%.1fs", s) }
