package web

import (
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// stretch is a time during which a decky stood in one state.
type stretch struct {
	State    string
	From, To time.Time
	Cause    string // of its begin
	Open     bool   // it goes on
}

// lane is the history of one decky in a window of time.
type lane struct {
	Name      string
	From, To  time.Time
	Stretches []stretch
	Marks     []messages.Event // what happened and changed no state
}

// tells are the events that say in which state a decky is from then on.
var tells = []string{"inserted", "state_changed", "deleted", "quarantined", "released"}

// laneOf makes a lane of a decky's events, in any order, and of its present state. Before the first event that is known
// the state is what that event says it was, or nothing.
func laneOf(name, now string, events []messages.Event, from, to time.Time) lane {
	l := lane{Name: name, From: from, To: to}
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b messages.Event) int { return int(a.Seq - b.Seq) })
	state, before, at, cause, known := "", now, from, "", false
	add := func(end time.Time) {
		if begin := later(at, from); state != "" && end.After(begin) {
			l.Stretches = append(l.Stretches, stretch{State: state, From: begin, To: end, Cause: cause})
		}
	}
	for _, e := range events {
		switch {
		case e.At.IsZero(), e.At.After(to): // nobody knows when, or it is yet to come
		case !slices.Contains(tells, e.Type):
			if !e.At.Before(from) {
				l.Marks = append(l.Marks, e)
			}
		default:
			if !known {
				state, known = e.From, true
			}
			add(e.At.Time)
			if e.Type == "quarantined" {
				before = state
			}
			state, at, cause = stateAfter(e, before), e.At.Time, e.Cause
		}
	}
	if !known {
		state = now
	}
	add(to)
	if n := len(l.Stretches); n > 0 {
		l.Stretches[n-1].Open = true
	}
	return l
}

// stateAfter is the state an event leaves a decky in. before is that of its row when its actor was quarantined.
func stateAfter(e messages.Event, before string) string {
	switch e.Type {
	case "deleted":
		return "" // there is nothing to be in a state any more
	case "quarantined":
		return "quarantined"
	case "released":
		return before
	}
	return e.To
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// byTarget sorts events into those of each decky. Those of its actor are its own.
func byTarget(events []messages.Event) map[string][]messages.Event {
	out := map[string][]messages.Event{}
	for _, e := range events {
		name := strings.TrimPrefix(e.Target, deckyKind)
		out[name] = append(out[name], e)
	}
	return out
}

// deckyKind begins the names of the actors of deckies.
const deckyKind = "decky/"

// perBucket counts events in n equal parts of the time before now, the newest last.
func perBucket(events []messages.Event, now time.Time, span time.Duration, n int) []float64 {
	out := make([]float64, n)
	for _, e := range events {
		age := now.Sub(e.At.Time)
		if age < 0 || age >= span {
			continue
		}
		out[n-1-int(age*time.Duration(n)/span)]++
	}
	return out
}
