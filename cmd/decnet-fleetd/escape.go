package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCell bounds what one hostile string can take of a screen, in characters. Chosen: a name may have 128 bytes.
const maxCell = 256

// maxLine bounds a line of a message, in characters: a refusal names the statements that would mend it. Chosen: the
// longest statement that an administrator is to copy, five times.
const maxLine = 4096

// escape makes text from outside safe to print on one line of a terminal: whatever could move the cursor, colour,
// reorder or hide text is shown as \x1b or \u202e. Names, states and reasons come from files, tables and containers.
func escape(s string) string { return escapeUpTo(s, maxCell) }

// escapeUpTo does the same for a text of another length.
func escapeUpTo(s string, most int) string {
	var b strings.Builder
	n := 0
	for i := 0; i < len(s); n++ {
		if n == most {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\\':
			b.WriteString(`\\`)
		case !harmful(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}

// oneLine makes a cell of an error that has several lines. Names in it are quoted, so that a line feed is never theirs.
func oneLine(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ") }

// harmful: control bytes of both sets, everything invisible or reordering (format characters, odd spaces, line and
// paragraph separators), private and unassigned characters, and combining marks, which pile up on others.
func harmful(r rune) bool {
	return r == 0x7f || !unicode.IsPrint(r) || unicode.Is(unicode.M, r)
}

// escapeJSON writes what JSON leaves as it is, but a terminal obeys, as \u escapes: the document stays the same.
func escapeJSON(doc []byte) []byte {
	if !bytes.ContainsFunc(doc, unsafeInJSON) {
		return doc
	}
	var b bytes.Buffer
	for _, r := range string(doc) {
		switch {
		case !unsafeInJSON(r):
			b.WriteRune(r)
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.Bytes()
}

func unsafeInJSON(r rune) bool { return r != '\n' && r != '\t' && harmful(r) }

// escapeLines does the same for a text that may have lines and tabs; most bounds each line.
func escapeLines(s string, most int) string {
	lines := strings.Split(strings.ReplaceAll(s, "\t", "  "), "\n")
	for i := range lines {
		lines[i] = escapeUpTo(lines[i], most)
	}
	return strings.Join(lines, "\n")
}

// tidyJSON makes a log line safe to print: what a terminal obeys is escaped, long values are cut. A line that needs
// neither is not copied.
func tidyJSON(p []byte) []byte {
	if len(p) > maxCell {
		p = capJSON(p)
	}
	return escapeJSON(p)
}

// capJSON cuts the texts of a line of JSON, but for a stack, whose length is bounded where it is taken. A line that
// cannot be read stays as it is.
func capJSON(p []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(p))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return p
	}
	b := []byte{'{'}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return p
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return p
		}
		b = append(append(append(b, name...), ':'), capText(key, value)...)
	}
	return append(b, "}\n"...)
}

// capText cuts a value that is a long text.
func capText(key any, value json.RawMessage) json.RawMessage {
	var text string
	if key == "stack" || len(value) <= maxCell || json.Unmarshal(value, &text) != nil || utf8.RuneCountInString(text) <= maxCell {
		return value
	}
	short, err := json.Marshal(string([]rune(text)[:maxCell]) + "…")
	if err != nil {
		return value
	}
	return short
}
