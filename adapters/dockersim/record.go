package dockersim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	units "github.com/docker/go-units"
)

// Spec describes a container to be created.
type Spec struct {
	Name   string // "" takes a name of the engine's choice
	Image  string // "" means decnet/base:latest
	Labels map[string]string
	// State is created, running, paused, restarting, removing, exited or dead; "" means created. Any other text is
	// taken as it is, for tests of hostile lists.
	State string
	// Network is the network mode: "none", "decnet_lan", "container:<id>". "" means none.
	Network string
	Command string // shown only
}

// record is one container at one moment. It never changes, so lists and events read it without a lock.
type record struct {
	id, name, image, state, health string
	labels                         map[string]string
	since                          time.Time // of the state
	exit                           int
	// head and tail are the JSON of a list's element before and after state and status; attrs is the inside of the
	// attributes of an event. Made once: a list of 30,000 containers is then little more than a copy.
	head, tail, attrs []byte
	word              string // state as JSON
	created           int64
	network, command  string
}

func newRecord(id string, spec Spec, now time.Time) *record {
	r := &record{
		id: id, name: spec.Name, image: spec.Image, labels: maps.Clone(spec.Labels), state: spec.State,
		since: now, created: now.Unix(), network: spec.Network, command: spec.Command,
	}
	if r.image == "" {
		r.image = "decnet/base:latest"
	}
	if r.state == "" {
		r.state = "created"
	}
	if r.network == "" {
		r.network = "none"
	}
	if r.command == "" {
		r.command = "/entrypoint.sh"
	}
	r.word = quote(r.state)
	r.encode()
	return r
}

// quote encodes a text as Docker's encoder does.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(b)
}

func (r *record) encode() {
	pairs := make([]byte, 0, 512)
	for _, k := range slices.Sorted(maps.Keys(r.labels)) {
		pairs = append(pairs, quote(k)+":"+quote(r.labels[k])+","...)
	}
	labels := pairs[:max(len(pairs)-1, 0)]
	const digest = `sha256:f9c6a2fd2ddbc23e336b6257a5245e31f996953ef06cd13a59fa0a1df2d5c252`
	r.head = fmt.Appendf(nil, `{"Id":%s,"Names":[%s],"Image":%s,"ImageID":"`+digest+`","Command":%s,"Created":%d,`+
		`"Ports":[],"Labels":{%s},"State":`,
		quote(r.id), quote("/"+r.name), quote(r.image), quote(r.command), r.created, labels)
	network := r.network
	if network == "none" || network == "decnet_lan" {
		network = quote(network) + `:{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,` +
			`"NetworkID":"d90c8973068079aa5635d6606b91d13b25b7e1e1945195626a23c2e2b5e575b4","EndpointID":"","Gateway":"",` +
			`"IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}`
	} else {
		network = ""
	}
	r.tail = fmt.Appendf(nil, `,"HostConfig":{"NetworkMode":%s},"NetworkSettings":{"Networks":{%s}},"Mounts":[]}`,
		quote(r.network), network)
	r.attrs = fmt.Appendf(nil, `%s"image":%s,"name":%s`, pairs, quote(r.image), quote(r.name))
}

// with gives the record in another state.
func (r *record) with(state string, exit int, now time.Time) *record {
	n := *r
	n.state, n.word, n.exit, n.since = state, quote(state), exit, now
	if state != "running" {
		n.health = ""
	}
	return &n
}

// renamed gives the record under another name.
func (r *record) renamed(name string) *record {
	n := *r
	n.name = name
	n.encode()
	return &n
}

// appendJSON appends the element of a list.
func (r *record) appendJSON(b []byte, now time.Time) []byte {
	b = append(b, r.head...)
	b = append(b, r.word...)
	b = append(b, `,"Status":`...)
	b = strconv.AppendQuote(b, r.status(now))
	return append(b, r.tail...)
}

// status says it as "docker ps" shows it.
func (r *record) status(now time.Time) string {
	ago := units.HumanDuration(max(now.Sub(r.since), 0))
	switch r.state {
	case "running":
		if r.health == "starting" {
			return "Up " + ago + " (health: starting)"
		}
		if r.health != "" {
			return "Up " + ago + " (" + r.health + ")"
		}
		return "Up " + ago
	case "paused":
		return "Up " + ago + " (Paused)"
	case "exited":
		return fmt.Sprintf("Exited (%d) %s ago", r.exit, ago)
	case "restarting":
		return fmt.Sprintf("Restarting (%d) %s ago", r.exit, ago)
	case "removing":
		return "Removal In Progress"
	case "dead":
		return "Dead"
	case "created":
		return "Created"
	}
	return ""
}

// up says whether a process runs.
func (r *record) up() bool {
	return r.state == "running" || r.state == "paused" || r.state == "restarting"
}
