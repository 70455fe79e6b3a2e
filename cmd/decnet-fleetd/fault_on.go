//go:build fault

package main

import (
	"context"
	"path/filepath"

	"github.com/decnet/decnet-fleetd/actors/store"
)

// sabotaged makes the store's connection deadlock from the moment a file fault-hang is in the state directory: what a
// driver does that waits for a lock it holds itself. No build that is installed has the tag fault.
func sabotaged(l store.Leases, stateDir string) store.Leases {
	return deadlocking{l, filepath.Join(stateDir, "fault-hang")}
}

type deadlocking struct {
	store.Leases
	file string
}

// Beat does not come back, whatever its context says.
func (d deadlocking) Beat(ctx context.Context, token int64) error {
	if exists(d.file) {
		select {}
	}
	return d.Leases.Beat(ctx, token)
}
