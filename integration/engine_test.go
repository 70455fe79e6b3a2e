package integration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// testImage is what services.sh imports: the sleeper and nothing else.
const testImage = "decnet-fleetd-it:latest"

// engine is a Docker Engine, driven through its API.
type engine struct {
	host string
	api  *client.Client
}

func connect(t *testing.T, host string) *engine {
	t.Helper()
	api, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	must(t, err)
	t.Cleanup(func() { _ = api.Close() })
	return &engine{host: host, api: api}
}

// sharedEngine is the one services.sh runs. Tests that use it make deckies of their own names and remove them.
func sharedEngine(t *testing.T) *engine {
	t.Helper()
	e := connect(t, need(t, "IT_DOCKER_HOST"))
	if _, err := e.api.Ping(t.Context()); err != nil {
		lack(t, "the engine at %s does not answer: %v", e.host, err)
	}
	return e
}

// spec is a container to be made.
type spec struct {
	name    string
	labels  map[string]string
	policy  container.RestartPolicyMode
	args    []string
	created bool // made, never started
}

// composed is what compose makes of a service of a project.
func composed(name, project, service string) spec {
	return spec{name: name, policy: container.RestartPolicyUnlessStopped, labels: map[string]string{
		"com.docker.compose.project": project, "com.docker.compose.service": service,
		"com.docker.compose.oneoff": "False",
	}}
}

// baseOf is the container that holds a decky's network; it bears no label of DECNET's.
func baseOf(decky string) spec { return composed(decky, "decnet", decky) }

// serviceOf is a service container as DECNET's composer makes it: underscores become dashes in the name, but not for
// smtp_relay.
func serviceOf(decky, service string) spec {
	suffix := strings.ReplaceAll(service, "_", "-")
	if service == "smtp_relay" {
		suffix = service
	}
	s := composed(decky+"-"+suffix, "decnet", decky+"-"+service)
	s.labels["decnet.fleet.service"] = "true"
	s.labels["decnet.fleet.decky"] = decky
	s.labels["decnet.fleet.service_name"] = service
	return s
}

// with gives a copy with further labels: key, value, key, value.
func (s spec) with(labels ...string) spec {
	all := maps.Clone(s.labels)
	for i := 0; i+1 < len(labels); i += 2 {
		all[labels[i]] = labels[i+1]
	}
	s.labels = all
	return s
}

// bare gives a copy without any label, as containers older than DECNET's labels and outside compose are.
func (s spec) bare() spec {
	s.labels = nil
	return s
}

// stillborn gives a copy that is made, but never started.
func (s spec) stillborn() spec {
	s.created = true
	return s
}

func (s spec) named(name string) spec {
	s.name = name
	return s
}

// run makes and starts a container; it goes with the test.
func (e *engine) run(t *testing.T, s spec) string {
	t.Helper()
	made, err := e.api.ContainerCreate(t.Context(),
		&container.Config{Image: testImage, Labels: s.labels, Cmd: s.args},
		&container.HostConfig{NetworkMode: "none", RestartPolicy: container.RestartPolicy{Name: s.policy}}, nil, nil, s.name)
	if err != nil {
		t.Fatalf("create container %q: %v", s.name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), soon) // the test's own context has ended
		defer cancel()
		err := e.api.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true})
		if err != nil && !errdefs.IsNotFound(err) && !client.IsErrConnectionFailed(err) {
			t.Errorf("remove container %q: %v", s.name, err)
		}
	})
	if !s.created {
		e.start(t, made.ID)
	}
	return made.ID
}

// fleet makes the containers of n deckies prefix-01, prefix-02, …, base and services, all labelled, and gives the
// declarations that fit.
func (e *engine) fleet(t *testing.T, prefix string, n int, services ...string) []entry {
	t.Helper()
	var deckies []entry
	for i := range n {
		d := declare(fmt.Sprintf("%s-%02d", prefix, i+1), services...)
		e.run(t, baseOf(d.Name))
		for _, service := range services {
			e.run(t, serviceOf(d.Name, service))
		}
		deckies = append(deckies, d)
	}
	return deckies
}

// The operations take names or ids, and do not return before the engine says it is done.

func (e *engine) start(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerStart(t.Context(), id, container.StartOptions{}))
}

func (e *engine) stop(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerStop(t.Context(), id, container.StopOptions{}))
}

// kill is `docker kill`: the engine knows of it, so no restart policy applies.
func (e *engine) kill(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerKill(t.Context(), id, "KILL"))
}

// crash kills the container's first process behind the engine's back.
func (e *engine) crash(t *testing.T, id string) {
	t.Helper()
	must(t, syscall.Kill(e.pid(t, id), syscall.SIGKILL))
}

func (e *engine) pid(t *testing.T, id string) int {
	t.Helper()
	c, err := e.api.ContainerInspect(t.Context(), id)
	must(t, err)
	if c.State.Pid == 0 {
		t.Fatalf("container %s does not run: %s", id, c.State.Status)
	}
	return c.State.Pid
}

func (e *engine) pause(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerPause(t.Context(), id))
}

func (e *engine) unpause(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerUnpause(t.Context(), id))
}

func (e *engine) rename(t *testing.T, id, name string) {
	t.Helper()
	must(t, e.api.ContainerRename(t.Context(), id, name))
}

func (e *engine) remove(t *testing.T, id string) {
	t.Helper()
	must(t, e.api.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
}

// aggregate says what the row of a decky with labelled containers must show: DECNET's rule, worked out again.
func (e *engine) aggregate(t *testing.T, decky string, services ...string) string {
	t.Helper()
	list, err := e.api.ContainerList(t.Context(), container.ListOptions{All: true})
	must(t, err)
	states := map[string]string{}
	for _, c := range list {
		if c.Labels["decnet.fleet.decky"] == decky {
			states[c.Labels["decnet.fleet.service_name"]] = c.State
		}
	}
	seen, running := 0, 0
	for _, service := range services {
		if states[service] != "" {
			seen++
		}
		if states[service] == container.StateRunning {
			running++
		}
	}
	switch {
	case seen == 0:
		return "torn_down"
	case running == len(services):
		return "running"
	case running == 0:
		return "failed"
	}
	return "degraded"
}

// sock is the path of the engine's socket.
func (e *engine) sock() string { return strings.TrimPrefix(e.host, "unix://") }

// answers is what a started engine must do before anything else makes sense.
func (e *engine) answers() error {
	ctx, cancel := context.WithTimeout(context.Background(), prompt)
	defer cancel()
	if _, err := e.api.Ping(ctx); err != nil {
		return errors.Join(fmt.Errorf("engine %s", filepath.Dir(e.sock())), err)
	}
	return nil
}
