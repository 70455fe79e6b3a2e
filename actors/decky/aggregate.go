package decky

import (
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// singletons are services that run once per fleet, not once per decky: DECNET's composer gives them no container.
// Source: fleet_singleton in DECNET's service registry.
var singletons = map[string]bool{"sniffer": true}

// expected lists the services a decky should have a container for, sorted, in the spelling of container names.
func expected(services []string) []string {
	out := make([]string, 0, len(services))
	for _, s := range services {
		if !singletons[s] {
			out = append(out, strings.ReplaceAll(s, "_", "-"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// aggregate is the state that the containers of the expected services add up to. ok is false where nothing is
// expected: then there is no state to speak of.
func aggregate(want []string, seen []messages.ServiceSeen) (state messages.State, ok bool) {
	if len(want) == 0 {
		return "", false
	}
	found, running := 0, 0
	for _, svc := range want {
		switch state, there := best(svc, seen); {
		case !there:
		case state == "running":
			found, running = found+1, running+1
		default:
			found++
		}
	}
	switch {
	case found == 0:
		return messages.TornDown, true
	case running == len(want):
		return messages.Running, true
	case running == 0:
		return messages.Failed, true
	}
	return messages.Degraded, true
}

// best is the state of the container that counts for a service: while compose recreates one there are two.
func best(svc string, seen []messages.ServiceSeen) (state string, there bool) {
	for _, s := range seen {
		if s.Service == svc && (!there || rank(s.State) > rank(state)) {
			state, there = s.State, true
		}
	}
	return state, there
}

func rank(state string) int {
	switch state {
	case "running":
		return 3
	case "paused", "restarting", "created":
		return 2
	case "exited", "dead", "removing":
		return 1
	}
	return 0
}

// up counts the expected services that run.
func up(want []string, seen []messages.ServiceSeen) int {
	n := 0
	for _, svc := range want {
		if state, _ := best(svc, seen); state == "running" {
			n++
		}
	}
	return n
}
