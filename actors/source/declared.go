package source

import (
	"maps"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// declared remembers the state file as it was told.
type declared struct {
	last  messages.DeclaredRead // the last valid or missing one: it stays in force while the file is invalid
	known bool
	stale bool // the fleet was told that nothing is known: the next good reading is told whole
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
	change := d.change(m, full || d.stale || !d.known)
	d.stale = false
	return change, declaredHealth(m)
}

func (d *declared) change(m messages.DeclaredRead, full bool) messages.DeclaredChanged {
	c := messages.DeclaredChanged{Full: full, Status: m.Status, Rejected: m.Rejected, Warnings: m.Warnings, ReadAt: m.ReadAt}
	before := make(map[string]messages.Declared, len(d.last.Entries))
	for _, e := range d.last.Entries {
		before[e.Name] = e
	}
	for _, e := range m.Entries {
		if was, ok := before[e.Name]; full || !ok || !sameEntry(was, e) {
			c.Entries = append(c.Entries, e)
		}
		delete(before, e.Name)
	}
	c.Gone = slices.Sorted(maps.Keys(before))
	d.last, d.known = m, true
	return c
}

func (d *declared) view() any {
	if !d.known || d.stale {
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

func (d *declared) forget(string) {} // nobody but the source itself changes what it told
