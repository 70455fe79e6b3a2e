package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/bus"
	"github.com/decnet/decnet-fleetd/adapters/unixsock"
)

func (a *app) busVerb() *cobra.Command {
	var group string
	c := &cobra.Command{
		Use:   "bus",
		Short: "Run a bus, for a host without DECNET's",
		Long: "Run a server that speaks the protocol of DECNET's bus, at the same socket. It is for hosts on which `decnet bus` does not run; a second\n" +
			"one at the same socket is refused (exit 8). It runs until SIGTERM or SIGINT and then exits 0.",
		Example:     "  decnet-fleetd bus\n  decnet-fleetd bus --bus-socket /tmp/bus.sock --group staff",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsAll),
		RunE: func(c *cobra.Command, _ []string) error {
			s, _, err := a.settings(true)
			if err != nil {
				return err
			}
			log, err := a.logger(s, false)
			if err != nil {
				return err
			}
			path := busLocator(s.BusSocket).Socket()
			if s.BusSocket == "" {
				_ = os.Mkdir(filepath.Dir(path), 0o700) // DECNET's directory in the user's home; if it is missing still, the bind says so
			}
			server, err := bus.Listen(c.Context(), bus.ServerConfig{Path: path, Group: group, Now: time.Now, Log: log})
			if errors.Is(err, unixsock.ErrInUse) {
				return withExit(exitRefused, err)
			}
			if err != nil {
				return configFault(err)
			}
			return server.Serve(c.Context())
		},
	}
	c.Flags().StringVar(&group, "group", "decnet", "the group that may use the socket; passed over where it does not exist")
	return c
}
