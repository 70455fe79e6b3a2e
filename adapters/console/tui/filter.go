package tui

import (
	"fmt"
	"regexp"
	"strings"
)

// maxFilter bounds what may be typed. Chosen; RE2 takes linear time in it.
const maxFilter = 256

// filter selects rows. The zero filter selects all.
type filter struct {
	text    string
	inverse bool
	field   string // lower case name of a column, "" any
	fuzzy   string
	re      *regexp.Regexp
}

// parseFilter reads what is typed after the slash: a regular expression, `!` inverse, `-f ` fuzzy, `field:regex` one
// column, `@name` a host.
func parseFilter(text string) (filter, error) {
	if len(text) > maxFilter {
		return filter{}, fmt.Errorf("a filter has at most %d bytes", maxFilter)
	}
	f := filter{text: text}
	rest, inverse := strings.CutPrefix(text, "!")
	f.inverse = inverse
	if fuzzy, is := strings.CutPrefix(rest, "-f "); is {
		f.fuzzy = strings.ToLower(strings.TrimSpace(fuzzy))
		return f, nil
	}
	if node, is := strings.CutPrefix(rest, "@"); is && node != "" { // a whole name, perhaps with a mark behind it
		f.field, rest = "node", "^"+strings.ReplaceAll(regexp.QuoteMeta(node), `\*`, ".*")+"( |$)"
	} else if field, value, is := strings.Cut(rest, ":"); is && plainWord(field) {
		f.field, rest = strings.ToLower(field), value
	}
	if rest == "" {
		return f, nil
	}
	re, err := regexp.Compile("(?i)" + rest)
	if err != nil {
		return filter{}, fmt.Errorf("no regular expression: %w", err)
	}
	f.re = re
	return f, nil
}

func plainWord(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '/' })
}

// selects says whether a row with these columns and cells is shown.
func (f filter) selects(columns []column, cells []string) bool {
	if f.text == "" || f.re == nil && f.fuzzy == "" {
		return true
	}
	hit := false
	for i, c := range cells {
		if f.field != "" && f.field != strings.ToLower(columns[i].name) {
			continue
		}
		if f.re != nil && f.re.MatchString(c) || f.fuzzy != "" && inOrder(strings.ToLower(c), f.fuzzy) {
			hit = true
			break
		}
	}
	return hit != f.inverse
}

// inOrder says whether all letters of want come in text, in their order.
func inOrder(text, want string) bool {
	for _, r := range want {
		at := strings.IndexRune(text, r)
		if at < 0 {
			return false
		}
		text = text[at+len(string(r)):]
	}
	return true
}
