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

func (a *app) reloadVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration again",
		Long: "The daemon reads decnet.ini and .env.local again and opens its log file anew. log-level, log-format, interval and the file of\n" +
			"DECNET_SYSTEM_LOGS change at once; whatever else changed is listed and waits for a restart. A configuration with a fault is\n" +
			"refused as a whole, with exit code 78, and the old one stays in force. Flags and the environment the daemon was started with stay\n" +
			"as they were. `systemctl reload decnet-fleetd` does the same.",
		Example:     "  decnet-fleetd reload\n  decnet-fleetd reload --json",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE:        func(c *cobra.Command, _ []string) error { return a.reload(c.Context()) },
	}
}

func (a *app) reload(ctx context.Context) error {
	s, _, err := a.settings(true)
	var invalid *config.Invalid
	if err != nil && !errors.As(err, &invalid) { // a fault is the daemon's to refuse: it knows what stays in force
		return err
	}
	client := console.NewClient(s.ControlSocket, a.timeout)
	defer client.Close()
	r, err := client.Reload(ctx)
	if err != nil {
		return err
	}
	for _, w := range r.Warnings {
		a.warn(w)
	}
	return a.show(reloaded(r))
}

func reloaded(r messages.ReloadReport) listing {
	l := listing{head: []string{"SETTING", "FROM", "TO", "IN FORCE"}, doc: console.ReloadReply{
		Envelope: console.Envelope{API: console.API, Kind: "reload"}, ReloadReport: r}}
	add := func(changes []messages.SettingChange, when string) {
		for _, c := range changes {
			l.rows, l.names = append(l.rows, []string{c.Key, c.From, c.To, when}), append(l.names, c.Key)
			l.items = append(l.items, map[string]string{"key": c.Key, "from": c.From, "to": c.To, "in_force": when})
		}
	}
	add(r.Changed, "now")
	add(r.Restart, "after a restart")
	return l
}

// changes writes a list of changed settings for the log.
func changes(list []messages.SettingChange) []string {
	out := make([]string, 0, len(list))
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s: %s → %s", c.Key, c.From, c.To))
	}
	return out
}
