package tui

import (
	"slices"
	"strings"
)

// tone is what a line says by its colour; a glyph or a word always says it too.
type tone uint8

const (
	toneNone tone = iota
	toneGood
	toneWarn
	toneBad
	toneHead
	toneFaint
	toneCursor
)

// Select Graphic Rendition codes of ECMA-48: the sixteen colours every terminal has in a palette of its owner's taste.
var codes = map[tone]string{toneWarn: "33", toneBad: "31", toneHead: "1", toneFaint: "2", toneCursor: "7"}

func (m *Model) paint(t tone, s string) string {
	code, any := codes[t]
	if m.cfg.Plain || !any || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

var (
	goodWords = []string{"running", "ok", "owner", "done", "quiet"}
	badWords  = []string{"failed", "torn_down", "quarantined", "down", "stuck", "crash", "refused", "stopped"}
	warnWords = []string{"degraded", "pending", "standby", "held", "unknown", "backoff", "unrecorded", "starting", "paused"}
)

func toneOf(word string) tone {
	switch {
	case slices.Contains(goodWords, word):
		return toneGood
	case slices.Contains(badWords, word):
		return toneBad
	case slices.Contains(warnWords, word):
		return toneWarn
	}
	return toneNone
}

// mark is a glyph that says how bad a state is, for whoever sees no colours.
func (m *Model) mark(state string) string {
	switch toneOf(state) {
	case toneBad:
		return "!"
	case toneWarn:
		return "~"
	case toneGood:
		return m.glyph(m.cfg.ASCII, ".", "·")
	case toneNone, toneHead, toneFaint, toneCursor:
	}
	return " "
}

// spark draws values from 0 to 8.
func (m *Model) spark(values []uint8) string {
	const blocks, plain = "▁▂▃▄▅▆▇█", "_.-=*oO#"
	set := []rune(blocks)
	if m.cfg.ASCII {
		set = []rune(plain)
	}
	var b strings.Builder
	for _, v := range values {
		b.WriteRune(set[max(0, min(7, int(v)-1))])
	}
	return b.String()
}

// plot scales numbers to a sparkline of at most n characters, the newest last.
func (m *Model) plot(values []float64, n int) string {
	values = values[max(0, len(values)-n):]
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	scaled := make([]uint8, len(values))
	for i, v := range values {
		if most > 0 {
			scaled[i] = uint8(8 * v / most) //nolint:gosec // between 0 and 8
		}
	}
	return m.spark(scaled)
}
