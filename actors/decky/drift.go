package decky

import (
	"slices"
	"strings"
)

// columns is a set of those that may differ from the file: one byte, where ten thousand deckies would keep a list each.
type columns uint8

const (
	columnServices columns = 1 << iota
	columnConfig
	columnIP
	columnLastError
)

var columnNames = [...]string{"services", "decky_config", "decky_ip", "last_error"} // in the order of their bits

func (c columns) names() (out []string) {
	for i, name := range columnNames {
		if c&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// drift is the columns whose meaning differs from the file. A row without decky_config has nothing to compare: it is
// filled with the next write of the configuration.
func drift(o *observations) (c columns) {
	d, r := &o.declared.Entry, &o.recorded.Row
	if !sameSet(d.Services, r.Services) {
		c |= columnServices
	}
	if r.HasConfig && d.Digest != r.Digest {
		c |= columnConfig
	}
	if d.IP != r.IP {
		c |= columnIP
	}
	if strings.HasPrefix(r.LastError, ownError) {
		c |= columnLastError
	}
	return c
}

func sameSet(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
