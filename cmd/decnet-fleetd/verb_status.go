package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

func (a *app) statusVerb() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show the health of the daemon and of what it depends on",
		Long: "Ask the daemon how it is: one line for each thing it depends on, then counts. With --check the exit code is 6 where a component is\n" +
			"degraded, down or unknown, a decky does not run, an entry of the state file is rejected or a change is held.",
		Example:     "  decnet-fleetd status\n  decnet-fleetd status --check --quiet\n  decnet-fleetd status --json | jq .deckies",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := a.client()
			if err != nil {
				return err
			}
			defer client.Close()
			s, err := client.Status(c.Context())
			if err != nil {
				return err
			}
			if s.Version != version {
				a.warn("the daemon is version " + s.Version + ", this is " + version)
			}
			if err := a.show(a.statusListing(s)); err != nil || !check || healthy(s) {
				return err
			}
			return findings()
		},
	}
	c.Flags().BoolVar(&check, "check", false, "exit 6 where something is not as it should be")
	return c
}

func (a *app) statusListing(s console.StatusReply) listing {
	l := listing{head: []string{"COMPONENT", "STATE", "SINCE", "LATENCY", "DETAIL"}, doc: s}
	for _, c := range s.Components {
		latency := "-"
		if c.LatencySeconds > 0 {
			latency = time.Duration(c.LatencySeconds * float64(time.Second)).Round(10 * time.Microsecond).String()
		}
		l.rows = append(l.rows, []string{c.Component, c.State, a.when(c.Since), latency, oneLine(c.Detail)})
		l.names, l.items = append(l.names, c.Component), append(l.items, c)
	}
	l.after = append([]string{""}, statusLines(s)...)
	return l
}

func statusLines(s console.StatusReply) []string {
	total, states := 0, []string{}
	for _, state := range slices.Sorted(maps.Keys(s.Deckies)) {
		total += s.Deckies[state]
		states = append(states, fmt.Sprintf("%d %s", s.Deckies[state], state))
	}
	up := ago(time.Duration(s.UptimeSeconds * float64(time.Second)))
	lines := []string{
		fmt.Sprintf("host %s, %s, up %s, version %s, process %d", s.HostUUID, s.Role, up, s.Version, s.PID),
		strings.TrimSuffix(fmt.Sprintf("deckies %d: %s", total, strings.Join(states, ", ")), ": "),
		fmt.Sprintf("outbox %d", s.OutboxDepth),
	}
	if s.Foreign > 0 {
		lines = append(lines, fmt.Sprintf("of other hosts in the state file: %d", s.Foreign))
	}
	for _, f := range s.Rejected {
		lines = append(lines, "rejected: "+f.Error())
	}
	for _, h := range groupHeld(s.Held) {
		lines = append(lines, h.line())
	}
	for _, q := range s.Quarantined {
		lines = append(lines, fmt.Sprintf("quarantined: %s since %s: %s", q.Name, q.Since.UTC().Format(time.RFC3339), q.Why))
	}
	for _, p := range s.Paused {
		lines = append(lines, strings.TrimSuffix(fmt.Sprintf("paused: %s since %s by %s: %s", p.Target, p.Since.UTC().Format(time.RFC3339), p.By, p.Reason), ": "))
	}
	for _, w := range s.Warnings {
		lines = append(lines, "warning: "+w)
	}
	return lines
}

func healthy(s console.StatusReply) bool {
	for _, c := range s.Components {
		if slices.Contains([]string{"degraded", "down", "unknown"}, c.State) {
			return false
		}
	}
	for state, n := range s.Deckies {
		if n > 0 && state != "running" {
			return false
		}
	}
	return len(s.Rejected)+len(s.Held)+len(s.Quarantined) == 0
}
