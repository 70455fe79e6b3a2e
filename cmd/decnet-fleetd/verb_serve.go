package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
)

func (a *app) serveVerb() *cobra.Command {
	var shadow bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: "Run the daemon: watch state file, table and containers, keep the table true, announce every change, answer at the control socket.\n" +
			"It runs until SIGTERM, SIGINT or a stop from DECNET's panel, and then exits 0. A source that is down makes it degraded, never end.\n\n" +
			"`decnet-fleetd reload` and SIGHUP have it read its configuration again, SIGUSR1 writes what goes on inside to the state\n" +
			"directory's dumps, SIGUSR2 logs at level debug for ten minutes; a second SIGTERM or SIGINT ends it at once.\n\n" +
			"One daemon owns a state directory; a second one stands by and takes over, or ends with --no-wait.\n\n" +
			"With --shadow it watches and decides, beside DECNET's own reconciler, and writes nothing: no table, no lease, no row, no event, no\n" +
			"heartbeat; it obeys no control either. `decnet-fleetd shadow` tells what it would have done, against what was done.",
		Example:     "  decnet-fleetd serve\n  decnet-fleetd serve --bus off --log-format console\n  decnet-fleetd serve --shadow --state-dir /tmp/shadow",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			s, origins, err := a.settings(false)
			if err != nil {
				return err
			}
			if s.Shadow = shadow; shadow && s.Takeover {
				return usage(errors.New("--shadow and --takeover exclude each other: a shadow stops nobody"), "leave one of them out")
			}
			if shadow && s.Role != config.RoleSolo {
				return usage(errors.New("--shadow and --role "+string(s.Role)+" exclude each other: a shadow tells nobody anything"), "leave one of them out")
			}
			ring := console.NewLogRing(0, time.Now)
			l := a.logs(s, true)
			l.ring = ring
			r := a.reloader(s, origins, l)
			r.levels(s.LogLevel)
			return runServe(c.Context(), s, l.logger(), r, ring)
		},
	}
	c.Flags().BoolVar(&shadow, "shadow", false, "observe and decide, but write and publish nothing")
	return c
}
