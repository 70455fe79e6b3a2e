package source

import (
	"hash/maphash"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// recorded remembers what it told of the rows: a sum of each, for the rows themselves are the fleet's to keep.
type recorded struct {
	sums map[string]uint64 // by name; 0: to be told again; nil: nothing was told yet
	seed maphash.Seed
	down *messages.SourceDown // what was told last, if it was that

	deployed uint64 // sum of the fourth store as told
}

func (d *recorded) diff(r messages.Reading, full bool) (any, messages.ComponentStatus) {
	m, ok := r.(messages.RecordedRead)
	if !ok {
		msg, h := failed(r, messages.SourceRecorded)
		if down, is := msg.(messages.SourceDown); is {
			d.down = &down
		}
		return msg, h
	}
	if full = full || d.down != nil || d.sums == nil; full {
		d.sums, d.down, d.seed = make(map[string]uint64, len(m.Rows)), nil, maphash.MakeSeed()
	}
	c := messages.RecordedChanged{Full: full, Holds: m.Holds, Faults: m.Faults, Count: len(m.Rows), ReadAt: m.ReadAt}
	if c.DeployedKept = !full && d.deployed == m.DeployedSum; !c.DeployedKept {
		c.Deployed, d.deployed = m.Deployed, m.DeployedSum
	}
	c.Rows, c.Gone = d.take(m.Rows)
	return c, recordedHealth(m)
}

func (d *recorded) take(rows []messages.Recorded) (changed []messages.Recorded, gone []string) {
	there := make(map[string]bool, len(rows))
	for _, row := range rows {
		there[row.Name] = true
		if sum := d.sum(row); d.sums[row.Name] != sum {
			changed = append(changed, row)
			d.sums[row.Name] = sum
		}
	}
	for name := range d.sums {
		if !there[name] {
			gone = append(gone, name)
			delete(d.sums, name)
		}
	}
	return changed, gone
}

// sum is never 0.
func (d *recorded) sum(r messages.Recorded) uint64 {
	flat := struct {
		services, ip, digest, state, lastError string
		hasConfig                              bool
		lastMutated                            float64
	}{strings.Join(r.Services, "\x00"), r.IP, r.Digest, r.State, r.LastError, r.HasConfig, r.LastMutated}
	return maphash.Comparable(d.seed, flat) | 1
}

// forget keeps the name, so that a row that is gone by then is told as gone.
func (d *recorded) forget(name string) {
	if d.sums != nil {
		d.sums[name] = 0
	}
}

func (d *recorded) view() any {
	if d.down != nil {
		return *d.down
	}
	return nil
}

func recordedHealth(m messages.RecordedRead) messages.ComponentStatus {
	if len(m.Faults) > 0 {
		return health("degraded", m.Faults[0].Error())
	}
	return health("ok", "")
}
