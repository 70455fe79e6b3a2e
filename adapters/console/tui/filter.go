package tui

import "strings"

// Filter reads what is typed after the slash, in the language of the API and the command line, and says what it selects.
// sample is an item of the list it is for, nil where there is none: a field that such an item does not have is an error.
type Filter func(text string, sample any) (selects func(item any) bool, err error)

// filter selects rows. The zero filter selects all.
type filter struct {
	text  string
	match func(item any) bool
}

// parseFilter reads a filter for a list.
func (m *Model) parseFilter(text string, of grid) (filter, error) {
	text = strings.TrimSpace(text)
	if text == "" || m.cfg.Filter == nil {
		return filter{}, nil
	}
	var sample any
	for _, r := range of.rows {
		if r.item != nil {
			sample = r.item
			break
		}
	}
	match, err := m.cfg.Filter(text, sample)
	if err != nil {
		return filter{}, err
	}
	return filter{text: text, match: match}, nil
}

// selects says whether a row is shown. The heads of groups have no item.
func (f filter) selects(r row) bool { return f.match == nil || r.item != nil && f.match(r.item) }

// about is a filter for the events of one decky: the supervisor's are about its actor.
func about(name string) string {
	quoted := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return "target=" + quoted(name) + "," + quoted("decky/"+name)
}

// maxFilter bounds what may be typed, in bytes. Source: the language's own limit.
const maxFilter = 1024
