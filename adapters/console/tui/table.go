package tui

import (
	"cmp"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// column is one column of a list. Where a terminal is too narrow, those of the highest rank go first.
type column struct {
	name string
	rank int // 0 is always shown
	wide bool
}

// row is one line of a list.
type row struct {
	id    string
	cells []string // as drawn, escaped
	tone  tone
	wrong bool      // shown when only what is wrong is wanted
	keys  []float64 // numbers to sort by, where a column's text is no order
	item  any       // what it shows; nil: nothing of its own
}

// grid is a list before it is drawn.
type grid struct {
	columns []column
	rows    []row
	empty   string // said where there is no row
}

// view picks and orders the rows that a place wants to see.
func (g grid) view(p *place, faults bool) []row {
	out := make([]row, 0, len(g.rows))
	for _, r := range g.rows {
		if (!faults || r.wrong) && p.filter.selects(r) {
			out = append(out, r)
		}
	}
	at := slices.IndexFunc(g.columns, func(c column) bool { return c.name == p.sort })
	if at < 0 {
		return out
	}
	slices.SortStableFunc(out, func(a, b row) int {
		n := cmp.Compare(a.cells[at], b.cells[at])
		if len(a.keys) > at && len(b.keys) > at {
			n = cmp.Or(cmp.Compare(a.keys[at], b.keys[at]), n)
		}
		if p.down {
			return -n
		}
		return n
	})
	return out
}

// keep holds the cursor inside the list and the cursor's row inside the window.
func (p *place) keep(rows, lines int) {
	p.cursor = max(0, min(p.cursor, rows-1))
	p.top = max(0, min(p.top, rows-lines))
	switch {
	case p.cursor < p.top:
		p.top = p.cursor
	case p.cursor >= p.top+lines:
		p.top = p.cursor - lines + 1
	}
}

// shown says which columns fit.
func (g grid) shown(rows []row, width int, wide bool) (at, widths []int) {
	drop := 1 << 30
	for {
		at, widths = nil, nil
		total, worst := 1, 0
		for i, c := range g.columns {
			if c.wide && !wide || c.rank >= drop {
				continue
			}
			w := ansi.StringWidth(c.name)
			for _, r := range rows {
				w = max(w, min(ansi.StringWidth(r.cells[i]), 48))
			}
			at, widths = append(at, i), append(widths, w)
			total += w + 2
			worst = max(worst, c.rank)
		}
		if total-2 <= width || worst == 0 {
			return at, widths
		}
		drop = worst
	}
}

// draw writes head and rows into exactly lines lines.
func (m *Model) draw(g grid, rows []row, p *place, lines int) []string {
	p.keep(len(rows), lines-1)
	visible := rows[p.top:min(len(rows), p.top+lines-1)]
	at, widths := g.shown(visible, m.width, m.wide)
	head := make([]string, len(at))
	for i, c := range at {
		head[i] = g.columns[c].name
		if g.columns[c].name == p.sort {
			head[i] += m.glyph(p.down, "v", "^")
		}
	}
	out := []string{m.paint(toneHead, " "+line(head, widths, m.width-1))}
	for i, r := range visible {
		cells := make([]string, len(at))
		for j, c := range at {
			cells[j] = r.cells[c]
		}
		mark := " "
		switch {
		case p.top+i == p.cursor:
			mark = ">"
		case p.marks[r.id]:
			mark = "*"
		}
		text := mark + line(cells, widths, m.width-1)
		t := r.tone
		if p.top+i == p.cursor {
			t = toneCursor
		}
		out = append(out, m.paint(t, text))
	}
	if len(rows) == 0 {
		out = append(out, " "+g.empty)
	}
	return fill(out, lines)
}

func (m *Model) glyph(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

func line(cells []string, widths []int, width int) string {
	var b strings.Builder
	for i, c := range cells {
		c = ansi.Truncate(c, widths[i], "~")
		b.WriteString(c)
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(c)+2))
		}
	}
	return ansi.Truncate(b.String(), width, "~")
}

// fill pads or cuts to a number of lines.
func fill(lines []string, n int) []string {
	for len(lines) < n {
		lines = append(lines, "")
	}
	return lines[:n]
}
