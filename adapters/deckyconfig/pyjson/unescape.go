package pyjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the meaning of a string's inside, whose escapes are known to be well formed. A lone surrogate,
// which no UTF-8 can carry, becomes U+FFFD and makes whole false.
func unescape(dst, s []byte) (out []byte, whole bool) {
	whole = true
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			dst = append(dst, short(s[i+1]))
			i += 2
			continue
		}
		r := rune4(s[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if i+6 <= len(s) && s[i] == '\\' && s[i+1] == 'u' {
				pair = utf16.DecodeRune(r, rune4(s[i+2:]))
			}
			if r = pair; r == utf8.RuneError {
				whole = false
			} else {
				i += 6
			}
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, whole
}

func short(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // quote, backslash, slash
}

// rune4 reads the four hex digits of a \u escape.
func rune4(s []byte) rune {
	var r rune
	for _, c := range s[:4] {
		r = r<<4 | rune(hexValue(c))
	}
	return r
}
