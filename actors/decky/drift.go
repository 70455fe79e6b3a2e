package decky

import (
	"slices"
	"strings"
)

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

// drift names the columns whose meaning differs from the file. A row without decky_config has nothing to compare: it
// is filled with the next write of the configuration.
func drift(o *observations) []string {
	d, r := &o.declared.Entry, &o.recorded.Row
	var changed []string
	if !sameSet(d.Services, r.Services) {
		changed = append(changed, "services")
	}
	if r.HasConfig && d.Digest != r.Digest {
		changed = append(changed, "decky_config")
	}
	if d.IP != r.IP {
		changed = append(changed, "decky_ip")
	}
	if strings.HasPrefix(r.LastError, ownError) {
		changed = append(changed, "last_error")
	}
	return changed
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
