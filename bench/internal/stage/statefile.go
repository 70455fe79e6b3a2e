package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Decky is an entry of decnet-state.json, in DECNET's order of keys.
type Decky struct {
	Name             string         `json:"name"`
	IP               string         `json:"ip"`
	Services         []string       `json:"services"`
	Distro           string         `json:"distro"`
	BaseImage        string         `json:"base_image"`
	BuildBase        string         `json:"build_base"`
	Hostname         string         `json:"hostname"`
	Archetype        *string        `json:"archetype"`
	ServiceConfig    map[string]any `json:"service_config"`
	NmapOS           string         `json:"nmap_os"`
	MutateInterval   *int           `json:"mutate_interval"`
	LastMutated      float64        `json:"last_mutated"`
	LastLoginAttempt float64        `json:"last_login_attempt"`
	HostUUID         *string        `json:"host_uuid"`
}

// Services are those of every decky here.
func Services() []string { return []string{"ssh", "http", "smtp"} }

// Fleet declares n deckies named as DECNET's command line names them, from the first number on.
func Fleet(first, n int, services ...string) []Decky {
	all := make([]Decky, n)
	for i := range all {
		k := first + i
		name := fmt.Sprintf("decky-%02d", k)
		all[i] = Decky{
			Name: name, IP: fmt.Sprintf("10.%d.%d.%d", k>>16, k>>8&255, k&255), Services: services, Distro: "debian",
			BaseImage: "debian:bookworm-slim", Hostname: "srv-" + name, ServiceConfig: map[string]any{}, NmapOS: "linux",
			BuildBase: "debian:bookworm-slim@sha256:f9c6a2fd2ddbc23e336b6257a5245e31f996953ef06cd13a59fa0a1df2d5c252",
		}
	}
	return all
}

// Declare writes the state file as DECNET does: truncated and written in place, neither renamed nor locked.
func (h *Host) Declare(deckies []Decky) error {
	_, err := h.DeclareAt(deckies)
	return err
}

// DeclareAt does the same and gives the moment before the file was touched, in nanoseconds since the epoch.
func (h *Host) DeclareAt(deckies []Decky) (int64, error) {
	text, err := json.MarshalIndent(map[string]any{
		"config": map[string]any{
			"mode": "unihost", "interface": "eth0", "subnet": "10.0.0.0/8", "gateway": "10.0.0.1",
			"deckies": deckies, "log_file": nil, "ipvlan": false, "mutate_interval": 30,
		},
		"compose_path": "decnet-compose.yml",
	}, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("encode the state file: %w", err)
	}
	at := time.Now().UnixNano()
	return at, os.WriteFile(h.Path("decnet-state.json"), text, 0o644) //nolint:gosec // as DECNET's umask makes it
}
