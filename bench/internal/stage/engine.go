package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// Engine is a Docker Engine, real or simulated, driven through its API.
type Engine struct {
	Host   string
	api    *client.Client
	Events *Feed[EngineEvent]
}

// EngineEvent is what the engine told of a container.
type EngineEvent struct {
	Container string // its name
	Action    string
	At        int64 // timeNano
}

// Connect opens the API.
func Connect(ctx context.Context, host string) (*Engine, error) {
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("connect to the engine %s: %w", host, err)
	}
	e := &Engine{Host: host, api: api, Events: NewFeed[EngineEvent]()}
	err = Until(ctx, patience, func() error { _, err := api.Ping(ctx); return err })
	if err != nil {
		return nil, fmt.Errorf("ping the engine %s: %w", host, err)
	}
	return e, nil
}

// Listen follows the events of containers until ctx ends. It costs: where thousands come at once, leave it.
func (e *Engine) Listen(ctx context.Context) {
	go func() { e.Events.end(e.hear(ctx)) }()
}

// ListenOn is Listen for an engine that dies and comes back: what happens until it is heard again is missed.
func (e *Engine) ListenOn(ctx context.Context) {
	go func() {
		again := time.NewTicker(time.Second) // chosen; nothing depends on it
		defer again.Stop()
		for {
			err := e.hear(ctx)
			select {
			case <-ctx.Done():
				e.Events.end(err)
				return
			case <-again.C:
			}
		}
	}()
}

// hear adds events until the stream ends, and gives why.
func (e *Engine) hear(ctx context.Context) error {
	heard, failed := e.api.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "container"))})
	for {
		select {
		case m := <-heard:
			e.Events.Add(EngineEvent{m.Actor.Attributes["name"], string(m.Action), m.TimeNano})
		case err := <-failed:
			return err
		}
	}
}

// API is the client itself.
func (e *Engine) API() *client.Client { return e.api }

// Start starts containers by name, some at a time: a real engine takes a third of a second for each.
func (e *Engine) Start(ctx context.Context, names []string) error {
	failed := make(chan error)
	lanes := make(chan struct{}, 4) // chosen; nothing depends on it
	for _, name := range names {
		go func() {
			lanes <- struct{}{}
			err := e.api.ContainerStart(ctx, name, container.StartOptions{})
			<-lanes
			failed <- err
		}()
	}
	var all []error
	for range names {
		all = append(all, <-failed)
	}
	return errors.Join(all...)
}

// Kill is `docker kill`; where the container is a real one Crash is what happens to honeypots.
func (e *Engine) Kill(ctx context.Context, name string) error {
	return e.api.ContainerKill(ctx, name, "KILL")
}

// Crash kills the container's first process behind the engine's back.
func (e *Engine) Crash(pid int) error {
	if pid <= 1 {
		return fmt.Errorf("kill process %d: no process of a container", pid)
	}
	return syscall.Kill(pid, syscall.SIGKILL)
}

// PID is the first process of a running container.
func (e *Engine) PID(ctx context.Context, name string) (int, error) {
	c, err := e.api.ContainerInspect(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("inspect %q: %w", name, err)
	}
	return c.State.Pid, nil
}

// Image is what integration/services.sh imports: a program that sleeps.
const Image = "decnet-fleetd-it:latest"

// Create makes and starts the containers of deckies as DECNET's compose does, base and services.
func (e *Engine) Create(ctx context.Context, deckies []Decky, policy container.RestartPolicyMode) error {
	var names []string
	for _, d := range deckies {
		if err := e.make(ctx, d.Name, ComposeLabels(d.Name, ""), policy); err != nil {
			return err
		}
		names = append(names, d.Name)
		for _, service := range d.Services {
			name := d.Name + "-" + strings.ReplaceAll(service, "_", "-")
			if err := e.make(ctx, name, ComposeLabels(d.Name, service), policy); err != nil {
				return err
			}
			names = append(names, name)
		}
	}
	return e.Start(ctx, names)
}

