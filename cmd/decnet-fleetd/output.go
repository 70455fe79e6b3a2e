package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// formats are the words of --output.
var formats = []string{"table", "wide", "json", "jsonl", "name"}

// format is the chosen one.
func (a *app) format() string {
	if a.json {
		return "json"
	}
	return a.output
}

func (a *app) checkOutput() error {
	if !slices.Contains(formats, a.output) {
		return usage(fmt.Errorf("--output is %q", a.output), "it is one of "+strings.Join(formats, ", "))
	}
	return nil
}

// listing is what a verb has to say, in all formats.
type listing struct {
	head  []string   // columns; those from narrow on are shown by -o wide only
	wide  int        // how many columns are shown by -o wide only; they are the last ones
	rows  [][]string // unescaped
	names []string   // for -o name
	doc   any        // for -o json
	items []any      // for -o jsonl
	end   any        // the last line of -o jsonl, nil for none
	after []string   // lines below a table, unescaped
}

// enclose makes the listing's items its document, as the API does with those it has.
func (l *listing) enclose(kind string) {
	l.doc = struct {
		console.Envelope
		Items []any `json:"items"`
	}{console.Envelope{API: console.API, Kind: kind}, l.items}
}

// show writes a listing to stdout.
func (a *app) show(l listing) error {
	var b bytes.Buffer
	var err error
	switch a.format() {
	case "json":
		err = a.addJSON(&b, l.doc, a.outTTY)
	case "jsonl":
		if l.end != nil {
			l.items = append(slices.Clone(l.items), l.end)
		}
		for _, item := range l.items {
			if err = a.addJSON(&b, item, false); err != nil {
				break
			}
		}
	case "name":
		for _, n := range l.names {
			fmt.Fprintln(&b, escape(n))
		}
	default:
		a.addTable(&b, l)
	}
	if err != nil {
		return err
	}
	return a.print(b.Bytes())
}

func (a *app) print(raw []byte) error {
	if _, err := a.out.Write(raw); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

func (a *app) addJSON(b *bytes.Buffer, v any, pretty bool) error {
	var raw bytes.Buffer
	e := json.NewEncoder(&raw)
	e.SetEscapeHTML(false)
	if pretty {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	b.Write(escapeJSON(raw.Bytes()))
	return nil
}

func (a *app) addTable(b *bytes.Buffer, l listing) {
	columns := len(l.head)
	if a.format() != "wide" {
		columns -= l.wide
	}
	rows := [][]string{l.head[:columns]}
	for _, r := range l.rows {
		cells := make([]string, columns)
		for i := range cells {
			cells[i] = escape(r[i])
		}
		rows = append(rows, cells)
	}
	a.align(b, rows)
	for _, line := range l.after {
		fmt.Fprintln(b, escape(line))
	}
}

// align pads all cells but a row's last, so that no line ends in spaces. Colour comes after the width is known.
func (a *app) align(b *bytes.Buffer, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, r := range rows {
		last := len(r) - 1
		for last > 0 && r[last] == "" {
			last--
		}
		for i, c := range r[:last+1] {
			b.WriteString(a.paint(c, n > 0))
			if i < last {
				b.WriteString(strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)+2))
			}
		}
		b.WriteByte('\n')
	}
}

// Colours of words that are states; the word stays beside the colour.
var colours = map[string]string{
	"running": "32", "ok": "32", "owner": "32", "up": "32",
	"degraded": "33", "pending": "33", "warn": "33", "standby": "33", "held": "33", "unknown": "33", "suspect": "33", "paused": "33", "never": "33", "left": "33",
	"failed": "31", "fail": "31", "down": "31", "torn_down": "31", "quarantined": "31", "stale": "31", "gone": "31", "expired": "31",
}

// paint colours a state on a terminal of somebody who wants colours (NO_COLOR: https://no-color.org).
func (a *app) paint(word string, body bool) string {
	colour, known := colours[word]
	if !known || !body || !a.colour() {
		return word
	}
	return "\x1b[" + colour + "m" + word + "\x1b[0m"
}

func (a *app) colour() bool {
	return a.outTTY && !a.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// when shows a time: how long ago to a person, exactly to a script.
func (a *app) when(m messages.Moment) string {
	switch {
	case m.IsZero():
		return "-"
	case a.outTTY:
		return ago(time.Since(m.Time))
	}
	return m.UTC().Format(time.RFC3339)
}

// ago is a duration in its two largest units.
func ago(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
