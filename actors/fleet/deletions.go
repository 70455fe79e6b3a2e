package fleet

import (
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// waveTrack is what the guard has to remember between two looks.
type waveTrack struct {
	wanting  map[string]bool // names whose row is to be deleted
	ruled    map[string]messages.DeletePermitted
	done     []time.Time // deletions committed
	hash     string      // of the set at the last reading
	reads    int         // identical readings in a row
	since    time.Time   // the first of them
	lastRead time.Time
	approved map[string]bool // names an operator approved; nil: none
	released bool            // the guard released them for that
	waking   bool            // a tick comes when the oldest of done is out of the window
}

// weigh keeps the set of wanted deletions.
func (f *Fleet) weigh(name string, m *member) {
	if m.wantsDelete() {
		f.wave.wanting[name] = true
		return
	}
	delete(f.wave.wanting, name)
}

// read counts readings of the file that want the same set deleted.
func (w *waveTrack) read(at time.Time) {
	if !w.lastRead.Before(at) {
		return
	}
	w.lastRead = at
	hash := setHash(slices.Collect(maps.Keys(w.wanting)))
	if hash != w.hash {
		w.hash, w.reads, w.since = hash, 0, at
	}
	w.reads++
}

// rule asks the guard about the deletions wanted now and tells those concerned whose verdict changed.
func (f *Fleet) rule(c *supervise.Ctx) {
	if len(f.wave.wanting) == 0 && len(f.wave.ruled) == 0 {
		return
	}
	r := guard(f.waveNow(c.Now()), f.cfg.Guard)
	verdict := permit(r)
	if f.wave.released = r.approved; len(f.wave.wanting) == 0 {
		f.wave.approved = nil
	}
	next := make(map[string]messages.DeletePermitted, len(f.wave.wanting))
	for name := range f.wave.wanting {
		next[name] = verdict
		if f.wave.ruled[name] != verdict {
			f.permit(name, verdict)
		}
	}
	for name := range f.wave.ruled {
		if !f.wave.wanting[name] {
			f.permit(name, messages.DeletePermitted{})
		}
	}
	f.wave.ruled = next
	f.wakes(c, r)
}

// wakes has the guard look again when the oldest deletion leaves its window: nothing else may happen by then, and the audit
// would come up to its whole interval later.
func (f *Fleet) wakes(c *supervise.Ctx, r ruling) {
	if r.granted || len(f.wave.done) == 0 || f.wave.waking {
		return
	}
	f.wave.waking = true
	over := f.wave.done[0].Add(f.cfg.Guard.Window).Sub(c.Now())
	c.After(max(0, over)+time.Millisecond, messages.Tick{Name: "window"})
}

func (f *Fleet) permit(name string, p messages.DeletePermitted) {
	if m := f.roll[name]; m != nil {
		m.permit = p
		f.tell(m, p)
	}
}

func (f *Fleet) waveNow(now time.Time) wave {
	t := &f.wave
	t.done = slices.DeleteFunc(t.done, func(at time.Time) bool { return now.Sub(at) > f.cfg.Guard.Window })
	w := wave{wanted: slices.Sorted(maps.Keys(t.wanting)), done: len(t.done), rows: len(t.done), missing: f.file.missing,
		docker: f.docker, reads: t.reads, since: t.since, approved: t.covered(), released: t.released, now: now}
	for _, m := range f.roll {
		if m.recorded.Presence == messages.Present {
			w.rows++
		}
	}
	for _, name := range w.wanted {
		if f.seen.serviced(name) {
			w.serviced = append(w.serviced, name)
		}
	}
	return w
}
