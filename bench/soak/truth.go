package main

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// services are those of every decky.
var services = []string{"ssh", "http"}

// truth is what the containers say of every decky: DECNET's rule, worked out again.
func truth(ctx context.Context, e *stage.Engine, deckies []stage.Decky) (map[string]string, error) {
	list, err := e.API().ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	seen := map[string]map[string]string{}
	for _, c := range list {
		decky, service := c.Labels["decnet.fleet.decky"], c.Labels["decnet.fleet.service_name"]
		if decky == "" {
			continue // a base container
		}
		if seen[decky] == nil {
			seen[decky] = map[string]string{}
		}
		seen[decky][service] = c.State
	}
	all := map[string]string{}
	for _, d := range deckies {
		all[d.Name] = aggregate(seen[d.Name])
	}
	return all, nil
}

// aggregate makes the state of a decky from those of its services' containers.
func aggregate(seen map[string]string) string {
	running := 0
	for _, service := range services {
		if seen[service] == container.StateRunning {
			running++
		}
	}
	switch {
	case len(seen) == 0:
		return "torn_down"
	case running == len(services):
		return "running"
	case running == 0:
		return "failed"
	}
	return "degraded"
}

const (
	// steady is how long nothing may change until all counts as at rest: longer than any settle and limit of the product.
	steady = 5 * time.Second
	// patience is how long that may take; then what is there is judged as it is.
	patience = 90 * time.Second
)

// rest waits until containers and table agree, nothing waits in the outbox, and it stays so.
func rest(ctx context.Context, h *stage.Host, deckies []stage.Decky) error {
	var since time.Time
	var before map[string]string
	err := stage.Until(ctx, patience, func() error {
		now, err := truth(ctx, h.Engine, deckies)
		if err != nil {
			return err
		}
		rows, err := h.States(ctx)
		if err != nil {
			return err
		}
		waiting, err := h.Waiting(ctx)
		if err != nil {
			return err
		}
		if !maps.Equal(now, rows) || !maps.Equal(now, before) || waiting > 0 {
			since, before = time.Now(), now
			return fmt.Errorf("containers %v, rows %v, %d events wait", now, rows, waiting)
		}
		if time.Since(since) < steady {
			return fmt.Errorf("at rest for %v", time.Since(since))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("all does not come to rest: %w", err)
	}
	return nil
}
