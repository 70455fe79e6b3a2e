package main

import (
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
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
			o.Logs = console.NewLogRing(0, time.Now)
			level, err := zerolog.ParseLevel(s.LogLevel)
			if err != nil {
				return configFault(fmt.Errorf("log level %q: %w", s.LogLevel, err))
			}
			log := zerolog.New(demoLog{a.logs(s, false), o.Logs, level}).With().Timestamp().Logger().Level(min(level, zerolog.InfoLevel))
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

// demoLog keeps more of the log for the console than it shows: the terminal belongs to the story.
type demoLog struct {
	shown *logs
	kept  *console.LogRing
	from  zerolog.Level // shown from this level on
}

// Write is WriteLevel for a line without a level.
func (d demoLog) Write(p []byte) (int, error) { return d.WriteLevel(zerolog.NoLevel, p) }

// WriteLevel keeps one line, and shows it where it matters.
func (d demoLog) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	_, _ = d.kept.Write(tidyJSON(p)) // it never fails
	if level < d.from {
		return len(p), nil
	}
	return d.shown.WriteLevel(level, p)
}
