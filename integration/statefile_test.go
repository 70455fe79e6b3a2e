package integration

import (
	"encoding/json"
	"hash/crc32"
	"net/netip"
	"os"
	"testing"
)

// entry is a decky of decnet-state.json, in DECNET's order of keys.
type entry struct {
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

// declare makes an entry; its address follows from the name.
func declare(name string, services ...string) entry {
	h := crc32.ChecksumIEEE([]byte(name))
	ip := netip.AddrFrom4([4]byte{10, byte(h >> 16), byte(h >> 8), byte(h)})
	return entry{
		Name: name, IP: ip.String(), Services: services, Distro: "debian", BaseImage: "debian:bookworm-slim",
		BuildBase: "debian:bookworm-slim", Hostname: "srv-" + name, ServiceConfig: map[string]any{}, NmapOS: "linux",
	}
}

// writeState writes the file as DECNET does: truncated and written in place, neither renamed nor locked.
func writeState(t *testing.T, path string, deckies ...entry) {
	t.Helper()
	text, err := json.MarshalIndent(map[string]any{
		"config": map[string]any{
			"mode": "unihost", "interface": "eth0", "subnet": "10.0.0.0/8", "gateway": "10.0.0.1",
			"deckies": deckies, "log_file": nil, "ipvlan": false, "mutate_interval": 30,
		},
		"compose_path": "decnet-compose.yml",
	}, "", "  ")
	must(t, err)
	must(t, os.WriteFile(path, text, 0o644)) //nolint:gosec // as DECNET's umask makes it
}

// overwrite puts any text in the file's place, in place.
func overwrite(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644)) //nolint:gosec // as DECNET's umask makes it
}
