package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// inifile is a parsed decnet.ini.
type inifile struct {
	defaults map[string]string
	sections map[string]map[string]string // values before interpolation
}

// parseINI reads what Python's ConfigParser reads with inline comments on # and ;, and refuses what it refuses: DECNET
// reads the same file. No INI library for Go agrees with it on continuation lines, quotes, comments and %.
func parseINI(text string) (*inifile, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("is not UTF-8")
	}
	r := &iniReader{file: &inifile{defaults: map[string]string{}, sections: map[string]map[string]string{}}}
	for i, line := range strings.Split(newlines.Replace(text), "\n") {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	r.finish()
	return r.file, nil
}

// iniReader is the state between two lines.
type iniReader struct {
	file    *inifile
	section map[string]string
	key     string   // the option that continuation lines belong to
	value   []string // its lines so far
	indent  int      // of the line the option stands in
}

func (r *iniReader) line(raw string) error {
	text, comment := cutComment(raw)
	if text == "" {
		// A comment between two lines of a value leaves no trace; an empty line may belong to it.
		if !comment && r.key != "" {
			r.value = append(r.value, "")
		}
		return nil
	}
	at := indentOf(raw)
	if r.section != nil && r.key != "" && at > r.indent {
		r.value = append(r.value, text)
		return nil
	}
	r.finish()
	r.indent = at
	if strings.HasPrefix(text, "[") {
		if end := strings.LastIndexByte(text, ']'); end > 1 {
			return r.open(text[1:end])
		}
	}
	if r.section == nil {
		return errors.New("stands before any [section]")
	}
	return r.option(text)
}

func (r *iniReader) open(name string) error {
	if name == "DEFAULT" {
		r.section = r.file.defaults
		return nil
	}
	if _, twice := r.file.sections[name]; twice {
		return fmt.Errorf("section [%s] is there already", name)
	}
	r.section = map[string]string{}
	r.file.sections[name] = r.section
	return nil
}

func (r *iniReader) option(text string) error {
	cut := strings.IndexAny(text, "=:")
	if cut < 0 {
		return fmt.Errorf("%s is neither [section] nor option = value", quoted(text))
	}
	key := strings.ToLower(trim(text[:cut]))
	if key == "" {
		return errors.New("the option has no name")
	}
	if _, twice := r.section[key]; twice {
		return fmt.Errorf("option %s is there already", quoted(key))
	}
	r.key, r.value = key, []string{trim(text[cut+1:])}
	r.section[key] = "" // twins are found at their own line
	return nil
}

// finish stores the option that no further line belongs to.
func (r *iniReader) finish() {
	if r.key != "" {
		r.section[r.key] = strings.TrimRightFunc(strings.Join(r.value, "\n"), isSpace)
	}
	r.key, r.value = "", nil
}

// cutComment takes a comment off and the space around the rest.
func cutComment(raw string) (text string, comment bool) {
	if t := trim(raw); strings.HasPrefix(t, "#") || strings.HasPrefix(t, ";") {
		return "", true
	}
	if at := commentAt(raw); at >= 0 {
		return trim(raw[:at]), true
	}
	return trim(raw), false
}

// commentAt finds where an inline comment begins: a # or ; at the start or after white space. Like ConfigParser it looks
// at the n-th # and the n-th ; together, so that of "a#b #c ;d" only ";d" is a comment.
func commentAt(raw string) int {
	at := []int{-1, -1}
	for marks := []byte{'#', ';'}; len(marks) > 0; {
		found := -1
		for i := len(marks) - 1; i >= 0; i-- {
			next := strings.IndexByte(raw[at[i]+1:], marks[i])
			if next < 0 {
				marks, at = slices.Delete(marks, i, i+1), slices.Delete(at, i, i+1)
				continue
			}
			at[i] += 1 + next
			before, _ := utf8.DecodeLastRuneInString(raw[:at[i]])
			if (at[i] == 0 || isSpace(before)) && (found < 0 || at[i] < found) {
				found = at[i]
			}
		}
		if found >= 0 {
			return found
		}
	}
	return -1
}

func indentOf(line string) int {
	return utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeftFunc(line, isSpace))
}

func trim(s string) string { return strings.TrimFunc(s, isSpace) }

// isSpace is Python's str.isspace: Unicode's white space and the four information separators.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
