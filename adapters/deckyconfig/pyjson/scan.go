package pyjson

import "fmt"

// fail makes an error at the present position. The end of the text is the commonest place to fail (a writer that has
// not finished), so it is always called by its name.
func (r *Reader) fail(what string) error {
	if r.pos >= len(r.text) {
		return &SyntaxError{len(r.text), "the text ends too early"}
	}
	return &SyntaxError{r.pos, what}
}

func (r *Reader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\n', '\t', '\r':
			r.pos++
		default:
			return
		}
	}
}

// enter reads the opening byte of an array or object.
func (r *Reader) enter(open byte) error {
	r.space()
	if r.pos >= len(r.text) || r.text[r.pos] != open {
		return r.fail(fmt.Sprintf("expected %q", open))
	}
	if r.depth >= MaxDepth {
		return r.fail(fmt.Sprintf("nesting deeper than %d", MaxDepth))
	}
	r.depth++
	r.pos++
	return nil
}

// more says whether a further element follows, and reads the comma before it or the closing byte.
func (r *Reader) more(first bool, closing byte) (bool, error) {
	r.space()
	if r.pos >= len(r.text) {
		return false, r.fail("")
	}
	switch c := r.text[r.pos]; {
	case c == closing:
		r.pos++
		r.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		r.pos++
		return true, nil
	}
	return false, r.fail(fmt.Sprintf("expected a comma or %q", closing))
}

// key reads a member's key and the colon after it.
func (r *Reader) key() (token, error) {
	r.space()
	if r.pos >= len(r.text) || r.text[r.pos] != '"' {
		return token{}, r.fail("expected a key in double quotes")
	}
	k, err := r.str()
	if err != nil {
		return k, err
	}
	r.space()
	if r.pos >= len(r.text) || r.text[r.pos] != ':' {
		return k, r.fail("expected a colon")
	}
	r.pos++
	return k, nil
}

// token is the inside of a string.
type token struct {
	start, end int
	escaped    bool
}

// str reads a string; the opening quote stands here.
func (r *Reader) str() (token, error) {
	t := token{start: r.pos + 1}
	text := r.text
	for i := t.start; i < len(text); {
		switch c := text[i]; {
		case c == '"':
			t.end, r.pos = i, i+1
			return t, nil
		case c == '\\':
			t.escaped = true
			n := escapeLen(text[i:])
			if n == 0 {
				r.pos = i
				return t, r.fail("an invalid escape")
			}
			i += n
		case c < ' ':
			r.pos = i
			return t, r.fail(fmt.Sprintf("a control character (0x%02x) inside a string", c))
		default:
			i++
		}
	}
	r.pos = len(text)
	return t, r.fail("")
}

// escapeLen is the length of the escape s begins with, 0 if it is none. An escape cut off by the end of the text
// counts as whole, for it is the end that is wrong then.
func escapeLen(s []byte) int {
	if len(s) < 2 {
		return len(s)
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		for i := 2; i < 6; i++ {
			if i >= len(s) {
				return len(s)
			}
			if hexValue(s[i]) < 0 {
				return 0
			}
		}
		return 6
	}
	return 0
}

// scalar reads a number or a literal; Peek has seen the first byte of one.
func (r *Reader) scalar() (Kind, error) {
	rest := r.text[r.pos:]
	if rest[0] <= '9' && rest[0] != '-' {
		return r.number()
	}
	for _, l := range literals {
		if len(rest) >= len(l.word) && string(rest[:len(l.word)]) == l.word {
			r.pos += len(l.word)
			return l.kind, nil
		}
	}
	return r.number()
}

// literals are the words of JSON, and the three that Python adds to them.
var literals = [...]struct {
	word string
	kind Kind
}{{"null", Null}, {"true", True}, {"false", False}, {"NaN", Float}, {"Infinity", Float}, {"-Infinity", Float}}

func (r *Reader) number() (Kind, error) {
	text, i := r.text, r.pos
	if i < len(text) && text[i] == '-' {
		i++
	}
	whole := digits(text, i)
	if whole == i {
		return 0, r.fail("expected a value")
	}
	if text[i] == '0' {
		whole = i + 1 // "01" is a number followed by something else
	}
	i = whole
	kind := Int
	if i < len(text) && text[i] == '.' {
		if end := digits(text, i+1); end > i+1 {
			i, kind = end, Float
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		if end := digits(text, j); end > j {
			i, kind = end, Float
		}
	}
	r.pos = i
	return kind, nil
}

// digits gives the end of the run of digits that begins at i.
func digits(text []byte, i int) int {
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	return i
}

func hexValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
