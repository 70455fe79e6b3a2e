package publisher

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// overtaken: the server works through a connection in order, and so does our queue there. What was written before pos
// and has not come back never will: it is sent again at once.
// alone says that nothing else was in flight.
func (f *flight) overtaken(now time.Time, pos uint64, alone bool) {
	var back []*lane
	i := 0
	for ; i < len(f.order) && f.order[i].pos <= pos; i++ {
		if it := f.order[i]; it.pos != landed {
			f.count.Lost++
			back = f.lose(back, it, now, verdict{blame: true, alone: alone})
		}
		f.order[i] = nil
	}
	f.order = f.order[i:]
	f.lanes.queueFirst(back)
}

// verdict says what a loss means for the row.
type verdict struct {
	blame bool // it may be its own fault
	alone bool // nothing else can have caused it
}

// lose takes an item out of the window; its lane is appended to back unless the row is given up.
func (f *flight) lose(back []*lane, it *item, now time.Time, v verdict) []*lane {
	f.leave(it)
	l := f.lanes.all[it.row.Name]
	it.suspect = it.suspect || v.blame
	if v.alone {
		it.tries++
		l.after = now.Add(pauseAfter(it.tries))
	}
	if it.tries < f.p.Tries {
		f.count.Resent++
		return append(back, l)
	}
	if !it.replay {
		f.count.Parked++
		f.parked = append(f.parked, parking{row: it.row, why: whyParked(it.tries)})
	}
	f.lanes.pop(l)
	return back
}

// retreat makes everything in flight wait again, before all else and in the order it was written.
func (f *flight) retreat(now time.Time, moved bool) {
	alone := len(f.inflight) == 1
	var back []*lane
	for _, it := range f.order {
		back = f.lose(back, it, now, verdict{blame: !moved, alone: alone && !moved})
	}
	f.order = nil
	f.lanes.queueFirst(back)
}

// keep remembers an acknowledged row for a replay.
func (f *flight) keep(row messages.OutboxRow, now time.Time) {
	for len(f.tail) > 0 && (now.Sub(f.tail[0].at) > f.p.Replay || len(f.tail) >= maxTail) {
		f.tail = f.tail[1:]
	}
	f.tail = append(f.tail, kept{row: row, at: now})
}

// maxTail bounds what a replay can send. Chosen: one second at the default rate.
const maxTail = 4096

// replayable is what was acknowledged shortly before the last echo.
func (f *flight) replayable() []messages.OutboxRow {
	var rows []messages.OutboxRow
	for _, k := range f.tail {
		if f.heard.Sub(k.at) <= f.p.Replay {
			rows = append(rows, k.row)
		}
	}
	f.tail = nil
	f.count.Replayed += int64(len(rows))
	return rows
}
