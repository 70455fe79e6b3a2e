package view

import (
	"encoding/json"

	"github.com/decnet/decnet-fleetd/messages"
)

// committed turns what the store committed into events. The payload is kept as the bus has it.
func (v *View) committed(m messages.OutboxAppended) {
	for _, r := range m.Rows {
		var t messages.Transition
		if json.Unmarshal([]byte(r.Payload), &t) != nil {
			continue // our own encoder wrote it: this cannot happen, and an event less is no harm
		}
		v.counters["transitions_"+t.Transition]++
		node := ""
		if t.HostUUID != v.cfg.HostUUID && v.cfg.Node != nil {
			node = v.cfg.Node(t.HostUUID)
		}
		v.cfg.Feed.Append(messages.Event{At: t.ObservedAt, Type: t.Transition, Target: t.Name, Node: node, From: t.PreviousState,
			To: t.State, Cause: t.Cause, Topic: r.Topic, Payload: json.RawMessage(r.Payload)})
	}
}
