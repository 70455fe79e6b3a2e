package fleet

import (
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

func (f *Fleet) recordedChanged(c *supervise.Ctx, m messages.RecordedChanged) {
	if !f.fresh(messages.SourceRecorded, m.Stamp) {
		return
	}
	m.Full = m.Full || !f.table
	delete(f.down, messages.SourceRecorded)
	f.table, f.readAt[messages.SourceRecorded] = true, m.ReadAt
	renewed := f.takeRows(c, m)
	if f.takeDeployed(m) || renewed {
		f.reattribute()
	}
	if !slices.Equal(f.holds, m.Holds) {
		f.holds = m.Holds
		f.spreadHolds(c)
	}
	f.rule(c)
	f.hear(c, messages.SourceRecorded)
	f.rereadArrived(c)
	f.mind(c)
}

// takeRows takes the rows in and says whether anybody's services changed by it.
func (f *Fleet) takeRows(c *supervise.Ctx, m messages.RecordedChanged) (renewed bool) {
	present := make(map[string]bool, len(m.Rows))
	for _, row := range m.Rows {
		if f.outlived(row.Name, m.ReadAt) {
			continue
		}
		present[row.Name] = true
		renewed = f.record(row.Name, f.enrol(c, row.Name), messages.RecordedObserved{Presence: messages.Present, Row: row, ReadAt: m.ReadAt}) || renewed
	}
	absent := messages.RecordedObserved{Presence: messages.Absent, ReadAt: m.ReadAt}
	for _, name := range m.Gone {
		if x := f.roll[name]; x != nil {
			renewed = f.record(name, x, absent) || renewed
		}
	}
	if !m.Full {
		return renewed
	}
	for name, x := range f.roll {
		if !present[name] && x.recorded.Presence != messages.Absent {
			renewed = f.record(name, x, absent) || renewed
		}
	}
	return renewed
}

// record notes what the table says about one decky and passes it on. A look that began before the store's last reply
// is older than what is known.
func (f *Fleet) record(name string, m *member, r messages.RecordedObserved) bool {
	if r.ReadAt.Before(m.recorded.ReadAt) {
		f.cfg.Sources[messages.SourceRecorded].Tell(messages.RowWritten{Name: name}) // what it told was not taken in
		return false
	}
	same := sameRecord(m.recorded, r)
	m.recorded = r
	if same {
		return false
	}
	f.weigh(name, m)
	f.tell(m, r)
	return m.renew()
}

// outlived says that a reading has a row that was deleted after it began. It is told again if it is there all the same.
func (f *Fleet) outlived(name string, readAt time.Time) bool {
	at, deleted := f.buried[name]
	if !deleted || f.roll[name] != nil {
		return false
	}
	if readAt.Before(at) {
		f.cfg.Sources[messages.SourceRecorded].Tell(messages.RowWritten{Name: name})
		return true
	}
	delete(f.buried, name)
	return false
}

// forgetBuried drops what no look that is still under way can have begun before. Source: a look has a deadline of 5 s.
func (f *Fleet) forgetBuried(now time.Time) {
	maps.DeleteFunc(f.buried, func(_ string, at time.Time) bool { return now.Sub(at) > time.Minute })
}

// replied takes the store's reply in: it is the newest there is to know of the row.
func (f *Fleet) replied(c *supervise.Ctx, r messages.RowReply) {
	if r.Outcome == messages.Committed {
		f.count(r)
	}
	m := f.roll[r.Name]
	if m == nil {
		return
	}
	if r.Outcome != messages.Withdrawn && r.Outcome != messages.Unwritable {
		f.cfg.Sources[messages.SourceRecorded].Tell(messages.RowWritten{Name: r.Name}) // its mailbox holds one of every decky
		m.recorded = messages.RecordedObserved{Presence: r.Presence, Row: r.Row, ReadAt: r.At}
		f.weigh(r.Name, m)
		f.stale = m.renew() || f.stale
	}
	if m.ref != nil && !m.ref.Tell(r) {
		m.reply, m.untold, f.refused = &r, true, true
		f.mind(c)
	}
	f.soon(c)
}

func (f *Fleet) count(r messages.RowReply) {
	f.counters[r.Kind.String()]++
	for _, p := range f.passes {
		p.count(r)
	}
	if r.Kind == messages.DeleteRow {
		f.wave.done = append(f.wave.done, r.At)
		f.buried[r.Name] = r.At
	}
}

func (f *Fleet) sourceDown(c *supervise.Ctx, m messages.SourceDown) {
	if !f.fresh(m.Source, m.Stamp) {
		return
	}
	f.down[m.Source] = m.Fault
	switch m.Source {
	case messages.SourceRecorded:
		f.table = false
		for name, x := range f.roll {
			x.recorded.Presence = messages.Unknown
			f.weigh(name, x)
			f.tell(x, x.recorded)
		}
	case messages.SourceObserved:
		f.docker = false
		for _, x := range f.roll {
			f.tell(x, messages.RuntimeObserved{Cause: "down"})
		}
	case messages.SourceDeclared:
		f.file.status, f.file.fault, f.file.good = messages.FileUnreachable, m.Fault, false
		f.absentees(nil)
	}
	f.rule(c)
	f.hear(c, m.Source)
	f.passDue(c)
	f.mind(c)
}

// spreadHolds tells every decky what the operations in progress mean for it.
func (f *Fleet) spreadHolds(c *supervise.Ctx) {
	if d := f.redeploy.Sub(c.Now()); d > 0 {
		c.After(d, messages.Tick{Name: "redeploy"})
	}
	for name, m := range f.roll {
		if h := f.holdsOf(name); h != m.holds {
			m.holds = h
			f.tell(m, h)
		}
	}
	f.later(c)
}

func (f *Fleet) holdsOf(name string) messages.HoldsObserved {
	h := messages.HoldsObserved{Redeploy: f.redeploy, Remake: f.remake}
	for _, x := range f.holds {
		switch {
		case x.Operation == "deploy":
			h.Deploy = latest(h.Deploy, x.Until)
		case x.Operation == "mutate" && x.Decky == name:
			h.Mutate = latest(h.Mutate, x.Until)
		}
	}
	return h
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sameRecord says whether a reading tells nothing new: the store's own writes come back with the next one.
func sameRecord(a, b messages.RecordedObserved) bool {
	x, y := a.Row, b.Row
	return a.Presence == b.Presence && x.State == y.State && x.IP == y.IP && x.HasConfig == y.HasConfig && x.Digest == y.Digest &&
		x.LastError == y.LastError && slices.Equal(x.Services, y.Services)
}
