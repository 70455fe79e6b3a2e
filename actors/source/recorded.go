package source

import (
	"maps"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// recorded remembers the rows as they were told.
type recorded struct {
	last messages.RecordedRead
	rows map[string]messages.Recorded
	down bool
}

func (d *recorded) diff(r messages.Reading, full bool) (any, messages.ComponentStatus) {
	m, ok := r.(messages.RecordedRead)
	if !ok {
		d.down = true
		return failed(r, messages.SourceRecorded)
	}
	full = full || d.down || d.rows == nil
	c := messages.RecordedChanged{Full: full, Holds: m.Holds, Faults: m.Faults, Count: len(m.Rows), ReadAt: m.ReadAt}
	next := make(map[string]messages.Recorded, len(m.Rows))
	for _, row := range m.Rows {
		next[row.Name] = row
		if was, ok := d.rows[row.Name]; full || !ok || !sameRow(was, row) {
			c.Rows = append(c.Rows, row)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.rows)) {
		if _, ok := next[name]; !ok {
			c.Gone = append(c.Gone, name)
		}
	}
	d.last, d.rows, d.down = m, next, false
	return c, recordedHealth(m)
}

func (d *recorded) view() any {
	if d.rows == nil || d.down {
		return nil
	}
	return messages.RecordedChanged{Full: true, Rows: d.last.Rows, Holds: d.last.Holds, Faults: d.last.Faults,
		Count: len(d.last.Rows), ReadAt: d.last.ReadAt}
}

func recordedHealth(m messages.RecordedRead) messages.ComponentStatus {
	if len(m.Faults) > 0 {
		return health("degraded", m.Faults[0].Error())
	}
	return health("ok", "")
}

func sameRow(a, b messages.Recorded) bool {
	return a.State == b.State && a.IP == b.IP && a.HasConfig == b.HasConfig && a.Digest == b.Digest &&
		a.LastError == b.LastError && a.LastMutated == b.LastMutated && slices.Equal(a.Services, b.Services)
}
