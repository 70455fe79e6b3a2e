package web

import (
	"fmt"
	"html/template"
	"strings"
	"time"
)

// drawing is an SVG in the making. There is no style attribute in it: the policy of the pages forbids that. What it says
// by colour it says by words in its titles, and in a table beside it.
type drawing struct{ strings.Builder }

func (d *drawing) f(format string, args ...any) {
	for i, a := range args {
		if s, is := a.(string); is {
			args[i] = template.HTMLEscapeString(s)
		}
	}
	_, _ = fmt.Fprintf(d, format, args...) // into memory
}

func (d *drawing) html() template.HTML {
	return template.HTML(d.String()) //nolint:gosec // every text in it has been escaped by f
}

// spark draws a curve of numbers, the newest at the right.
func spark(values []float64, label string) template.HTML {
	const w, h = 120, 28
	var d drawing
	most := 0.0
	for _, v := range values {
		most = max(most, v)
	}
	d.f(`<svg class="spark" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title>`, w, h, label)
	if len(values) < 2 {
		d.f(`<path class="base" d="M0 %d.5H%d"/></svg>`, h-2, w)
		return d.html()
	}
	step := float64(w) / float64(len(values)-1)
	var line strings.Builder
	for i, v := range values {
		y := float64(h - 2)
		if most > 0 {
			y -= v / most * (h - 6)
		}
		fmt.Fprintf(&line, "%.1f,%.1f ", float64(i)*step, y)
	}
	d.f(`<polygon class="area" points="0,%d %s%d,%d"/><polyline class="line" points="%s"/></svg>`, h-1, line.String(), w, h-1, line.String())
	return d.html()
}

// bars draws counts, the newest at the right.
func bars(values []float64, label string) template.HTML {
	const w, h = 120, 28
	var d drawing
	most := 1.0
	for _, v := range values {
		most = max(most, v)
	}
	d.f(`<svg class="spark" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title><path class="base" d="M0 %d.5H%d"/>`, w, h, label, h-1, w)
	step := float64(w) / float64(max(1, len(values)))
	for i, v := range values {
		if v > 0 {
			height := max(2, v/most*(h-3))
			d.f(`<rect class="bar" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, float64(i)*step, h-1-height, max(1, step-1), height)
		}
	}
	d.f(`</svg>`)
	return d.html()
}

// shareBar draws the fleet as one bar, a part for each state.
func shareBar(all []share, escape func(string) string) template.HTML {
	var d drawing
	total := 0
	for _, s := range all {
		total += s.Count
	}
	d.f(`<svg class="share" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"><title>The fleet by state</title>`)
	x := 0.0
	for _, s := range all {
		w := float64(s.Count) / float64(max(1, total)) * 1000
		d.f(`<rect class="st-%s" x="%.2f" width="%.2f" height="10"><title>%s</title></rect>`, class(s.State), x, w, escape(s.State)+" "+grouped(int64(s.Count)))
		x += w
	}
	d.f(`</svg>`)
	return d.html()
}

// class keeps a state of the database, which may be any text, out of the markup.
func class(state string) string {
	switch state {
	case "running", "degraded", "failed", "torn_down", "quarantined", "pending", "held", "unrecorded":
		return state
	}
	return "other"
}

// trend draws a lane as a strip, for a row of a table.
func trend(l lane, escape func(string) string) template.HTML {
	const w, h = 110, 12
	var d drawing
	d.f(`<svg class="lane" viewBox="0 0 %d %d" role="img" preserveAspectRatio="none"><title>%s</title><rect class="trough" y="5" width="%d" height="2"/>`, w, h, laneWords(l, escape), w)
	whole := l.To.Sub(l.From)
	for _, s := range l.Stretches {
		x, wide := place(s, l, whole, w)
		d.f(`<rect class="st-%s" x="%.1f" y="2" width="%.1f" height="8"/>`, class(s.State), x, wide)
	}
	d.f(`</svg>`)
	return d.html()
}

// laneWords says a lane in words, the newest first.
func laneWords(l lane, escape func(string) string) string {
	var parts []string
	for i := len(l.Stretches) - 1; i >= 0 && len(parts) < 6; i-- {
		s := l.Stretches[i]
		parts = append(parts, escape(s.State)+" "+span(s.To.Sub(s.From).Seconds()))
	}
	return "last " + span(l.To.Sub(l.From).Seconds()) + ", newest first: " + strings.Join(parts, ", ")
}

func place(s stretch, l lane, whole time.Duration, width float64) (x, wide float64) {
	x = float64(s.From.Sub(l.From)) / float64(whole) * width
	wide = float64(s.To.Sub(s.From)) / float64(whole) * width
	const seen = 2 // a moment is seen too
	return min(x, width-seen), max(seen, wide)
}

// swimlane draws the history of a decky, with an axis. Each stretch can be reached by the keyboard.
func swimlane(l lane, escape func(string) string) template.HTML {
	const w, h, top, high = 1000.0, 74, 8, 30
	var d drawing
	whole := l.To.Sub(l.From)
	d.f(`<svg class="swim" viewBox="0 0 %.0f %d" role="group" aria-label="%s">`, w, h, "States of "+escape(l.Name)+", "+laneWords(l, escape))
	d.f(`<rect class="trough" x="0" y="%d" width="%.0f" height="%d" rx="4"/>`, top, w, high)
	for _, s := range l.Stretches {
		x, wide := place(s, l, whole, w)
		words := escape(s.State) + " for " + span(s.To.Sub(s.From).Seconds()) + " from " + s.From.UTC().Format("15:04:05")
		if s.Cause != "" {
			words += ", " + escape(s.Cause)
		}
		d.f(`<g tabindex="0" role="img" aria-label="%s"><title>%s</title><rect class="st-%s" x="%.1f" y="%d" width="%.1f" height="%d"/>`, words, words, class(s.State), x, top, wide, high)
		if wide > 90 {
			d.f(`<text class="on" x="%.1f" y="%d">%s</text>`, x+8, top+20, clip(escape(s.State), int(wide/9)))
		}
		d.f(`</g>`)
	}
	for _, m := range l.Marks {
		x := float64(m.At.Sub(l.From)) / float64(whole) * w
		d.f(`<path class="mark mark-%s" d="M%.1f %dl5 8h-10z"><title>%s</title></path>`, tone(m.Type), x, top+high+2, escape(m.Type)+" "+clock(m.At)+" "+escape(m.Cause))
	}
	for i := range 7 {
		x := w * float64(i) / 6
		anchor := map[int]string{0: "start", 6: "end"}[i]
		if anchor == "" {
			anchor = "middle"
		}
		at := l.From.Add(whole * time.Duration(i) / 6)
		d.f(`<text class="axis" x="%.0f" y="%d" text-anchor="%s">%s</text>`, x, h-8, anchor, at.UTC().Format(axisFormat(whole)))
	}
	d.f(`</svg>`)
	return d.html()
}

func axisFormat(whole time.Duration) string {
	if whole <= 30*time.Minute {
		return "15:04:05"
	}
	return "15:04"
}

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:max(0, n-1)]) + "…"
}
