package fleet

import (
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// file is what is known of the state file as a whole.
type file struct {
	status   messages.FileStatus // 0: never read
	fault    messages.Fault
	good     bool // a valid or missing reading is in force
	missing  bool
	nameless bool            // an entry's name could not be read: nobody can be told absent
	foreign  map[string]bool // names of entries that belong to another host
	rejected []messages.Rejected
	unusable map[string]bool // names of rejected entries
	warnings []messages.Fault
}

// presence is what the file says about a name it has no usable entry for.
func (f *file) presence(name string) messages.Presence {
	if !f.good || f.nameless || f.unusable[name] {
		return messages.Unknown
	}
	return messages.Absent
}

// ours says whether an entry belongs to this host: null and "" do, and `local` where we are local.
func ours(entry, host string) bool { return entry == "" || entry == host }

func (f *Fleet) declaredChanged(c *supervise.Ctx, m messages.DeclaredChanged) {
	if !f.fresh(messages.SourceDeclared, m.Stamp) {
		return
	}
	f.file.status, f.file.fault = m.Status, m.Fault
	switch m.Status {
	case messages.FileValid, messages.FileMissing:
		f.takeFile(c, m)
	case messages.FileUnreachable:
		f.file.good = false
		f.absentees(nil)
	case messages.FileInvalid: // the last good one stays in force
	}
	f.hear(c, messages.SourceDeclared)
	f.rereadArrived(c)
	f.mind(c)
}

func (f *Fleet) takeFile(c *supervise.Ctx, m messages.DeclaredChanged) {
	f.readAt[messages.SourceDeclared] = m.ReadAt
	f.whole[messages.SourceDeclared] = m.ReadAt
	f.file.good, f.file.missing, f.file.warnings = true, m.Status == messages.FileMissing, m.Warnings
	f.file.reject(m.Rejected)
	if m.Full {
		f.file.foreign = map[string]bool{}
	}
	present := make(map[string]bool, len(m.Entries))
	renewed := false
	for _, e := range m.Entries {
		if f.file.foreign[e.Name] = !ours(e.HostUUID, f.cfg.HostUUID); f.file.foreign[e.Name] {
			continue
		}
		delete(f.file.foreign, e.Name)
		present[e.Name] = true
		renewed = f.declare(e.Name, f.enrol(c, e.Name), messages.DeclaredObserved{Presence: messages.Present, Entry: e, ReadAt: m.ReadAt}) || renewed
	}
	gone := map[string]bool{}
	for _, name := range m.Gone {
		delete(f.file.foreign, name)
		gone[name] = true
	}
	renewed = f.absentees(func(name string, was messages.Presence) bool {
		return !present[name] && (m.Full || gone[name] || f.file.foreign[name] || f.file.unusable[name] || was != messages.Present)
	}) || renewed
	if renewed {
		f.reattribute()
	}
	f.wave.read(m.ReadAt)
	f.rule(c)
}

// declare notes what the file says about one decky and passes it on.
func (f *Fleet) declare(name string, m *member, d messages.DeclaredObserved) bool {
	m.declared = f.offer(d)
	d = m.declared
	f.weigh(name, m)
	f.tell(m, d)
	return m.renew()
}

// absentees tells everybody the file has no entry for what that means; which is nil for all.
func (f *Fleet) absentees(which func(name string, was messages.Presence) bool) bool {
	renewed := false
	for name, m := range f.roll {
		p := f.file.presence(name)
		if which != nil && !which(name, m.declared.Presence) || m.declared.Presence == p {
			continue
		}
		renewed = f.declare(name, m, messages.DeclaredObserved{Presence: p, ReadAt: f.readAt[messages.SourceDeclared]}) || renewed
	}
	return renewed
}

func (f *file) reject(entries []messages.Rejected) {
	f.rejected, f.unusable, f.nameless = entries, map[string]bool{}, false
	for _, r := range entries {
		if r.Name == "" {
			f.nameless = true
		}
		f.unusable[r.Name] = true
	}
}
