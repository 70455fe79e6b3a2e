package fleet

import (
	"cmp"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// pass is one complete look at everything that somebody asked for.
type pass struct {
	token  uint64
	asked  time.Time
	only   map[string]bool // the deckies it is about; nil: all
	since  time.Time       // readings that began earlier do not count
	marked map[string]bool // deckies that have not answered yet; nil until the sources have
	report messages.PassReport
	answer func(msg any)
}

// passLimit is how long a pass may take once the sources have answered: a settle of 2 s, a database that stays locked
// for 5 s, and room for 10,000 rows.
const passLimit = 20 * time.Second

// storePatience is how long a pass waits for a store that fails. Source: the deadline of a statement.
const storePatience = 5 * time.Second

func (p *pass) count(r messages.RowReply) {
	switch r.Kind {
	case messages.InsertRow:
		p.report.Inserted++
	case messages.DeleteRow:
		p.report.Deleted++
	case messages.UpdateRow:
		if r.SetState {
			p.report.StateUpdated++
		} else {
			p.report.Changed++
		}
	}
}

func (f *Fleet) passAsked(c *supervise.Ctx, m messages.GetPass) {
	f.token++
	p := &pass{token: f.token, asked: c.Now(), since: c.Now(), answer: c.Respond, report: messages.PassReport{DryRun: m.DryRun}}
	if m.Only != nil {
		p.only = make(map[string]bool, len(m.Only))
		for _, name := range m.Only {
			p.only[name] = true
			if x := f.roll[name]; x != nil && x.ref != nil && !x.broken {
				f.facts(x, name)
			}
		}
	}
	if m.First {
		p.since = time.Time{}
	} else {
		f.poke(messages.SourceDeclared, messages.SourceRecorded, messages.SourceObserved)
	}
	f.passes = append(f.passes, p)
	c.After(f.cfg.Patience, messages.Tick{Name: "pass"})
	c.After(f.cfg.Patience+passLimit, messages.Tick{Name: "pass"})
	f.passDue(c)
}

// passDue moves every pass on as far as it goes: first the sources, then the deckies, then the answer.
func (f *Fleet) passDue(c *supervise.Ctx) {
	f.passes = slices.DeleteFunc(f.passes, func(p *pass) bool {
		if p.marked == nil && f.open && f.sourcesAnswered(p, c.Now()) {
			f.markAll(p)
		}
		late := c.Now().Sub(p.asked) >= f.cfg.Patience+passLimit
		if !late && (p.marked == nil || len(p.marked) > 0 && !f.storeGaveUp(c.Now())) {
			return false
		}
		f.finish(p, late)
		return true
	})
}

// sourcesAnswered: each source was read since the pass was asked for, or is known to be down, or had its time.
func (f *Fleet) sourcesAnswered(p *pass, now time.Time) bool {
	if now.Sub(p.asked) >= f.cfg.Patience {
		return true
	}
	return f.answered(messages.SourceDeclared, p, f.file.good || f.file.status == messages.FileInvalid) &&
		f.answered(messages.SourceRecorded, p, f.table) && f.answered(messages.SourceObserved, p, f.docker)
}

func (f *Fleet) answered(s messages.Source, p *pass, up bool) bool {
	if !up {
		return f.heard[s]
	}
	return f.heard[s] && !f.readAt[s].Before(p.since) || s == messages.SourceDeclared && f.file.status == messages.FileInvalid
}

func (f *Fleet) markAll(p *pass) {
	p.marked = make(map[string]bool, len(f.roll))
	for name, m := range f.roll {
		if !m.broken && (p.only == nil || p.only[name]) {
			p.marked[name] = true
			f.tell(m, messages.PassMark{Token: p.token})
		}
	}
}

func (f *Fleet) passMarked(c *supervise.Ctx, m messages.PassMarked) {
	for _, p := range f.passes {
		if p.token > m.Token || !p.marked[m.Name] { // a later mark answers the earlier ones too
			continue
		}
		delete(p.marked, m.Name)
		if m.Held != nil {
			p.report.Held = append(p.report.Held, messages.DeckyHeld{Name: m.Name, Held: *m.Held})
		}
		if m.Plan != nil {
			p.report.Plan = append(p.report.Plan, *m.Plan)
		}
	}
	f.passDue(c)
}

// dropMark lets a pass end without a decky that retired.
func (f *Fleet) dropMark(c *supervise.Ctx, name string) {
	due := false
	for _, p := range f.passes {
		if p.marked[name] {
			delete(p.marked, name)
			due = due || len(p.marked) == 0
		}
	}
	if due {
		f.passDue(c)
	}
}

func (f *Fleet) finish(p *pass, late bool) {
	r := &p.report
	r.Inserted, r.Deleted, r.StateUpdated = planned(*r)
	slices.SortFunc(r.Held, func(a, b messages.DeckyHeld) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(r.Plan, func(a, b messages.PlanItem) int { return cmp.Compare(a.Name, b.Name) })
	r.FileInvalid = f.file.status == messages.FileInvalid || f.file.status == messages.FileUnreachable
	r.DatabaseDown = !f.table || f.failing != nil
	if r.FileInvalid {
		r.Faults = append(r.Faults, f.file.fault)
	}
	for _, x := range f.file.rejected {
		r.Faults = append(r.Faults, x.Fault)
	}
	if f.failing != nil {
		r.Faults = append(r.Faults, f.failing.fault)
	}
	for _, s := range []messages.Source{messages.SourceRecorded, messages.SourceObserved} {
		if x := f.down[s]; x.What != "" {
			r.Faults = append(r.Faults, x)
		}
	}
	r.Late, r.NotOwner = late, f.standby
	if f.standby {
		r.Faults = append(r.Faults, messages.Fault{Where: "lease", What: "another process owns this host's rows: nothing was written",
			Remedy: "`decnet-fleetd status` there, or wait until it ends"})
	}
	if late {
		r.Faults = append(r.Faults, messages.Fault{Where: "pass", What: "it did not end in time", Remedy: "see `decnet-fleetd deckies` for who is still working"})
	}
	p.answer(*r)
}

// planned counts what a dry run would do as the done is counted.
func planned(r messages.PassReport) (inserted, deleted, updated int) {
	inserted, deleted, updated = r.Inserted, r.Deleted, r.StateUpdated
	if !r.DryRun {
		return inserted, deleted, updated
	}
	for _, x := range r.Plan {
		switch {
		case x.Action == messages.InsertRow.String():
			inserted++
		case x.Action == messages.DeleteRow.String():
			deleted++
		case x.From != x.To:
			updated++
		}
	}
	return inserted, deleted, updated
}

func (f *Fleet) storeFailing(c *supervise.Ctx, m messages.StoreFailing) {
	switch {
	case m.Fault.What == "":
		f.failing = nil
	case f.failing == nil:
		f.failing = &failing{since: c.Now(), fault: m.Fault}
		c.After(storePatience, messages.Tick{Name: "pass"})
	default:
		f.failing.fault = m.Fault
	}
}

func (f *Fleet) storeGaveUp(now time.Time) bool {
	return f.standby || f.failing != nil && now.Sub(f.failing.since) >= storePatience
}
