package source

import (
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// observed remembers the engine's containers as they were told.
type observed struct {
	containers map[string]messages.Container // nil: nothing is known
	readAt     time.Time
	down       bool
}

func (d *observed) diff(r messages.Reading, full bool) (any, messages.ComponentStatus) {
	m, ok := r.(messages.RuntimeRead)
	if !ok {
		d.down = true
		return failed(r, messages.SourceObserved)
	}
	if !m.Full && (d.down || d.containers == nil) {
		return nil, health("down", "no complete list yet") // a part of a whole that is not known says nothing
	}
	full = full || d.down || d.containers == nil
	c := messages.RuntimeChanged{EventAt: m.EventAt, Cause: m.Cause, ReadAt: m.ReadAt}
	changed, gone := d.take(m)
	if c.Changed, c.Gone = changed, gone; full {
		c.Full, c.Gone = true, nil
		c.Changed = slices.Collect(maps.Values(d.containers))
	} else if m.Full {
		c.Drift = len(changed) + len(gone)
	}
	d.readAt, d.down = m.ReadAt, false
	return c, health("ok", "")
}

// take keeps a reading and says what it changed. A container that was asked for and not answered is gone.
func (d *observed) take(m messages.RuntimeRead) (changed []messages.Container, gone []string) {
	if d.containers == nil {
		d.containers = map[string]messages.Container{}
	}
	there := make(map[string]bool, len(m.Containers))
	for _, x := range m.Containers {
		there[x.ID] = true
		if d.containers[x.ID] != x {
			changed = append(changed, x)
			d.containers[x.ID] = x
		}
	}
	missing := m.Asked
	if m.Full {
		missing = slices.Collect(maps.Keys(d.containers))
	}
	for _, id := range missing {
		if _, known := d.containers[id]; known && !there[id] {
			gone = append(gone, id)
			delete(d.containers, id)
		}
	}
	return changed, gone
}

func (d *observed) view() any {
	if d.containers == nil || d.down {
		return nil
	}
	return messages.RuntimeChanged{Full: true, Changed: slices.Collect(maps.Values(d.containers)), Cause: "view", ReadAt: d.readAt}
}
