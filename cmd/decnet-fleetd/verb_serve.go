package main

import "github.com/spf13/cobra"

func (a *app) serveVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: "Run the daemon: watch state file, table and containers, keep the table true, announce every change, answer at the control socket.\n" +
			"It runs until SIGTERM, SIGINT or a stop from DECNET's panel, and then exits 0. A source that is down makes it degraded, never end.\n\n" +
			"`decnet-fleetd reload` and SIGHUP have it read its configuration again, SIGUSR1 writes what goes on inside to the state\n" +
			"directory's dumps, SIGUSR2 logs at level debug for ten minutes; a second SIGTERM or SIGINT ends it at once.\n\n" +
			"One daemon owns a state directory; a second one stands by and takes over, or ends with --no-wait.",
		Example:     "  decnet-fleetd serve\n  decnet-fleetd serve --bus off --log-format console\n  FLEETD_DATABASE_URL=sqlite:///srv/decnet.db decnet-fleetd serve --install-dir /srv",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			s, origins, err := a.settings(false)
			if err != nil {
				return err
			}
			l := a.logs(s, true)
			r := a.reloader(s, origins, l)
			r.levels(s.LogLevel)
			return runServe(c.Context(), s, l.logger(), r)
		},
	}
}
