package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/messages"
)

// askMember is how the console reaches another host.
type askMember = func(ctx context.Context, hostUUID string, who messages.Asker, r *http.Request) (*http.Response, error)

// memberAsker is nil but on a hub: nobody else has hosts to ask.
func (d *daemon) memberAsker(n *node) askMember {
	if d.settings.Role != config.RoleHub {
		return nil
	}
	return func(ctx context.Context, hostUUID string, who messages.Asker, r *http.Request) (*http.Response, error) {
		got, err := n.askMember(ctx, hostUUID, who, r)
		return got, inConsoleWords(err)
	}
}

// inConsoleWords gives the errors of the fabric the names by which the console knows them.
func inConsoleWords(err error) error {
	switch {
	case errors.Is(err, fabric.ErrUnknownHost):
		return fmt.Errorf("%w: %w", console.ErrUnknownMember, err)
	case errors.Is(err, fabric.ErrAway):
		return fmt.Errorf("%w: %w", console.ErrAway, err)
	case errors.Is(err, fabric.ErrBusy):
		return fmt.Errorf("%w: %w", console.ErrBusy, err)
	}
	return err
}
