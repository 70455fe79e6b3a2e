package stage

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types/container"
)

// Truth is what the containers say of every decky that has any, by DECNET's rule: all services run, none does, or some.
func (e *Engine) Truth(ctx context.Context, services []string) (map[string]string, error) {
	list, err := e.API().ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	run := map[string]int{}
	for _, c := range list {
		decky := c.Labels["decnet.fleet.decky"]
		if decky == "" {
			continue // a base container
		}
		if run[decky] += 0; c.State == container.StateRunning {
			run[decky]++
		}
	}
	all := map[string]string{}
	for decky, n := range run {
		switch n {
		case 0:
			all[decky] = "failed"
		case len(services):
			all[decky] = "running"
		default:
			all[decky] = "degraded"
		}
	}
	return all, nil
}
