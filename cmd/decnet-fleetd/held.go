package main

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// heldGroup is a set of deckies that are held alike.
type heldGroup struct {
	messages.Held
	names []string
}

// groupHeld says each thing that is held once, whomever it concerns. The order is that of the first name.
func groupHeld(held []messages.DeckyHeld) []heldGroup {
	at := map[messages.Held]int{}
	var groups []heldGroup
	for _, h := range held {
		i, known := at[h.Held]
		if !known {
			i = len(groups)
			at[h.Held] = i
			groups = append(groups, heldGroup{Held: h.Held})
		}
		groups[i].names = append(groups[i].names, h.Name)
	}
	return groups
}

func (g heldGroup) text() string { return g.What + " of " + some(g.names) + ": " + g.Why }

// remedy is what ends it; "" where it ends by itself and nobody knows when.
func (g heldGroup) remedy() string {
	switch {
	case g.Hash != "":
		return "approve with `decnet-fleetd approve " + g.Hash + "`"
	case !g.Until.IsZero():
		return "it ends by itself, at " + g.Until.UTC().Format(time.RFC3339) + " at the latest"
	}
	return ""
}

func (g heldGroup) line() string {
	if r := g.remedy(); r != "" {
		return "held: " + g.text() + "; " + r
	}
	return "held: " + g.text()
}
