package bus

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a JSON text may be nested. Source: the limit of DECNET's own decoder.
const maxDepth = 1024

// scanner walks over a JSON text without allocating. It is as strict as DECNET's decoder: no NaN, no lone surrogates,
// no invalid UTF-8 (which pick checks), nothing behind the value.
type scanner struct {
	b      []byte
	i      int
	spaced bool // there was white space outside of strings
}

// pick reads text as one JSON object and puts the raw value of keys[n] into vals[n], nil where there is none. Of
// repeated keys the last counts, as in DECNET's decoder. ok is false, and vals is of no use, where text is anything but
// one valid object. compact says that the text has no white space outside of strings.
func pick(text []byte, keys []string, vals [][]byte) (compact, ok bool) {
	clear(vals)
	if !utf8.Valid(text) {
		return false, false
	}
	s := scanner{b: text}
	s.space()
	ok = s.object(1, func(key, val []byte) {
		name := key[1 : len(key)-1]
		for n, want := range keys {
			if string(name) == want || escaped(name) && unquote(key) == want {
				vals[n] = val
			}
		}
	})
	s.space()
	return !s.spaced, ok && s.i == len(text)
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
			s.spaced = true
		default:
			return
		}
	}
}

func (s *scanner) eat(c byte) bool {
	if s.i < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) value(depth int) bool {
	if s.i >= len(s.b) {
		return false
	}
	switch c := s.b[s.i]; c {
	case '{':
		return s.object(depth, nil)
	case '[':
		return s.array(depth)
	case '"':
		return s.text()
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	default:
		return s.number()
	}
}

func (s *scanner) object(depth int, visit func(key, val []byte)) bool {
	if depth > maxDepth || !s.eat('{') {
		return false
	}
	s.space()
	if s.eat('}') {
		return true
	}
	for {
		s.space()
		from := s.i
		if !s.text() {
			return false
		}
		key := s.b[from:s.i]
		s.space()
		if !s.eat(':') {
			return false
		}
		s.space()
		from = s.i
		if !s.value(depth + 1) {
			return false
		}
		if visit != nil {
			visit(key, s.b[from:s.i])
		}
		s.space()
		if s.eat('}') {
			return true
		}
		if !s.eat(',') {
			return false
		}
	}
}

func (s *scanner) array(depth int) bool {
	if depth > maxDepth || !s.eat('[') {
		return false
	}
	s.space()
	if s.eat(']') {
		return true
	}
	for {
		s.space()
		if !s.value(depth + 1) {
			return false
		}
		s.space()
		if s.eat(']') {
			return true
		}
		if !s.eat(',') {
			return false
		}
	}
}

func (s *scanner) text() bool {
	if !s.eat('"') {
		return false
	}
	for s.i < len(s.b) {
		c := s.b[s.i]
		s.i++
		switch {
		case c == '"':
			return true
		case c < ' ':
			return false
		case c == '\\' && !s.escape():
			return false
		}
	}
	return false
}

// escape reads what follows a backslash.
func (s *scanner) escape() bool {
	if s.i >= len(s.b) {
		return false
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		r, ok := s.hex4()
		if !ok || !utf16.IsSurrogate(r) {
			return ok
		}
		if !s.eat('\\') || !s.eat('u') {
			return false
		}
		low, ok := s.hex4()
		return ok && utf16.DecodeRune(r, low) != utf8.RuneError
	}
	return false
}

func (s *scanner) hex4() (r rune, ok bool) {
	if s.i+4 > len(s.b) {
		return 0, false
	}
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	s.i += 4
	return r, true
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

func (s *scanner) number() bool {
	s.eat('-')
	if !s.eat('0') && !s.digits() {
		return false
	}
	if s.eat('.') && !s.digits() {
		return false
	}
	if s.eat('e') || s.eat('E') {
		if !s.eat('+') {
			s.eat('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

func escaped(b []byte) bool { return bytes.IndexByte(b, '\\') >= 0 }

// unquote gives the text of a raw JSON string; "" for anything else.
func unquote(raw []byte) string {
	if len(raw) < 2 || raw[0] != '"' {
		return ""
	}
	if inner := raw[1 : len(raw)-1]; !escaped(inner) {
		return string(inner)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}
