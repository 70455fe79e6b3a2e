package pyjson

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// SyntaxError says where a text stops being JSON.
type SyntaxError struct {
	Offset int    // bytes from the start of the text; its length where the text ends too early
	What   string // "expected a value"
}

// Error gives the offset; whoever has the text says line and column, see Position.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%s at byte %d", e.What, e.Offset)
}

// Position turns an offset into a line and a column, both from 1; columns count characters as editors do. Offsets
// outside of the text give its nearest end.
func Position(text []byte, offset int) (line, column int) {
	offset = min(max(offset, 0), len(text))
	before := text[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// checkText refuses what Python refuses before it looks at the grammar: a byte order mark, bytes that are not UTF-8.
func checkText(text []byte) error {
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return &SyntaxError{0, "a byte order mark, which JSON must not have"}
	}
	if utf8.Valid(text) {
		return nil
	}
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return &SyntaxError{at, "a byte that is not UTF-8"}
}
