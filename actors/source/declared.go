package source

import (
	"maps"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// declared remembers the state file as it was told.
type declared struct {
	last    messages.DeclaredRead // the last valid or missing one
	entries map[string]messages.Declared
	stale   bool // the fleet was told that nothing is known: the next good reading is told whole
}

func (d *declared) diff(r messages.Reading, full bool) (any, messages.ComponentStatus) {
	m, ok := r.(messages.DeclaredRead)
	if !ok {
		return failed(r, messages.SourceDeclared)
	}
	switch m.Status {
	case messages.FileInvalid:
		return messages.DeclaredChanged{Status: m.Status, Fault: m.Fault, ReadAt: m.ReadAt}, health("degraded", m.Fault.Error())
	case messages.FileUnreachable:
		d.stale = true
		return messages.DeclaredChanged{Status: m.Status, Fault: m.Fault, ReadAt: m.ReadAt}, health("down", m.Fault.Error())
	case messages.FileValid, messages.FileMissing:
	}
	change := d.change(m, full || d.stale || d.entries == nil)
	d.stale = false
	return change, declaredHealth(m)
}

func (d *declared) change(m messages.DeclaredRead, full bool) messages.DeclaredChanged {
	c := messages.DeclaredChanged{Full: full, Status: m.Status, Rejected: m.Rejected, Warnings: m.Warnings, ReadAt: m.ReadAt}
	next := make(map[string]messages.Declared, len(m.Entries))
	for _, e := range m.Entries {
		next[e.Name] = e
		if was, ok := d.entries[e.Name]; full || !ok || !sameEntry(was, e) {
			c.Entries = append(c.Entries, e)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.entries)) {
		if _, ok := next[name]; !ok {
			c.Gone = append(c.Gone, name)
		}
	}
	d.last, d.entries = m, next
	return c
}

func (d *declared) view() any {
	if d.entries == nil {
		return nil
	}
	return messages.DeclaredChanged{Full: true, Status: d.last.Status, Entries: d.last.Entries, Rejected: d.last.Rejected,
		Warnings: d.last.Warnings, ReadAt: d.last.ReadAt}
}

func declaredHealth(m messages.DeclaredRead) messages.ComponentStatus {
	switch {
	case m.Status == messages.FileMissing:
		return health("degraded", "the state file is missing: nothing is declared")
	case len(m.Rejected) > 0:
		return health("degraded", m.Rejected[0].Fault.Error())
	}
	return health("ok", "")
}

func health(state, detail string) messages.ComponentStatus {
	return messages.ComponentStatus{State: state, Detail: detail}
}

// failed is what any source tells when it cannot read.
func failed(r messages.Reading, s messages.Source) (any, messages.ComponentStatus) {
	f, ok := r.(messages.SourceFailed)
	if !ok {
		return nil, health("down", "an observer of another source is wired to this one")
	}
	return messages.SourceDown{Source: s, Fault: f.Fault}, health("down", f.Fault.Error())
}

// sameEntry compares what is written of an entry, which is all of it that matters.
func sameEntry(a, b messages.Declared) bool {
	return a.HostUUID == b.HostUUID && a.IP == b.IP && a.ServicesJSON == b.ServicesJSON && a.ConfigJSON == b.ConfigJSON &&
		slices.Equal(a.UnknownKeys, b.UnknownKeys)
}
