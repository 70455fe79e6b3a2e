package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// isReady: the first pass is over, or another process makes it, or the database keeps it from beginning. An outage
// makes the daemon degraded; without a READY=1 the service manager would end it.
func isReady(s messages.Status) bool {
	if s.Role == "owner" || s.Role == "standby" || s.Role == "shadow" {
		return true
	}
	// Without the file or Docker a pass is made all the same; without the database there is no lease, and no role.
	return slices.ContainsFunc(s.Components, func(c messages.ComponentStatus) bool {
		return (c.Component == "database" || c.Component == "store") && ailing(c)
	})
}

func ailing(c messages.ComponentStatus) bool { return c.State == "degraded" || c.State == "down" }

// unitStatus is the line `systemctl status` shows, such as "42 deckies, 1 held; docker ok, database ok, bus ok". What
// fails beside these three follows them.
func unitStatus(s messages.Status) string {
	states := map[string]string{}
	for _, c := range s.Components {
		states[c.Component] = c.State
	}
	parts := make([]string, 0, len(s.Components))
	for _, name := range []string{"docker", "database", "bus"} {
		parts = append(parts, name+" "+stateOr(states[name], name))
	}
	for _, c := range s.Components {
		if ailing(c) && c.Component != "docker" && c.Component != "database" && c.Component != "bus" {
			parts = append(parts, c.Component+" "+c.State)
		}
	}
	return role(s) + counts(s) + "; " + strings.Join(parts, ", ")
}

// stateOr: of a component that never reported nothing is known, but for the bus, which reports unless it is off.
func stateOr(state, component string) string {
	switch {
	case state != "":
		return state
	case component == "bus":
		return "off"
	}
	return "unknown"
}

func role(s messages.Status) string {
	if s.Role == "owner" {
		return ""
	}
	return s.Role + ": "
}

func counts(s messages.Status) string {
	total := 0
	for _, n := range s.Deckies {
		total += n
	}
	text := fmt.Sprintf("%d deckies", total)
	if total == 1 {
		text = "1 decky"
	}
	if n := len(s.Held); n > 0 {
		text += fmt.Sprintf(", %d held", n)
	}
	return text
}
