package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func (a *app) clusterVerb() *cobra.Command {
	return parent("cluster", "Look at the hosts of a cluster, drain them, leave it",
		"A hub keeps the table of all hosts that DECNET has enrolled; each worker reconciles its own host and tells the hub. `members` shows them,\n"+
			"and --node NAME before any other verb asks one of them through its hub: `decnet-fleetd --node fw-2 status`. docs/cluster.md sets one up.",
		a.membersVerb(), a.ownersVerb(), a.drainVerb(false), a.drainVerb(true), a.leaveVerb(), a.forgetVerb())
}

func (a *app) membersVerb() *cobra.Command {
	var pick console.Selection
	c := &cobra.Command{
		Use:   "members",
		Short: "List the hosts of the cluster",
		Long: "List the hosts that are enrolled, as the hub sees them: up, suspect after 3 s of silence, stale after 5 s, left after a goodbye, never heard of\n" +
			"since the hub started, or gone: no longer enrolled, with rows left. LAG is how many transitions a host has not delivered yet, ADDR where it\n" +
			"comes from. On a worker: itself and its hub. What needs somebody is said below." + filterHelp,
		Example: "  decnet-fleetd cluster members\n  decnet-fleetd cluster members -o wide\n  decnet-fleetd cluster members --filter '!status=up' -o name\n" +
			"  decnet-fleetd cluster members --json | jq '.items[] | select(.cert_expires < \"2027\")'",
		Args: cobra.NoArgs, Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			list, err := client.Members(ctx, pick)
			if err != nil {
				return err
			}
			return a.show(a.membersListing(list, time.Now()))
		}),
	}
	picking(c.Flags(), &pick)
	return c
}

var memberHead = []string{"NAME", "ADDR", "STATUS", "LEADER", "DECKIES", "LAG", "VERSION", "CERT_EXPIRES",
	"HOST_UUID", "LAST_CONTACT", "SINCE", "CLOCK_SKEW", "WIRE", "REFUSED", "DROPPED", "HEALTH", "WHY"}

func (a *app) membersListing(list console.MemberList, now time.Time) listing {
	l := listing{head: memberHead, wide: 9, doc: list}
	for _, m := range list.Items {
		leader := "-"
		if m.Role == "hub" {
			leader = "yes"
		}
		l.rows = append(l.rows, []string{
			m.Name, orDash(m.Address), memberStatus(m), leader, number(int64(m.Deckies)), number(m.Lag), orDash(m.Version), a.expires(m.CertExpires, now),
			m.HostUUID, a.when(m.LastContact), a.when(m.Since), skewText(m), number(int64(m.Wire)), number(m.Refused), number(m.Dropped), orDash(m.Health), orDash(m.Why),
		})
		l.names, l.items = append(l.names, m.Name), append(l.items, m)
		l.after = append(l.after, concerns(m, now)...)
	}
	if len(l.after) > 0 {
		l.after = append([]string{""}, l.after...)
	}
	return l
}

func memberStatus(m messages.Member) string {
	if m.Paused {
		return string(m.Status) + ",drained"
	}
	return string(m.Status)
}

// expires shows when a certificate ends: to a person in how long.
func (a *app) expires(at messages.Moment, now time.Time) string {
	switch {
	case at.IsZero():
		return "-"
	case !a.outTTY:
		return at.UTC().Format(time.RFC3339)
	case !at.After(now):
		return "expired"
	}
	return "in " + ago(at.Sub(now))
}

func skewText(m messages.Member) string {
	if math.Abs(m.SkewSeconds) < 0.05 {
		return "-"
	}
	return fmt.Sprintf("%+.1fs", m.SkewSeconds)
}

// concerns are what somebody should know of a member, each with what to do.
func concerns(m messages.Member, now time.Time) []string {
	var out []string
	for _, w := range console.Concerns(m, now) {
		out = append(out, m.Name+": "+w)
	}
	return out
}

func (a *app) ownersVerb() *cobra.Command {
	var pick console.Selection
	c := &cobra.Command{
		Use:         "owners",
		Short:       "Say which process writes the rows of each host",
		Long:        "List the holder of each host's lease: the process that writes its rows. TOKEN grows with each change of the owner." + filterHelp,
		Example:     "  decnet-fleetd cluster owners\n  decnet-fleetd cluster owners -o jsonl",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			list, err := client.Owners(ctx, pick)
			if err != nil {
				return err
			}
			l := listing{head: []string{"NAME", "OWNER", "TOKEN", "BEAT", "OURS", "HOST_UUID"}, wide: 1, doc: list}
			for _, o := range list.Items {
				ours := "-"
				if o.Ours {
					ours = "yes"
				}
				l.rows = append(l.rows, []string{o.Name, orDash(o.Owner), number(o.Token), a.when(o.Beat), ours, o.HostUUID})
				l.names, l.items = append(l.names, o.Name), append(l.items, o)
			}
			return a.show(l)
		}),
	}
	picking(c.Flags(), &pick)
	return c
}

// clusterOrder are the flags of what changes something.
type clusterOrder struct {
	console.ClusterRequest
	yes bool
}

func (o *clusterOrder) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.Reason, "reason", "", "why, for the audit")
	f.BoolVar(&o.DryRun, "dry-run", false, "only say what would be done")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
}

