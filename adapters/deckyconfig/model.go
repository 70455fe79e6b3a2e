package deckyconfig

import "github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"

// fieldID is a field's place in the model: the order in which DECNET writes the keys.
type fieldID int

const (
	name fieldID = iota
	ip
	services
	distro
	baseImage
	buildBase
	hostname
	archetype
	serviceConfig
	nmapOS
	mutateInterval
	lastMutated
	lastLoginAttempt
	hostUUID
	fieldCount
)

// shape is what a field's value must be. DECNET validates strictly: "30" is no integer, 30.0 neither.
type shape int

const (
	text         shape = iota // a string
	textOrNull                // a string or null
	texts                     // a list of strings, at least one
	objects                   // an object of objects
	integer                   // an integer of any size, or null
	floatingTime              // a float; an integer counts, NaN too
)

// field is one field of DECNET's DeckyConfig, as of version 1.2.1; the fields are the same since the first version
// that had a table of deckies.
type field struct {
	key   string
	shape shape
	// absent is what a missing key stands for, as JSON; "" where the key is required.
	absent string
}

// model is DeckyConfig. The default of build_base was "debian:bookworm-slim" before DECNET pinned it; every file that
// DECNET wrote spells it out, so the difference shows only in files written by hand.
var model = [fieldCount]field{
	name:             {"name", text, ""},
	ip:               {"ip", text, ""},
	services:         {"services", texts, ""},
	distro:           {"distro", text, ""},
	baseImage:        {"base_image", text, ""},
	buildBase:        {"build_base", text, `"debian:bookworm-slim@sha256:f9c6a2fd2ddbc23e336b6257a5245e31f996953ef06cd13a59fa0a1df2d5c252"`},
	hostname:         {"hostname", text, ""},
	archetype:        {"archetype", textOrNull, "null"},
	serviceConfig:    {"service_config", objects, "{}"},
	nmapOS:           {"nmap_os", text, `"linux"`},
	mutateInterval:   {"mutate_interval", integer, "null"},
	lastMutated:      {"last_mutated", floatingTime, "0.0"},
	lastLoginAttempt: {"last_login_attempt", floatingTime, "0.0"},
	hostUUID:         {"host_uuid", textOrNull, "null"},
}

// lookup finds a field by its key.
func lookup(key []byte) (fieldID, bool) {
	switch string(key) {
	case "name":
		return name, true
	case "ip":
		return ip, true
	case "services":
		return services, true
	case "distro":
		return distro, true
	case "base_image":
		return baseImage, true
	case "build_base":
		return buildBase, true
	case "hostname":
		return hostname, true
	case "archetype":
		return archetype, true
	case "service_config":
		return serviceConfig, true
	case "nmap_os":
		return nmapOS, true
	case "mutate_interval":
		return mutateInterval, true
	case "last_mutated":
		return lastMutated, true
	case "last_login_attempt":
		return lastLoginAttempt, true
	case "host_uuid":
		return hostUUID, true
	}
	return 0, false
}

// fields sorts the members of an entry into the model. Fields that are not there stay missing; unknown is called for
// every other key.
func fields(entry pyjson.Value, unknown func(key, value pyjson.Value)) (f [fieldCount]pyjson.Value) {
	for k, v := range entry.Members() {
		if id, known := lookup(k.Text()); known {
			f[id] = v
		} else {
			unknown(k, v)
		}
	}
	return f
}
