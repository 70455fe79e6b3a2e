package source

import (
	"hash/maphash"

	"github.com/decnet/decnet-fleetd/messages"
)

// observed remembers what it told of the engine's containers: a sum of each, for the containers themselves are the
// fleet's to keep. Who wants all of them has the engine asked again.
type observed struct {
	sums map[string]uint64 // by id, never 0; nil: nothing was told yet
	seed maphash.Seed
	down *messages.SourceDown // what was told last, if it was that
}

func (d *observed) diff(r messages.Reading, full bool) (any, messages.ComponentStatus) {
	m, ok := r.(messages.RuntimeRead)
	if !ok {
		msg, h := failed(r, messages.SourceObserved)
		if down, is := msg.(messages.SourceDown); is {
			d.down = &down
		}
		return msg, h
	}
	full = full || d.down != nil || d.sums == nil
	if full && !m.Full {
		return nil, health("degraded", "no complete list yet") // a part of a whole that is not known says nothing
	}
	c := messages.RuntimeChanged{Full: full, Whole: m.Full, EventAt: m.EventAt, Cause: m.Cause, ReadAt: m.ReadAt}
	if full {
		d.begin(m.Containers)
		c.Changed = m.Containers
		return c, health("ok", "")
	}
	if c.Changed, c.Gone = d.take(m); m.Full {
		c.Drift = len(c.Changed) + len(c.Gone)
	}
	return c, health("ok", "")
}

// begin keeps the sums of a whole list.
func (d *observed) begin(all []messages.Container) {
	d.sums, d.down, d.seed = make(map[string]uint64, len(all)), nil, maphash.MakeSeed()
	for _, x := range all {
		d.sums[x.ID] = d.sum(x)
	}
}

// sum is never 0.
func (d *observed) sum(x messages.Container) uint64 { return maphash.Comparable(d.seed, x) | 1 }

// take keeps the sums of a reading and says what it changed. A container that was asked for and not answered is gone.
func (d *observed) take(m messages.RuntimeRead) (changed []messages.Container, gone []string) {
	there := make(map[string]bool, len(m.Containers))
	for _, x := range m.Containers {
		there[x.ID] = true
		if sum := d.sum(x); d.sums[x.ID] != sum {
			changed = append(changed, x)
			d.sums[x.ID] = sum
		}
	}
	missing := m.Asked
	if m.Full {
		missing = nil
		for id := range d.sums {
			missing = append(missing, id)
		}
	}
	for _, id := range missing {
		if _, known := d.sums[id]; known && !there[id] {
			gone = append(gone, id)
			delete(d.sums, id)
		}
	}
	return changed, gone
}

func (d *observed) view() any {
	if d.down != nil {
		return *d.down
	}
	return nil
}

func (d *observed) forget(string) {} // nobody but the source itself changes what it told
