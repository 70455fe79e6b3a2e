package web

import (
	"fmt"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/decnet/decnet-fleetd/messages"
)

// functions are those of the templates. Text of others passes through "t"; html/template escapes for where it stands.
func functions(escape func(string) string, now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"t": escape, "tone": tone, "glyph": glyph, "age": func(m messages.Moment) string { return since(m, now()) },
		"span": span, "bytes": byteSize, "clock": clock, "stamp": stamp, "n": grouped, "n0": func(i int) string { return grouped(int64(i)) },
		"nu": func(i uint64) string { return grouped(int64(min(i, math.MaxInt64))) }, //nolint:gosec // bounded
		"at": with, "class": class, "rows": func() template.HTML { return rowsHere }, "id": deckyPath, "pid": actorPath, "order": orderPath, "join": strings.Join, "rate": rate, "lower": strings.ToLower,
		"list": func(items ...string) []string { return items }, "dict": dict, "title": title, "lines": escapeLines(escape),
		"add": func(a, b int) int { return a + b }, "has": slices.Contains[[]string],
		"until": func(m messages.Moment) string { return until(m, now()) }, "skew": clockSkew,
	}
}

// dict makes the data of a part: pairs of name and value.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		out[key] = pairs[i+1]
	}
	return out, nil
}

// escapeLines makes a text of several lines safe to look at.
func escapeLines(escape func(string) string) func(string) string {
	return func(s string) string {
		lines := strings.Split(s, "\n")
		for i, l := range lines {
			lines[i] = escape(strings.ReplaceAll(l, "\t", "    "))
		}
		return strings.Join(lines, "\n")
	}
}

func keepPrintable(r rune) rune {
	if !unicode.IsPrint(r) {
		return -1
	}
	return r
}

// The words that say that something is as it should be, is not, or is bad. The terminal has the same.
var (
	goodWords = []string{"running", "ok", "owner", "done", "quiet", "up", "ready", "would be done", "present", "inserted", "released"}
	badWords  = []string{"failed", "torn_down", "quarantined", "down", "stuck", "crash", "crashed", "refused", "stopped", "dead", "exited", "lost", "not found", "timed out", "error", "fatal", "panic"}
	warnWords = []string{"degraded", "pending", "standby", "held", "unknown", "backoff", "unrecorded", "starting", "paused", "restarting", "warn", "working", "stale", "deleted", "absent", "created"}
)

// tone is the class of a word: good, warn, bad or plain.
func tone(word string) string {
	switch {
	case slices.Contains(goodWords, word):
		return "good"
	case slices.Contains(badWords, word):
		return "bad"
	case slices.Contains(warnWords, word):
		return "warn"
	}
	return "plain"
}

// glyph says by its shape what a tone says by its colour.
func glyph(tone string) string {
	return map[string]string{"good": "●", "warn": "▲", "bad": "✕"}[tone]
}

// title makes a heading of a key.
func title(s string) string {
	s = strings.ReplaceAll(s, "_", " ")
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// since is the age of a moment; "–" for none.
func since(m messages.Moment, now time.Time) string {
	if m.IsZero() {
		return "–"
	}
	return span(now.Sub(m.Time).Seconds())
}

// until is how long it takes to a moment; "–" for none.
func until(m messages.Moment, now time.Time) string {
	switch left := m.Sub(now); {
	case m.IsZero():
		return "–"
	case left <= 0:
		return "expired"
	default:
		return "in " + span(left.Seconds())
	}
}

// clockSkew is how far a clock is ahead.
func clockSkew(seconds float64) string {
	switch {
	case math.Abs(seconds) < 0.05:
		return "–"
	case seconds > 0:
		return "+" + span(seconds)
	}
	return "−" + span(seconds)
}

// span is a duration of seconds in at most two units.
func span(seconds float64) string {
	switch d := math.Abs(seconds); {
	case d == 0:
		return "0s"
	case d < 0.001:
		return strconv.FormatFloat(d*1e6, 'f', 0, 64) + "µs"
	case d < 1:
		return strconv.FormatFloat(d*1e3, 'f', 0, 64) + "ms"
	case d < 60:
		return strconv.Itoa(int(d)) + "s"
	case d < 3600:
		return units(int(d), 60, "m", 1, "s")
	case d < 86400:
		return units(int(d), 3600, "h", 60, "m")
	default:
		return units(int(d), 86400, "d", 3600, "h")
	}
}

func units(d, big int, bigUnit string, small int, smallUnit string) string {
	text := strconv.Itoa(d/big) + bigUnit
	if rest := d % big / small; rest > 0 && d/big < 10 {
		text += strconv.Itoa(rest) + smallUnit
	}
	return text
}

func clock(m messages.Moment) string {
	if m.IsZero() {
		return "–"
	}
	return m.UTC().Format("15:04:05")
}

// stamp is a moment for machines and for a tooltip.
func stamp(m messages.Moment) string {
	if m.IsZero() {
		return ""
	}
	return m.UTC().Format("2006-01-02T15:04:05.000Z")
}

func byteSize(n uint64) string {
	f, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB"} {
		if f < 1024 {
			break
		}
		f, unit = f/1024, next
	}
	if unit == "B" || f >= 100 {
		return strconv.FormatFloat(f, 'f', 0, 64) + " " + unit
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
}

func rate(f float64) string {
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// grouped writes 10000 as 10,000.
func grouped(n int64) string {
	s := itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// deckyPath is the page of a decky. A name may hold anything.
func deckyPath(host, name string) string { return "/deckies/" + url.PathEscape(host+":"+name) }

// actorPath is the page of an actor; its kind has no slash, its id may.
func actorPath(pid string) string {
	kind, id, _ := strings.Cut(pid, "/")
	return "/actors/" + url.PathEscape(kind) + "/" + url.PathEscape(id)
}

// orderPath is the page that asks for consent to a verb.
func orderPath(verb, target string, actors bool) string {
	v := url.Values{"verb": {verb}, "target": {target}}
	if actors {
		v.Set("actors", "1")
	}
	return "/act?" + v.Encode()
}
