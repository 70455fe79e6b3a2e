package fleet

import (
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// owner is a decky that a container may belong to.
type owner struct {
	decky   string
	service string // in the spelling of container names; "" for the base container
}

// roster says which deckies there are and which services each declares or is recorded with.
type roster interface {
	serves(decky, service string) bool // service in the spelling of container names
	known(decky string) bool
}

// fleetProject is the compose project of a fleet. Source: DECNET's deployer, `docker compose -p decnet`.
const fleetProject = "decnet"

// attribute lists whose container c can be. Labels decide; only an unlabelled container is judged by its name, and
// only that can be ambiguous: `a-b-c` is service b-c of a or service c of a-b.
func attribute(c messages.Container, r roster) []owner {
	switch {
	case c.Stranger:
		return nil
	case c.Decky != "" && c.Service != "":
		return []owner{{c.Decky, spelled(c.Service)}}
	case c.Decky != "" || c.Service != "" || c.Project != "" && c.Project != fleetProject:
		return nil
	}
	var owners []owner
	if r.known(c.Name) {
		owners = append(owners, owner{decky: c.Name})
	}
	for i := 1; i < len(c.Name)-1; i++ {
		if c.Name[i] != '-' {
			continue
		}
		if o := (owner{c.Name[:i], spelled(c.Name[i+1:])}); r.serves(o.decky, o.service) {
			owners = append(owners, o)
		}
	}
	return owners
}

// spelled writes a service as container names do. DECNET spells smtp_relay as is, the others with a dash.
func spelled(service string) string { return strings.ReplaceAll(service, "_", "-") }
