package dockersim

import (
	"fmt"
	"strings"
)

// Fleet describes deckies as DECNET deploys them.
type Fleet struct {
	Deckies  int      // how many
	First    int      // number of the first; 0 means 1: decky-01
	Services []string // of each decky, as the state file names them; nil means ssh, http, smtp
	Project  string   // compose project; "" means decnet
}

// ContainerName is what DECNET calls the container of a service: underscores become dashes, except for smtp_relay,
// whose container keeps its own.
func ContainerName(decky, service string) string {
	if service == "smtp_relay" {
		return decky + "-smtp_relay"
	}
	return decky + "-" + strings.ReplaceAll(service, "_", "-")
}

// DeckyName is what DECNET's command line calls the nth decky.
func DeckyName(n int) string { return fmt.Sprintf("decky-%02d", n) }

// Add puts a running fleet there, base and service containers, as if it had been there all the time: without events.
// It stops at the first name that is taken. The service sniffer has no container.
func (e *Engine) Add(f Fleet) error {
	if f.First == 0 {
		f.First = 1
	}
	if f.Services == nil {
		f.Services = []string{"ssh", "http", "smtp"}
	}
	if f.Project == "" {
		f.Project = "decnet"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for n := f.First; n < f.First+f.Deckies; n++ {
		if err := e.addDecky(f, DeckyName(n)); err != nil {
			return fmt.Errorf("add decky %q: %w", DeckyName(n), err)
		}
	}
	return nil
}

func (e *Engine) addDecky(f Fleet, decky string) error {
	base, err := e.insert(Spec{
		Name: decky, State: "running", Image: "debian:bookworm-slim", Command: "sleep infinity", Network: "decnet_lan",
		Labels: composeLabels(f.Project, decky),
	})
	if err != nil {
		return err
	}
	for _, service := range f.Services {
		if service == "sniffer" {
			continue
		}
		labels := composeLabels(f.Project, decky+"-"+service)
		labels["com.docker.compose.depends_on"] = decky + ":service_started:false"
		labels["decnet.fleet.service"] = "true"
		labels["decnet.fleet.decky"] = decky
		labels["decnet.fleet.service_name"] = service
		if _, err := e.insert(Spec{
			Name: ContainerName(decky, service), State: "running", Image: f.Project + "-" + decky + "-" + service,
			Labels: labels, Network: "container:" + base.rec.id,
		}); err != nil {
			return err
		}
	}
	return nil
}

// composeLabels are the labels docker compose 2 gives to every container, so that lists have their real size.
func composeLabels(project, service string) map[string]string {
	const digest = "f9c6a2fd2ddbc23e336b6257a5245e31f996953ef06cd13a59fa0a1df2d5c252"
	return map[string]string{
		"com.docker.compose.config-hash":          digest,
		"com.docker.compose.container-number":     "1",
		"com.docker.compose.image":                "sha256:" + digest,
		"com.docker.compose.oneoff":               "False",
		"com.docker.compose.project":              project,
		"com.docker.compose.project.config_files": "/opt/decnet/decnet-compose.yml",
		"com.docker.compose.project.working_dir":  "/opt/decnet",
		"com.docker.compose.service":              service,
		"com.docker.compose.version":              "2.26.1",
	}
}
