package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// sampleDecky is an entry of the demo's state file. The keys are DECNET's.
type sampleDecky struct {
	Name      string   `json:"name"`
	IP        string   `json:"ip"`
	Services  []string `json:"services"`
	Distro    string   `json:"distro"`
	BaseImage string   `json:"base_image"`
	Hostname  string   `json:"hostname"`
	Archetype string   `json:"archetype"`
}

// sampleRoles are the fake machines of the demo: what an intruder would expect in a small company.
var sampleRoles = []sampleDecky{
	{Archetype: "linux-server", Distro: "debian", BaseImage: "debian:bookworm-slim", Hostname: "web", Services: []string{"ssh", "http"}},
	{Archetype: "mail-server", Distro: "debian", BaseImage: "debian:bookworm-slim", Hostname: "mail", Services: []string{"smtp_relay", "imap"}},
	{Archetype: "database-server", Distro: "ubuntu22", BaseImage: "ubuntu:22.04", Hostname: "db", Services: []string{"ssh", "mysql", "redis"}},
	{Archetype: "windows-server", Distro: "debian", BaseImage: "debian:bookworm-slim", Hostname: "files", Services: []string{"smb", "rdp"}},
	{Archetype: "devops-host", Distro: "ubuntu22", BaseImage: "ubuntu:22.04", Hostname: "ci", Services: []string{"docker_api", "k8s"}},
}

// sampleFleet makes n deckies; 0 means 25.
func sampleFleet(n int) []sampleDecky {
	if n <= 0 {
		n = 25
	}
	fleet := make([]sampleDecky, 0, n)
	for i := range n {
		d := sampleRoles[i%len(sampleRoles)]
		d.Name = fmt.Sprintf("decky-%02d", i+1)
		d.IP = fmt.Sprintf("10.77.%d.%d", i/250, i%250+2)
		d.Hostname = fmt.Sprintf("%s-%02d", d.Hostname, i/len(sampleRoles)+1)
		fleet = append(fleet, d)
	}
	return fleet
}

func writeSample(path string, fleet []sampleDecky) error {
	text, err := json.MarshalIndent(map[string]any{
		"config": map[string]any{"mode": "unihost", "interface": "eth0", "subnet": "10.77.0.0/16", "gateway": "10.77.0.1",
			"deckies": fleet},
		"compose_path": "decnet-compose.yml",
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the sample fleet: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write the sample fleet: %w", err)
	}
	return nil
}
