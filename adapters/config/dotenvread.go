package config

import "strings"

// dotenvReader walks over a .env file whose lines end in \n.
type dotenvReader struct {
	rest string
	line int
}

// binding is one line: a key and its value, "" where there is no equal sign.
type binding struct {
	key, value string
}

// skipSpace moves to the next thing that is not white space; false at the end.
func (p *dotenvReader) skipSpace() bool {
	t := strings.TrimLeftFunc(p.rest, isSpace)
	p.take(len(p.rest) - len(t))
	return p.rest != ""
}

// take moves on by n bytes and counts the lines passed.
func (p *dotenvReader) take(n int) string {
	s := p.rest[:n]
	p.rest = p.rest[n:]
	p.line += strings.Count(s, "\n")
	return s
}

// binding reads one; false if the line makes no sense, which skips it.
func (p *dotenvReader) binding() (binding, bool) {
	b, ok := p.statement()
	if ok {
		p.blanks()
		if strings.HasPrefix(p.rest, "#") {
			p.take(lineEnd(p.rest))
		}
		ok = p.endOfLine()
	}
	if !ok {
		p.take(lineEnd(p.rest))
		p.endOfLine()
	}
	return b, ok
}

func (p *dotenvReader) statement() (b binding, ok bool) {
	if after, is := strings.CutPrefix(p.rest, "export"); is && after != trimBlanks(after) {
		p.take(len("export"))
		p.blanks()
	}
	if b.key, ok = p.key(); !ok {
		return b, false
	}
	p.blanks()
	if !strings.HasPrefix(p.rest, "=") {
		return b, true
	}
	p.take(1)
	p.blanks()
	b.value, ok = p.value()
	return b, ok
}

// key reads a name; a comment is an empty one.
func (p *dotenvReader) key() (string, bool) {
	if strings.HasPrefix(p.rest, "#") {
		return "", true
	}
	if quoted, is := strings.CutPrefix(p.rest, "'"); is {
		end := strings.IndexByte(quoted, '\'')
		if end < 1 {
			return "", false
		}
		return strings.Trim(p.take(end+2), "'"), true
	}
	end := strings.IndexFunc(p.rest, func(r rune) bool { return r == '=' || r == '#' || isSpace(r) })
	if end < 0 {
		end = len(p.rest)
	}
	return p.take(end), end > 0
}

func (p *dotenvReader) value() (string, bool) {
	if p.rest == "" {
		return "", true
	}
	switch p.rest[0] {
	case '\'', '"':
		return p.quotedValue(p.rest[0])
	case '\n':
		return "", true
	}
	part := p.take(lineEnd(p.rest))
	if at := spacedHash(part); at >= 0 {
		part = part[:at]
	}
	return strings.TrimRightFunc(part, isSpace), true
}

// spacedHash finds white space followed by a #: where the comment begins.
func spacedHash(s string) int {
	space := -1
	for i, r := range s {
		switch {
		case r == '#' && space >= 0:
			return space
		case !isSpace(r):
			space = -1
		case space < 0:
			space = i
		}
	}
	return -1
}

func (p *dotenvReader) quotedValue(quote byte) (string, bool) {
	end := closing(p.rest, quote)
	if end < 0 {
		return "", false
	}
	whole := p.take(end + 1)
	return unescape(whole[1:end], quote), true
}

// closing finds the quote that ends a value: the first without a backslash before it, else the last one.
func closing(s string, quote byte) int {
	last := -1
	for i := 1; i < len(s); i++ {
		if s[i] != quote {
			continue
		}
		if i == 1 || s[i-1] != '\\' {
			return i
		}
		last = i
	}
	return last
}

// escapes of double quotes; single quotes know the first two only.
var escapes = map[byte]byte{
	'\\': '\\', '\'': '\'', '"': '"', 'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v',
}

func unescape(s string, quote byte) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			plain, known := escapes[s[i+1]]
			if known && (quote == '"' || plain == '\\' || plain == '\'') {
				out.WriteByte(plain)
				i++
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func (p *dotenvReader) blanks() { p.take(len(p.rest) - len(trimBlanks(p.rest))) }

func (p *dotenvReader) endOfLine() bool {
	p.blanks()
	if strings.HasPrefix(p.rest, "\n") {
		p.take(1)
		return true
	}
	return p.rest == ""
}

func trimBlanks(s string) string {
	return strings.TrimLeftFunc(s, func(r rune) bool { return isSpace(r) && r != '\n' })
}

func lineEnd(s string) int {
	if end := strings.IndexByte(s, '\n'); end >= 0 {
		return end
	}
	return len(s)
}
