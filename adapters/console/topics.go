package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxTopics bounds what one stream asks for. Chosen: a page shows no more.
const maxTopics = 32

// topics select the events of a stream; none select all.
type topics []string

// parseTopics reads a list like "deckies,actors,events:decky-07".
func parseTopics(list string) (topics, error) {
	if list == "" {
		return nil, nil
	}
	out := topics(strings.Split(list, ","))
	if len(out) > maxTopics {
		return nil, fmt.Errorf("there are %d topics, %d are the limit", len(out), maxTopics)
	}
	for _, t := range out {
		name, one := strings.CutPrefix(t, "events:")
		if !slices.Contains([]string{"deckies", "actors", "sources", "events"}, t) && (!one || name == "") {
			return nil, fmt.Errorf("there is no topic %q", clipped(t, maxNote))
		}
	}
	return out, nil
}

// selects says whether one of the topics has an event.
func (all topics) selects(e messages.Event) bool {
	return len(all) == 0 || slices.ContainsFunc(all, func(t string) bool {
		name, one := strings.CutPrefix(t, "events:")
		return t == "events" || t == kindOf(e) || one && Query{Name: name}.names(e.Target)
	})
}

// kindOf is the topic an event belongs to; "" for those of none but events.
func kindOf(e messages.Event) string {
	switch {
	case e.Topic != "" || e.Type == "held":
		return "deckies"
	case e.Type == "component" || e.Type == "source":
		return "sources"
	case strings.Contains(e.Target, "/"):
		return "actors"
	}
	return ""
}
