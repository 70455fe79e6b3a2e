package view

import "strings"

// words keeps each text once and names it by a number: decisions repeat a few dozen texts, and there are eight of them
// for every decky.
type words struct {
	byText map[string]uint16
	texts  []string
}

// Bounds of the words. Chosen: reasons and causes are a few dozen; what a hostile peer invents beyond is shown as other.
const (
	maxWords  = 4096
	maxWord   = 256 // bytes
	otherWord = "(other)"
)

func newWords() *words {
	return &words{byText: map[string]uint16{"": 0, otherWord: 1}, texts: []string{"", otherWord}}
}

func (w *words) number(text string) uint16 {
	if len(text) > maxWord {
		text = strings.ToValidUTF8(text[:maxWord], "") + "…"
	}
	if n, known := w.byText[text]; known {
		return n
	}
	if len(w.texts) == maxWords {
		return 1
	}
	n := uint16(len(w.texts))
	text = strings.Clone(text) // it may be a piece of something large
	w.byText[text] = n
	w.texts = append(w.texts, text)
	return n
}

func (w *words) text(n uint16) string { return w.texts[n] }
