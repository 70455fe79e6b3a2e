package tui

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// order is a control verb that waits to be confirmed.
type order struct {
	verb    string
	targets []string
	reason  string
	typed   string   // what has to be typed; "" means y
	names   []string // of the targets, where those are ids
}

// verbs by their keys.
var verbs = map[string]string{"r": "resync", "R": "restart", "P": "pause", "U": "resume", "Q": "quarantine", "L": "release", "ctrl+k": "kill"}

func verbNames() []string {
	return append(slices.Sorted(maps.Values(verbs)), hostVerbs...)
}

// readOnly says whether this user may only look. A daemon that does not tell lets the user try.
func (m *Model) readOnly() bool { return m.status.YourRole == "read-only" }

func (m *Model) order(k string) tea.Cmd {
	verb := verbs[k]
	switch state := m.standing(); {
	case verb == "":
		return nil
	case verb == "pause" && state == "paused":
		verb = "resume"
	case verb == "quarantine" && state == "quarantined":
		verb = "release"
	case m.screen == Cluster && verb == "pause":
		verb = m.drains()
	}
	return m.ask(verb)
}

// standing is how the decky under the cursor is: the same key pauses and resumes.
func (m *Model) standing() string {
	id := m.current()
	for _, d := range m.deckies {
		if d.Name == id {
			return d.Standing()
		}
	}
	return ""
}

// ask asks for confirmation: `y` for a few deckies, the number typed out for many, so that no slip of a finger restarts a
// fleet.
func (m *Model) ask(verb string) tea.Cmd {
	if m.readOnly() {
		m.say(verb+" needs the role operator; yours is read-only", true)
		return nil
	}
	if ofHosts(verb) != (m.screen == Cluster) {
		m.say(verb+": "+m.glyph(ofHosts(verb), "it is about hosts: :cluster lists them", "it is about deckies, not hosts"), true)
		return nil
	}
	targets := m.targets()
	if len(targets) == 0 {
		m.say(verb+": nothing is selected", true)
		return nil
	}
	o := &order{verb: verb, targets: targets, names: m.hostNames(targets)}
	if verb == "forget" {
		o.typed = verb + " " + strings.Join(o.names, " ")
	}
	if len(targets) > 8 {
		o.typed = fmt.Sprintf("%s %d", verb, len(targets))
	}
	m.mode, m.pending, m.line = confirming, o, ""
	return nil
}

// targets are the marked deckies, else the one under the cursor.
func (m *Model) targets() []string {
	switch m.screen {
	case Deckies, Cluster:
		if marks := m.here().marks; len(marks) > 0 {
			return slices.Sorted(maps.Keys(marks))
		}
	case Actors:
		kind, id, _ := strings.Cut(m.current(), "/")
		if kind != "decky" {
			return nil
		}
		return []string{id}
	case Detail:
	case Events, Crashes, DeadLetters, Runtime, Audit, Help:
		return nil
	}
	if id := m.current(); id != "" {
		return []string{id}
	}
	return nil
}

func (o *order) question(line string) string {
	targets := o.targets
	if len(o.names) > 0 {
		targets = o.names
	}
	what := o.verb + " " + strings.Join(targets[:min(3, len(targets))], ", ")
	if n := len(targets) - 3; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	if o.typed == "" {
		return what + "? y: yes, any other key: no"
	}
	return what + "? type " + o.typed + " and Enter: " + line + "_"
}

// confirming is what a single key means to a question that wants no more.
func (m *Model) confirming() tea.Cmd {
	if m.pending.typed != "" || m.line == "" {
		return nil
	}
	yes := m.line == "y"
	o := *m.pending
	m.mode, m.pending, m.line = browsing, nil, ""
	if !yes {
		m.say(o.verb+": not done", false)
		return nil
	}
	return m.send(o)
}

// confirmed is Enter after a typed answer.
func (m *Model) confirmed() tea.Cmd {
	o, line := *m.pending, m.line
	m.mode, m.pending, m.line = browsing, nil, ""
	if o.typed == "" || line != o.typed {
		m.say(o.verb+": not done", false)
		return nil
	}
	return m.send(o)
}

func (m *Model) send(o order) tea.Cmd {
	o.reason = "console"
	m.here().marks = map[string]bool{}
	m.say(o.verb+" …", false)
	return m.act(o)
}
