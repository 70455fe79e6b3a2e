package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// key is what a press does.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	if k.String() == "ctrl+c" {
		return tea.Quit
	}
	switch m.mode {
	case filtering, commanding, confirming, sorting:
		return m.typed(k)
	case browsing:
	}
	if cmd, done := m.moves(k.String()); done {
		return cmd
	}
	return m.does(k.String())
}

// moves handles the keys that change what is looked at.
//
//nolint:gocyclo // a table of keys
func (m *Model) moves(k string) (tea.Cmd, bool) {
	p, page := m.here(), max(1, m.height-8)
	switch k {
	case "j", "down":
		p.cursor++
	case "k", "up":
		p.cursor--
	case "g", "home":
		p.cursor = 0
	case "G", "end":
		p.cursor = 1 << 30
	case "ctrl+d", "pgdown":
		p.cursor += page / 2
	case "ctrl+u", "pgup":
		p.cursor -= page / 2
	case "esc":
		return m.escape(), true
	case "-":
		return m.goBack(), true
	case "[":
		return m.goBack(), true
	case "]":
		return m.goForward(), true
	case "enter", "d":
		return m.drill(), true
	case "tab":
		m.tab = (m.tab + 1) % len(tabs)
	case "shift+tab":
		m.tab = (m.tab + len(tabs) - 1) % len(tabs)
	case "?":
		return m.visit(Help), true
	default:
		if len(k) == 1 && k[0] >= '1' && int(k[0]-'1') < len(digits) {
			return m.visit(digits[k[0]-'1']), true
		}
		return nil, false
	}
	p.cursor = max(0, p.cursor)
	return nil, true
}

// does handles the keys that change how it is shown, or that order something.
//
//nolint:gocyclo // a table of keys
func (m *Model) does(k string) tea.Cmd {
	p := m.here()
	switch k {
	case "q":
		return m.leave()
	case "/":
		m.mode, m.line = filtering, p.filter.text
	case ":":
		m.mode, m.line = commanding, ""
	case "s":
		m.mode, m.line = sorting, ""
	case "N", "S", "A", "M":
		m.sortBy(map[string]string{"N": "NAME", "S": "STATE", "A": "CHANGED", "M": "MBOX"}[k])
	case "space":
		m.toggleMark()
	case "ctrl+\\":
		p.marks = map[string]bool{}
	case "w":
		m.wide = !m.wide
	case "x":
		m.tree = !m.tree
		return m.visit(Actors)
	case "y":
		return m.yank()
	case "f":
		m.frozen = !m.frozen
	case "ctrl+z":
		m.faults, p.cursor = !m.faults, 0
	case "ctrl+r":
		return m.show(m.screen)
	case "e":
		return m.eventsOf()
	case "p":
		m.tab = slices.Index(tabs, "crashes")
	default:
		return m.order(k)
	}
	return nil
}

func (m *Model) escape() tea.Cmd {
	p := m.here()
	switch {
	case m.raw:
		m.raw = false
	case p.filter.text != "":
		p.filter = filter{}
	case m.screen == Detail, m.screen == Help:
		return m.goBack()
	}
	return nil
}

// leave goes back from a screen that was drilled into, and ends the console elsewhere.
func (m *Model) leave() tea.Cmd {
	if m.screen == Detail || m.screen == Help || m.raw {
		m.raw = false
		return m.goBack()
	}
	return tea.Quit
}

// current is the id of the row under the cursor.
func (m *Model) current() string {
	if m.screen == Detail {
		return m.subject.Name
	}
	rows := m.grid().view(m.here(), m.faults)
	if len(rows) == 0 {
		return ""
	}
	return rows[max(0, min(m.here().cursor, len(rows)-1))].id
}

// drill opens the decky of the row under the cursor, or the row itself.
func (m *Model) drill() tea.Cmd {
	name := m.current()
	if m.screen == Cluster {
		return m.choose(name)
	}
	if m.screen == Actors {
		kind, id, _ := strings.Cut(name, "/")
		if kind != "decky" {
			m.raw = !m.raw
			return nil
		}
		name = id
	}
	if m.screen == Deckies || m.screen == Events || m.screen == Actors {
		for _, d := range m.deckies {
			if d.Name == name {
				m.subject, m.insight, m.tab = d, nil, 0
				m.troubles[Detail] = nil
				delete(m.places, Detail)
				return m.visit(Detail)
			}
		}
	}
	m.raw = !m.raw
	return nil
}

func (m *Model) toggleMark() {
	p, id := m.here(), m.current()
	if id == "" {
		return
	}
	if p.marks[id] {
		delete(p.marks, id)
	} else {
		p.marks[id] = true
	}
	p.cursor++
}

// yank shows the row as JSON; pressed again it goes to the terminal's clipboard.
func (m *Model) yank() tea.Cmd {
	if !m.raw {
		m.raw = true
		return nil
	}
	m.say("copied", false)
	return tea.SetClipboard(strings.Join(pretty(m.document()), "\n"))
}

func (m *Model) eventsOf() tea.Cmd {
	name := m.current()
	cmd := m.visit(Events)
	f, err := m.parseFilter(about(name), m.grid())
	if err == nil {
		m.here().filter = f
	}
	return cmd
}

func (m *Model) sortBy(name string) {
	p := m.here()
	for _, c := range m.grid().columns {
		if c.name == name {
			p.down = p.sort == name && !p.down
			p.sort = name
			return
		}
	}
}

// sortMenu is as many lines as the terminal's width asks for.
func (m *Model) sortMenu() []string {
	lines := []string{" sort by:"}
	for i, c := range m.grid().columns {
		item := " " + string(rune('a'+i)) + " " + c.name
		if last := lines[len(lines)-1]; ansi.StringWidth(last)+len(item) < m.width {
			lines[len(lines)-1] = last + item + " "
		} else {
			lines = append(lines, "         "+item+" ")
		}
	}
	return lines
}
