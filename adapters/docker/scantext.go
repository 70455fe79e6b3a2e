package docker

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	errText   = errors.New("found a broken text")
	errNumber = errors.New("found something that is no value")
)

// plain marks the bytes that stand for themselves in a JSON text. Bytes above 127 take the slow way, which checks
// that they are UTF-8.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// plainRun is how many bytes at the start of b are plain. It looks at eight at a time: a list is mostly text, and byte
// by byte this was half of what reading one costs.
func plainRun(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash := x^(ones*'"'), x^(ones*'\\')
		// The high bit of a byte is set where it is below a space, a quote, a backslash or not ASCII. A borrow can only
		// set bits above the first one that is right, and only that one is asked for.
		if odd := ((x-ones*' ')&^x | (quote-ones)&^quote | (slash-ones)&^slash | x) & highs; odd != 0 {
			return i + bits.TrailingZeros64(odd)/8
		}
	}
	for i < len(b) && plain[b[i]] {
		i++
	}
	return i
}

// str reads a text and gives its first limit bytes, valid until the next call of any method. Invalid UTF-8 becomes
// U+FFFD, as it does in every JSON decoder of Go.
func (s *scanner) str(limit int) []byte {
	if s.peek() != '"' {
		s.unexpected("a text")
		return nil
	}
	s.pos++
	i := s.pos + plainRun(s.buf[s.pos:s.end])
	if i < s.end && s.buf[i] == '"' {
		t := s.buf[s.pos:i]
		s.pos = i + 1
		return t[:min(len(t), limit)]
	}
	return s.slowStr(limit)
}

// slowStr reads a text that has escapes, is not ASCII, or does not end in this window.
func (s *scanner) slowStr(limit int) []byte {
	s.text = s.text[:0]
	ascii := true
	for s.err == nil {
		c := s.next()
		switch {
		case plain[c]:
			s.put(limit, c)
		case c == '"':
			return s.clean(limit, ascii)
		case c == '\\':
			s.escape(limit, s.next())
			ascii = false
		case c >= utf8.RuneSelf:
			s.put(limit, c)
			ascii = false
		default:
			s.fail(errText)
		}
	}
	return nil
}

// put appends within the limit; a text that is skipped costs no memory however long it is.
func (s *scanner) put(limit int, c ...byte) {
	if len(s.text)+len(c) <= limit {
		s.text = append(s.text, c...)
	}
}

// clean replaces what is not UTF-8; a cut through a rune is such a thing too.
func (s *scanner) clean(limit int, ascii bool) []byte {
	if ascii || utf8.Valid(s.text) {
		return s.text
	}
	t := make([]byte, 0, len(s.text)+2*utf8.UTFMax)
	for rest := s.text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		t, rest = utf8.AppendRune(t, r), rest[n:]
	}
	return t[:min(len(t), limit)]
}

// escape appends what a backslash and c stand for.
func (s *scanner) escape(limit int, c byte) {
	switch c {
	case '"', '\\', '/':
		s.put(limit, c)
	case 'b':
		s.put(limit, '\b')
	case 'f':
		s.put(limit, '\f')
	case 'n':
		s.put(limit, '\n')
	case 'r':
		s.put(limit, '\r')
	case 't':
		s.put(limit, '\t')
	case 'u':
		s.unicode(limit, s.hex4())
	default:
		s.fail(errText)
	}
}

// unicode appends the rune of an escape; half of a pair without the other half is U+FFFD.
func (s *scanner) unicode(limit int, r rune) {
	for utf16.IsSurrogate(r) {
		if s.pos == s.end && !s.fill() {
			return
		}
		if s.buf[s.pos] != '\\' {
			break
		}
		s.pos++
		if c := s.next(); c != 'u' {
			s.putRune(limit, utf8.RuneError)
			s.escape(limit, c)
			return
		}
		low := s.hex4()
		if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
			s.putRune(limit, whole)
			return
		}
		s.putRune(limit, utf8.RuneError)
		r = low
	}
	s.putRune(limit, r)
}

// putRune appends a rune; what is no rune becomes U+FFFD.
func (s *scanner) putRune(limit int, r rune) {
	var b [utf8.UTFMax]byte
	s.put(limit, b[:utf8.EncodeRune(b[:], r)]...)
}

func (s *scanner) hex4() rune {
	var r rune
	for range 4 {
		switch c := s.next(); {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			s.fail(errText)
		}
	}
	return r
}

// number reads a number. The value is exact for whole numbers that fit, else 0: nothing but times is of interest.
func (s *scanner) number() int64 {
	minus := s.peek() == '-'
	if minus {
		s.pos++
	}
	lead := s.digit()
	v, fits, count := s.digits()
	if count == 0 || lead == '0' && count > 1 {
		s.fail(errNumber)
	}
	if s.digit() == '.' {
		s.pos++
		fits = false
		s.someDigits()
	}
	if c := s.digit(); c == 'e' || c == 'E' {
		s.pos++
		fits = false
		if c := s.digit(); c == '+' || c == '-' {
			s.pos++
		}
		s.someDigits()
	}
	switch {
	case !fits || s.err != nil:
		return 0
	case minus:
		return -v
	}
	return v
}

// digit looks at the next byte of a number, 0 after an error. No number ends an input: a list or an object is around it.
func (s *scanner) digit() byte {
	if s.err != nil || s.pos == s.end && !s.fill() {
		return 0
	}
	return s.buf[s.pos]
}

func (s *scanner) someDigits() {
	if _, _, n := s.digits(); n == 0 {
		s.fail(errNumber)
	}
}

// digits reads a run of digits: their value, whether it fits, and how many there were.
func (s *scanner) digits() (v int64, fits bool, n int) {
	fits = true
	for c := s.digit(); c >= '0' && c <= '9'; c = s.digit() {
		d := int64(c - '0')
		if v > (math.MaxInt64-d)/10 {
			fits = false
		} else {
			v = v*10 + d
		}
		s.pos++
		n++
	}
	return v, fits, n
}
