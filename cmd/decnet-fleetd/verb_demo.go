package main

import (
	"github.com/spf13/cobra"
)

func (a *app) demoVerb() *cobra.Command {
	o := demoOptions{Out: a.out}
	var idle bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Try it: a sample fleet, nothing to install, nothing left behind",
		Long: "Run a whole host in a directory of its own: a sample fleet, a SQLite database, a bus, a simulated Docker engine (or with --docker real\n" +
			"containers, where an engine answers), and the daemon. It prints the fleet and every transition, and how to cause some. Ctrl-C ends it and\n" +
			"takes everything away.",
		Example: "  decnet-fleetd demo\n  decnet-fleetd demo --docker --deckies 5",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if idle {
				<-c.Context().Done() // the demo's containers run this
				return nil
			}
			s, origins, err := a.settings(true)
			if err != nil {
				return err
			}
			quietLog(&s, origins)
			log, err := a.logger(s, false)
			if err != nil {
				return err
			}
			o.Host = a.given["docker-host"]
			return runDemo(c.Context(), o, log)
		},
	}
	c.Flags().IntVar(&o.Deckies, "deckies", 25, "how many deckies")
	c.Flags().BoolVar(&o.Docker, "docker", false, "real containers, where a Docker engine answers")
	c.Flags().BoolVar(&idle, "idle", false, "do nothing until stopped")
	_ = c.Flags().MarkHidden("idle") // the flag is there: it was just made
	return c
}
