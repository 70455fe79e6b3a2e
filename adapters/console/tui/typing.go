package tui

import (
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
)

// typed handles a key while a line is being typed.
func (m *Model) typed(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		m.mode, m.pending, m.line = browsing, nil, ""
		return nil
	case "enter":
		return m.entered()
	case "backspace":
		if r := []rune(m.line); len(r) > 0 {
			m.line = string(r[:len(r)-1])
		}
	case "ctrl+u":
		m.line = ""
	default:
		if k.Text != "" && len(m.line) < maxFilter {
			m.line += k.Text
		}
	}
	return m.asTyped()
}

// asTyped is what happens before Enter: a filter narrows the list at once, a letter picks a column, y confirms.
func (m *Model) asTyped() tea.Cmd {
	switch m.mode {
	case filtering:
		if f, err := m.parseFilter(m.line, m.grid()); err == nil {
			m.here().filter, m.here().cursor = f, 0
		}
	case sorting:
		columns := m.grid().columns
		if i := strings.IndexAny("abcdefghijklmnopqrstuvwxyz", m.line+" "); len(m.line) == 1 && i >= 0 && i < len(columns) {
			m.sortBy(columns[i].name)
		}
		m.mode, m.line = browsing, ""
	case confirming:
		return m.confirming()
	case browsing, commanding:
	}
	return nil
}

func (m *Model) entered() tea.Cmd {
	text, was := m.line, m.mode
	m.mode, m.line = browsing, ""
	switch was {
	case filtering:
		f, err := m.parseFilter(text, m.grid())
		if err != nil {
			m.say(err.Error(), true)
			return nil
		}
		m.here().filter = f
	case commanding:
		return m.command(text)
	case confirming:
		m.mode, m.line = confirming, text
		return m.confirmed()
	case browsing, sorting:
	}
	return nil
}

// command carries out what was typed after the colon: a screen, with a pattern; q; or a verb on what is selected.
func (m *Model) command(text string) tea.Cmd {
	word, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	switch {
	case word == "":
		return nil
	case word == "q" || word == "quit":
		return tea.Quit
	case strings.HasPrefix(word, "@"):
		return m.choose(strings.TrimPrefix(word, "@"))
	case word == "help":
		return m.visit(Help)
	case slices.Contains(digits, Screen(word)):
		return m.visitWith(Screen(word), rest)
	case slices.Contains(verbNames(), word):
		return m.ask(word)
	}
	var near []string
	for _, d := range digits {
		if strings.HasPrefix(string(d), word) {
			near = append(near, string(d))
		}
	}
	if len(near) == 1 {
		return m.visitWith(Screen(near[0]), rest)
	}
	m.say(fmt.Sprintf("there is no %q; the screens are %s", word, screenNames()), true)
	return nil
}

func (m *Model) visitWith(s Screen, pattern string) tea.Cmd {
	cmd := m.visit(s)
	if pattern != "" {
		f, err := m.parseFilter(pattern, m.grid())
		if err != nil {
			m.say(err.Error(), true)
			return cmd
		}
		m.here().filter = f
	}
	return cmd
}

func screenNames() string {
	var out []string
	for _, d := range digits {
		out = append(out, string(d))
	}
	return strings.Join(out, ", ")
}