// agreed asks the person at the terminal. word is what has to be typed.
func (a *app) agreed(o clusterOrder, verb, question, word string) error {
	switch {
	case o.DryRun || o.yes:
		return nil
	case !a.inTTY:
		return usage(errors.New(verb+" changes something, and nobody can be asked"), "add --yes, or see what it would do with --dry-run")
	}
	ask := "[y/N] "
	if word != "y" {
		ask = "Type " + escape(word) + ": "
	}
	fmt.Fprintf(a.err, "%s %s", escape(question), ask)
	line, err := bufio.NewReader(io.LimitReader(a.in, 512)).ReadString('\n')
	if answer := strings.TrimSpace(line); err != nil || answer != word && (word != "y" || !strings.EqualFold(answer, word)) {
		return withExit(exitRefused, errors.New("not confirmed: nothing was done"))
	}
	return nil
}

func (a *app) drainVerb(undo bool) *cobra.Command {
	var o clusterOrder
	verb, short := "drain", "Have a host observe, and write nothing"
	long := "Pause a whole host, for work on it: it observes as ever, and writes and announces nothing until it is undrained. It survives a restart of\n" +
		"the daemon there, shows in every console and warns after a day. The deckies' containers are not touched."
	if undo {
		verb, short = "undrain", "End the drain of a host"
		long = "End the pause of a whole host. What has changed meanwhile is decided anew from what is there now."
	}
	c := &cobra.Command{
		Use: verb + " NODE", Short: short, Long: long + "\n\nNODE is a name or a uuid of `cluster members`. It is asked for on a terminal; elsewhere it needs --yes.",
		Example:     "  decnet-fleetd cluster " + verb + " fw-2 --reason 'new disk'\n  decnet-fleetd cluster " + verb + " fw-2 --dry-run",
		Args:        cobra.ExactArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			if err := a.agreed(o, verb, verb+" all of "+args[0]+"?", "y"); err != nil {
				return err
			}
			reply, err := client.Drain(ctx, args[0], undo, o.ClusterRequest)
			if err != nil {
				return err
			}
			if err := a.show(actListing(reply)); err != nil {
				return err
			}
			return actExit(reply.Items)
		}),
		ValidArgsFunction: a.completing(memberWords, 1),
	}
	o.flags(c)
	return c
}

func (a *app) leaveVerb() *cobra.Command {
	var o clusterOrder
	c := &cobra.Command{
		Use:   "leave",
		Short: "Have this worker say goodbye to its hub",
		Long: "Have the worker say goodbye, so that nobody is alarmed, and stay away until it is started again or reloaded. It goes on to reconcile its own\n" +
			"host; what it does meanwhile reaches the hub when it is back. The hub keeps its rows. To take a host out for good, decommission it in DECNET.",
		Example:     "  decnet-fleetd cluster leave --reason 'moving the rack'\n  decnet-fleetd --node fw-2 cluster leave --yes",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			if err := a.agreed(o, "leave", "leave the cluster?", "y"); err != nil {
				return err
			}
			r, err := client.Leave(ctx, o.ClusterRequest)
			if err != nil {
				return err
			}
			result := actDone
			if r.DryRun {
				result = actWouldBe
			}
			return a.show(listing{head: []string{"HOST", "RESULT"}, rows: [][]string{{r.Host, result}}, names: []string{r.Host}, doc: r, items: []any{r}})
		}),
	}
	o.flags(c)
	return c
}

func (a *app) forgetVerb() *cobra.Command {
	var o clusterOrder
	c := &cobra.Command{
		Use:   "forget HOST",
		Short: "Remove the rows of a host that is no longer enrolled",
		Long: "DECNET leaves the rows of a host behind that it decommissions. This deletes them, each with an announced deletion. A host that is still\n" +
			"enrolled is refused. HOST is the name it was enrolled under, or its uuid; on a terminal it has to be typed once more.",
		Example:     "  decnet-fleetd cluster members --filter status=gone\n  decnet-fleetd cluster forget fw-9 --dry-run\n  decnet-fleetd cluster forget fw-9 --reason 'sold' --yes",
		Args:        cobra.ExactArgs(1),
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			return a.forget(ctx, client, o, args[0])
		}),
		ValidArgsFunction: a.completing(goneWords, 1),
	}
	o.flags(c)
	return c
}

func (a *app) forget(ctx context.Context, client *console.Client, o clusterOrder, host string) error {
	if !o.DryRun && !o.yes && a.inTTY {
		plan, err := client.Forget(ctx, host, console.ClusterRequest{DryRun: true})
		if err != nil {
			return err
		}
		host = plan.HostUUID
		if err := a.agreed(o, "forget", "delete the rows of "+some(plan.Deckies)+" of "+host+"?", host); err != nil {
			return err
		}
	} else if err := a.agreed(o, "forget", "", host); err != nil {
		return err
	}
	r, err := client.Forget(ctx, host, o.ClusterRequest)
	if err != nil {
		return err
	}
	result := "deleted"
	if r.DryRun {
		result = "would be deleted"
	}
	l := listing{head: []string{"NAME", "HOST_UUID", "RESULT"}, doc: r}
	for _, name := range r.Deckies {
		l.rows, l.names = append(l.rows, []string{name, r.HostUUID, result}), append(l.names, name)
		l.items = append(l.items, map[string]string{"name": name, "host_uuid": r.HostUUID, "result": result})
	}
	return a.show(l)
}

// memberWords are the names of hosts, for completion.
func memberWords(ctx context.Context, client *console.Client, _ string) []string {
	return membersLike(ctx, client, "!status=gone")
}

func goneWords(ctx context.Context, client *console.Client, _ string) []string {
	return membersLike(ctx, client, "status=gone")
}

func membersLike(ctx context.Context, client *console.Client, filter string) []string {
	list, err := client.Members(ctx, console.Selection{Filter: filter})
	if err != nil {
		return nil
	}
	var out []string
	for _, m := range list.Items {
		out = append(out, m.Name)
	}
	return out
}
