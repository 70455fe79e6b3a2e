package tui

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/decnet/decnet-fleetd/messages"
)

// View draws the screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.Frame())
	v.AltScreen = true
	v.WindowTitle = "decnet-fleetd " + m.cfg.Escape(m.status.HostUUID)
	return v
}

// Frame is the screen as text: height lines of at most width columns.
func (m *Model) Frame() string {
	head := []string{m.header(), m.title()}
	foot := m.footer()
	lines := m.height - len(head) - len(foot)
	body := m.body(lines)
	all := append(append(head, fill(body, max(0, lines))...), foot...)
	for i := range all {
		all[i] = ansi.Truncate(all[i], m.width, "")
	}
	return strings.Join(all, "\n")
}

func (m *Model) header() string {
	s := m.status
	left := fmt.Sprintf(" decnet-fleetd %s  %s  %d deckies", m.cfg.Escape(m.place()), m.cfg.Escape(s.Role), total(s))
	if s.OutboxDepth > 0 {
		left += fmt.Sprintf("  outbox %d", s.OutboxDepth)
	}
	if len(m.rates) > 0 {
		left += fmt.Sprintf("  msg/s %.0f %s", m.rates[len(m.rates)-1], m.plot(m.rates, 8))
	}
	var keys []string
	for i, d := range digits {
		keys = append(keys, fmt.Sprintf("<%d>%s", i+1, d))
	}
	return m.paint(toneHead, m.sides(left, strings.Join(keys, " ")))
}

func total(s messages.Status) int {
	n := 0
	for _, x := range s.Deckies {
		n += x
	}
	return n
}

// sides sets two texts at the two ends of a line; where both do not fit, the right one gives way.
func (m *Model) sides(left, right string) string {
	room := m.width - ansi.StringWidth(left) - 2
	right = ansi.Truncate(right, max(0, room), "")
	return left + strings.Repeat(" ", max(1, m.width-ansi.StringWidth(left)-ansi.StringWidth(right)-1)) + right
}

func (m *Model) title() string {
	p := m.here()
	text := " " + string(m.screen)
	switch m.screen {
	case Detail:
		text = " decky " + m.cfg.Escape(m.subject.Name)
	case Help:
	case Deckies, Actors, Events, Crashes, DeadLetters, Runtime, Audit, Cluster:
		g := m.grid()
		text += fmt.Sprintf("[%d]", len(g.view(p, m.faults)))
		if p.filter.text != "" {
			text += " /" + m.cfg.Escape(p.filter.text)
		}
		if m.faults {
			text += "  faults only"
		}
		if n := len(p.marks); n > 0 {
			text += fmt.Sprintf("  %d marked", n)
		}
	}
	return m.sides(text, "<d>escribe <r>esync <:>command </>filter <?>help")
}

func (m *Model) body(lines int) []string {
	switch {
	case m.screen == Help:
		return helpText
	case m.screen == Detail:
		return m.detail(lines)
	case m.raw:
		return m.asJSON(lines)
	}
	tail := 0
	if m.screen == Deckies && lines > 12 {
		tail = 4
	}
	g, p := m.grid(), m.here()
	out := m.draw(g, g.view(p, m.faults), p, lines-tail)
	if tail > 0 {
		out = append(out, m.recent(tail)...)
	}
	return out
}

// recent draws the last events below the list of deckies.
func (m *Model) recent(lines int) []string {
	out := []string{m.paint(toneFaint, " "+strings.Repeat("-", max(0, m.width-2)))}
	from := max(0, len(m.events)-(lines-1))
	for _, e := range m.events[from:] {
		change := e.To
		if e.From != "" {
			change = e.From + " -> " + e.To
		}
		text := fmt.Sprintf(" %s %s %s %s  %s", e.At.Local().Format(time.TimeOnly), m.cfg.Escape(e.Type), m.cfg.Escape(ofNode(e)), m.cfg.Escape(change), m.cfg.Escape(e.Cause))
		out = append(out, m.paint(toneOf(e.To), text))
	}
	return fill(out, lines)
}

// footer is what is being typed, asked or told, and whether what is shown is live.
func (m *Model) footer() []string {
	left := ""
	switch {
	case m.mode == filtering:
		left = " /" + m.line + "_"
	case m.mode == commanding:
		left = " :" + m.line + "_"
	case m.mode == sorting:
		menu := m.sortMenu()
		return append(menu[:len(menu)-1], m.sides(menu[len(menu)-1], m.liveness()))
	case m.mode == confirming:
		left = " " + m.pending.question(m.line)
	case m.notice != "":
		left = " " + m.notice
	}
	if m.bad && m.mode == browsing {
		left = m.paint(toneBad, left)
	}
	return []string{m.sides(left, m.liveness())}
}

func (m *Model) liveness() string {
	switch {
	case m.frozen:
		return "FROZEN (f goes on)"
	case m.lost != nil && m.looked.IsZero():
		return m.paint(toneBad, "no daemon: "+m.cfg.Escape(m.lost.Error()))
	case m.lost != nil:
		return m.paint(toneBad, "LOST "+short(m.cfg.Now().Sub(m.looked))+", looking for it")
	case !m.live:
		return "connecting"
	case m.gap:
		return "LIVE, some events are missing"
	}
	return "LIVE"
}
