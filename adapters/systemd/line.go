package systemd

import (
	"strings"
	"unicode"
)

// maxLine bounds a line of status, in runes. Chosen: two lines of a terminal; a datagram holds far more.
const maxLine = 200

// line makes text fit for STATUS=: a line break in it would begin an assignment of its own, such as READY=1, and the
// manager drops a status that is not UTF-8.
func line(text string) string {
	clean := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(clean); len(runes) > maxLine {
		return string(runes[:maxLine-1]) + "…"
	}
	return clean
}
