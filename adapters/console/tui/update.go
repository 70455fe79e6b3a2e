package tui

import (
	"fmt"
	"slices"

	tea "charm.land/bubbletea/v2"

	"github.com/decnet/decnet-fleetd/messages"
)

// Update takes in what happened.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(20, msg.Width), max(6, msg.Height)
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case tea.PasteMsg:
		if m.mode != browsing {
			m.line += m.cfg.Escape(msg.Content)
		}
	case ticked:
		return m, m.ticked()
	case gotEvent:
		m.happened(msg)
		return m, tea.Batch(m.next(), m.urgent())
	case lostDaemon:
		if msg.of == m.scope.HostUUID {
			m.live, m.lost = false, msg.err
		}
		return m, nil
	default:
		return m, m.answered(msg)
	}
	return m, nil
}

func (m *Model) ticked() tea.Cmd {
	if m.frozen {
		return tick()
	}
	return tea.Batch(m.fetch(), tick())
}

// answered takes in what the daemon said.
func (m *Model) answered(msg tea.Msg) tea.Cmd {
	switch msg := msg.(type) {
	case gotStatus:
		if msg.of == m.scope.HostUUID {
			m.takeStatus(msg.it)
		}
	case gotDeckies:
		if msg.of == m.scope.HostUUID {
			m.takeDeckies(msg.all)
		}
	case gotTable:
		if msg.of == m.scope.HostUUID {
			m.tables[msg.what], m.troubles[msg.what] = msg.rows, msg.err
		}
		if msg.what == Cluster {
			m.located()
		}
	case gotInsight:
		if msg.of == m.subject.Name {
			m.troubles[Detail] = msg.err
			if msg.err == nil {
				m.insight = &msg.it
			}
		}
	case acted:
		return m.told(msg)
	}
	return nil
}

func (m *Model) takeStatus(s messages.Status) {
	if m.lost != nil {
		m.lost = nil
		m.say("the daemon is back", false)
	}
	m.live, m.status, m.looked = true, s, m.cfg.Now()
	if done := s.Counters["messages_handled"]; done > 0 {
		if m.done > 0 && done >= m.done {
			m.rates = append(m.rates, float64(done-m.done)/refresh.Seconds())
			m.rates = m.rates[max(0, len(m.rates)-60):]
		}
		m.done = done
	}
}

// takeDeckies keeps the list, and for each decky how many of its services ran at the last eight looks.
func (m *Model) takeDeckies(all []messages.DeckyStatus) {
	m.deckies = all
	next := make(map[string][]uint8, len(all))
	for _, d := range all {
		share := uint8(0)
		if n := len(d.Expected); n > 0 {
			share = uint8(8 * min(d.Up, n) / n) //nolint:gosec // between 0 and 8
		}
		t := append(slices.Clone(m.trend[d.Name]), share)
		next[d.Name] = t[max(0, len(t)-8):]
	}
	m.trend = next
}

func (m *Model) happened(g gotEvent) {
	if g.of != m.scope.HostUUID {
		return // of the host that was asked before
	}
	if m.live = true; g.gap {
		m.gap = true
	}
	if g.e.Seq == 0 {
		return
	}
	m.seq = max(m.seq, g.e.Seq)
	if len(m.events) == maxEvents {
		m.events = slices.Clone(m.events[maxEvents/4:])
	}
	m.events = append(m.events, g.e)
}

// urgent fetches the deckies at once after a transition, so that the list does not lag behind the line below it.
func (m *Model) urgent() tea.Cmd {
	if m.frozen || m.screen != Deckies || len(m.deckies) > bigFleet || len(m.stream) > 0 {
		return nil
	}
	return m.fetchDeckies()
}

func (m *Model) told(a acted) tea.Cmd {
	if a.err != nil {
		m.say(a.verb+": "+a.err.Error(), true)
		return nil
	}
	refused := 0
	first := ""
	for _, r := range a.results {
		if r.Result != "done" {
			if refused++; first == "" {
				first = ": " + r.Name + " " + r.Result + " " + r.Detail
			}
		}
	}
	m.say(fmt.Sprintf("%s: %d done, %d not%s", a.verb, len(a.results)-refused, refused, first), refused > 0)
	return m.fetch()
}

func (m *Model) say(text string, bad bool) { m.notice, m.bad = m.cfg.Escape(text), bad }

// visit goes to a screen; the way back is kept.
func (m *Model) visit(s Screen) tea.Cmd {
	if s != m.screen {
		m.back, m.forward = append(m.back, m.screen), nil
		m.back = m.back[max(0, len(m.back)-maxHistory):]
	}
	return m.show(s)
}

func (m *Model) show(s Screen) tea.Cmd {
	m.screen, m.notice, m.raw = s, "", false
	delete(m.fetched, s)
	return m.fetch()
}

func (m *Model) goBack() tea.Cmd {
	if len(m.back) == 0 {
		return nil
	}
	last := len(m.back) - 1
	m.forward = append(m.forward, m.screen)
	s := m.back[last]
	m.back = m.back[:last]
	return m.show(s)
}

func (m *Model) goForward() tea.Cmd {
	if len(m.forward) == 0 {
		return nil
	}
	last := len(m.forward) - 1
	m.back = append(m.back, m.screen)
	s := m.forward[last]
	m.forward = m.forward[:last]
	return m.show(s)
}
