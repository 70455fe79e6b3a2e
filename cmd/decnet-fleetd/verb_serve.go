package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

func (a *app) serveVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: "Run the daemon: watch state file, table and containers, keep the table true, announce every change, answer at the control socket.\n" +
			"It runs until SIGTERM, SIGINT or a stop from DECNET's panel, and then exits 0. A source that is down makes it degraded, never end.\n\n" +
			"One daemon owns a state directory; a second one stands by and takes over, or ends with --no-wait.",
		Example:     "  decnet-fleetd serve\n  decnet-fleetd serve --bus off --log-format console\n  FLEETD_DATABASE_URL=sqlite:///srv/decnet.db decnet-fleetd serve --install-dir /srv",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := a.settings(false)
			if err != nil {
				return err
			}
			logs := console.NewLogRing(0, time.Now)
			log, err := a.logger(s, true, logs)
			if err != nil {
				return err
			}
			return runServe(c.Context(), s, logs, log)
		},
	}
}
