package main

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/config"
)

func (a *app) configVerb() *cobra.Command {
	var origin bool
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the settings in force",
		Long: "Show every setting and its value; passwords are masked. With --origin also where each came from, and with -o wide what was overridden.\n" +
			"A faulty configuration is shown too, then the exit code is 78.",
		Example:     "  decnet-fleetd config show --origin\n  FLEETD_BUS=off decnet-fleetd config show --origin -o wide",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(*cobra.Command, []string) error {
			_, origins, err := a.settings(false)
			return errors.Join(a.show(configListing(origins, origin)), err)
		},
	}
	show.Flags().BoolVar(&origin, "origin", false, "also show where each value comes from")
	check := &cobra.Command{
		Use:         "check",
		Short:       "Say whether the configuration is in order",
		Long:        "Read the configuration and say what is wrong with it. The exit code is 0 where it can be used, else 78.",
		Example:     "  decnet-fleetd config check && systemctl restart decnet-fleetd",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(*cobra.Command, []string) error {
			_, _, err := a.settings(false)
			return err
		},
	}
	return parent("config", "Show or check the settings", "Show the settings in force and where they come from, or check them.", show, check)
}

func configListing(origins []config.Origin, origin bool) listing {
	l := listing{head: []string{"KEY", "VALUE", "SOURCE", "OVERRIDES"}, wide: 2, items: []any{}}
	if origin {
		l.wide = 1
	}
	for _, o := range origins {
		l.rows = append(l.rows, []string{o.Key, orDash(o.Value), o.Source, orDash(strings.Join(o.Overrides, "; "))})
		l.names, l.items = append(l.names, o.Key), append(l.items, o)
	}
	l.enclose("config")
	return l
}
