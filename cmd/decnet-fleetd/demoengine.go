package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
)

// engineStage is the engine the demo's containers live in.
type engineStage struct {
	host string // as DOCKER_HOST has it
	what string // for people
	real bool
	end  func()
}

// kill is a command line that kills a container. Without a docker client it speaks to the API itself.
func (e engineStage) kill(name string) string { return e.command("kill", name) }

func (e engineStage) start(name string) string { return e.command("start", name) }

func (e engineStage) command(verb, name string) string {
	if _, err := exec.LookPath("docker"); err == nil {
		if e.host == "" {
			return "docker " + verb + " " + name
		}
		return "docker -H " + e.host + " " + verb + " " + name
	}
	return "curl --unix-socket " + strings.TrimPrefix(e.host, "unix://") + " -X POST http://docker/containers/" + name + "/" + verb
}

// engine takes the real engine if it was asked for and answers, the simulator otherwise.
func (d *demo) engine(ctx context.Context) (engineStage, error) {
	if d.o.Docker {
		stage, err := d.realEngine(ctx)
		if err == nil || ctx.Err() != nil {
			return stage, err
		}
		fmt.Fprintf(d.o.Out, "Docker cannot be used (%v): simulating an engine instead.\n", err)
	}
	return d.simulator(ctx)
}

// simulator serves the sample fleet on a socket in the demo's directory.
func (d *demo) simulator(ctx context.Context) (engineStage, error) {
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	if err != nil {
		return engineStage{}, err
	}
	for _, spec := range d.containers() {
		if _, err := sim.Create(dockersim.Spec{Name: spec.name, Image: spec.image, Labels: spec.labels, State: "running"}); err != nil {
			return engineStage{}, fmt.Errorf("simulate container %q: %w", spec.name, err)
		}
	}
	socket := filepath.Join(d.dir, "docker.sock")
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // it outlives the fleet that watches it
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := sim.Serve(ctx, socket); err != nil {
			d.log.Error().Err(err).Msg("engine simulator ended")
		}
	}()
	return engineStage{host: "unix://" + socket, what: "a simulated Docker engine", end: func() { cancel(); <-done }}, nil
}

// demoContainer is a container of the sample fleet.
type demoContainer struct {
	name, image string
	labels      map[string]string
}

// demoImage holds nothing but this program, which waits in it.
const demoImage = "decnet-fleetd-demo:latest"

// containers are those DECNET's composer would make: a base without labels, and a labelled one a service.
func (d *demo) containers() []demoContainer {
	var all []demoContainer
	for _, x := range d.deckies {
		all = append(all, demoContainer{name: x.Name, image: demoImage, labels: map[string]string{"com.docker.compose.project": "decnet"}})
		for _, svc := range x.Services {
			all = append(all, demoContainer{name: dockersim.ContainerName(x.Name, svc), image: demoImage, labels: map[string]string{
				"com.docker.compose.project": "decnet", "decnet.fleet.service": "true",
				"decnet.fleet.decky": x.Name, "decnet.fleet.service_name": svc}})
		}
	}
	return all
}

// realEngine makes the containers in the engine that answers.
func (d *demo) realEngine(ctx context.Context) (engineStage, error) {
	opts := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if d.o.Host != "" {
		opts = append(opts, client.WithHost(d.o.Host))
	}
	api, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return engineStage{}, err
	}
	if _, err := api.Ping(ctx); err != nil {
		return engineStage{}, errors.Join(err, api.Close())
	}
	r := &realFleet{api: api, out: d.o.Out}
	stage := engineStage{host: api.DaemonHost(), what: "Docker at " + api.DaemonHost(), real: true, end: r.remove}
	if err := r.make(ctx, d.containers()); err != nil {
		r.remove()
		return engineStage{}, err
	}
	return stage, nil
}

// realFleet is the sample fleet in a real engine.
type realFleet struct {
	api  *client.Client
	out  io.Writer
	made []string
}

func (r *realFleet) make(ctx context.Context, specs []demoContainer) error {
	if err := r.importSelf(ctx); err != nil {
		return err
	}
	for i, s := range specs {
		if err := r.run(ctx, s); err != nil {
			return err
		}
		fmt.Fprintf(r.out, "\rstarting containers: %d of %d", i+1, len(specs))
	}
	fmt.Fprintln(r.out)
	return nil
}

func (r *realFleet) run(ctx context.Context, s demoContainer) error {
	made, err := r.api.ContainerCreate(ctx, &container.Config{Image: s.image, Labels: s.labels, Entrypoint: []string{"/decnet-fleetd"},
		Cmd: []string{"demo", "--idle"}}, &container.HostConfig{NetworkMode: "none"}, nil, nil, s.name)
	if err != nil {
		return fmt.Errorf("create container %q: %w (a real fleet or another demo may have that name)", s.name, err)
	}
	r.made = append(r.made, made.ID)
	if err := r.api.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return fmt.Errorf("start container %q: %w", s.name, err)
	}
	return nil
}

// importSelf makes an image of this one static program: no registry is needed.
func (r *realFleet) importSelf(ctx context.Context) error {
	path, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	self, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read this program: %w", err)
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	if err := t.WriteHeader(&tar.Header{Name: "decnet-fleetd", Mode: 0o755, Size: int64(len(self))}); err != nil {
		return fmt.Errorf("pack this program: %w", err)
	}
	if _, err := t.Write(self); err != nil {
		return fmt.Errorf("pack this program: %w", err)
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("pack this program: %w", err)
	}
	reply, err := r.api.ImageImport(ctx, image.ImportSource{Source: &b, SourceName: "-"}, demoImage, image.ImportOptions{})
	if err != nil {
		return fmt.Errorf("import image %q: %w", demoImage, err)
	}
	defer func() { _ = reply.Close() }() // its text was read to the end
	_, err = io.Copy(io.Discard, reply)
	return err
}

// removeWithin bounds the clean-up. Source: 0.1 s a container, and a hundred of them.
const removeWithin = time.Minute

// remove takes everything away that was made, also after Ctrl-C.
func (r *realFleet) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), removeWithin)
	defer cancel()
	for _, id := range r.made {
		if err := r.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true}); err != nil {
			fmt.Fprintf(r.out, "container %.12s is left: %v\n", id, err)
		}
	}
	_, _ = r.api.ImageRemove(ctx, demoImage, image.RemoveOptions{Force: true}) // it may be another demo's too
	_ = r.api.Close()
}