func (e *Engine) make(ctx context.Context, name string, labels map[string]string, policy container.RestartPolicyMode) error {
	_, err := e.api.ContainerCreate(ctx, &container.Config{Image: Image, Labels: labels},
		&container.HostConfig{NetworkMode: "none", RestartPolicy: container.RestartPolicy{Name: policy}}, nil, nil, name)
	if err != nil {
		return fmt.Errorf("create container %q: %w", name, err)
	}
	return nil
}

// Remake removes a service container and makes and starts it again, as compose does.
func (e *Engine) Remake(ctx context.Context, decky, service string, policy container.RestartPolicyMode) error {
	name := decky + "-" + service
	if err := e.api.ContainerRemove(ctx, name, container.RemoveOptions{Force: true}); err != nil {
		return fmt.Errorf("remove container %q: %w", name, err)
	}
	if err := e.make(ctx, name, ComposeLabels(decky, service), policy); err != nil {
		return err
	}
	return e.api.ContainerStart(ctx, name, container.StartOptions{})
}

// ourLabel marks the containers that measuring made.
const ourLabel = "decnet-fleetd.bench"

// ComposeLabels are those of a service container, or of the base container if service is "".
func ComposeLabels(decky, service string) map[string]string {
	l := map[string]string{ourLabel: "", "com.docker.compose.project": "decnet", "com.docker.compose.oneoff": "False",
		"com.docker.compose.service": decky}
	if service != "" {
		l["com.docker.compose.service"] = decky + "-" + service
		l["decnet.fleet.service"], l["decnet.fleet.decky"], l["decnet.fleet.service_name"] = "true", decky, service
	}
	return l
}

// Remove removes what Create made, in this run or in one that was interrupted, and nothing else.
func (e *Engine) Remove(ctx context.Context) error {
	all, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", ourLabel))})
	for _, c := range all {
		err = errors.Join(err, e.api.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true}))
	}
	return err
}

// Flip asks the simulator to kill the first service of each of the n oldest deckies at once, or to start it again.
func (e *Engine) Flip(ctx context.Context, n int) error {
	return e.control(ctx, http.MethodPost, fmt.Sprintf("flip?n=%d", n), nil)
}

// Storm asks the simulator for so many events a second among its oldest containers, and gives how many there were when they
// are over.
func (e *Engine) Storm(ctx context.Context, rate, oldest int, during time.Duration) (int, error) {
	var said struct{ Events int }
	err := e.control(ctx, http.MethodPost, fmt.Sprintf("storm?rate=%d&seconds=%g&of=%d", rate, during.Seconds(), oldest), &said)
	return said.Events, err
}

// SimStats are the simulator's counters.
type SimStats struct{ Lists, Looks, Inspects, Streams, Events, Lost int64 }

// Stats asks the simulator for its counters.
func (e *Engine) Stats(ctx context.Context) (s SimStats, err error) {
	return s, e.control(ctx, http.MethodGet, "stats", &s)
}

func (e *Engine) control(ctx context.Context, method, what string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://sim/_sim/"+what, nil)
	if err != nil {
		return err
	}
	resp, err := e.api.HTTPClient().Do(req)
	if err != nil {
		return fmt.Errorf("ask the simulator for %s: %w", what, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the simulator for %s: %s", what, resp.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

// Until looks every 5 ms until look has no complaint left; the last one is in the error.
func Until(ctx context.Context, within time.Duration, look func() error) error {
	limit, tick := time.NewTimer(within), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			return fmt.Errorf("not within %v: %w", within, err)
		case <-tick.C:
		}
	}
}

// Version is what the engine says of itself.
func (e *Engine) Version(ctx context.Context) (string, error) {
	v, err := e.api.ServerVersion(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the engine for its version: %w", err)
	}
	return "Docker " + v.Version, nil
}
