package decky

import "slices"

// columns is a set of those that drift can name: one byte, where ten thousand deckies would keep a list each.
type columns uint8

var columnNames = [...]string{"services", "decky_config", "decky_ip", "last_error"}

func columnsOf(names []string) (c columns) {
	for _, name := range names {
		if i := slices.Index(columnNames[:], name); i >= 0 {
			c |= 1 << i
		}
	}
	return c
}

func (c columns) names() (out []string) {
	for i, name := range columnNames {
		if c&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
