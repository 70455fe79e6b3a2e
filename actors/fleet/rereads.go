package fleet

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// rereadAsked has file and table read once more for a decky that wants to take something away or bring it back. Many
// ask at once: they share the look.
func (f *Fleet) rereadAsked(c *supervise.Ctx, m messages.RereadAsked) {
	x := f.roll[m.Name]
	if x == nil {
		return
	}
	x.asked = m.At
	if f.poked.IsZero() {
		f.pokeBoth(c)
	}
}

func (f *Fleet) pokeBoth(c *supervise.Ctx) {
	f.poked = c.Now()
	f.poke(messages.SourceDeclared, messages.SourceRecorded)
}

// rereadArrived tells those who waited that both have been read since. Who asked after the look began waits for the
// next one.
func (f *Fleet) rereadArrived(c *supervise.Ctx) {
	at := f.bothReadAt()
	if f.poked.IsZero() || at.Before(f.poked) {
		f.passDue(c)
		return
	}
	f.poked = time.Time{}
	waiting := false
	for _, m := range f.roll {
		switch {
		case m.asked.IsZero():
		case m.asked.After(at):
			waiting = true
		default:
			m.asked = time.Time{}
			f.tell(m, messages.RereadDone{At: at})
		}
	}
	if waiting {
		f.pokeBoth(c)
	}
	f.passDue(c)
}

// bothReadAt is when the older of the last usable looks at file and table began.
func (f *Fleet) bothReadAt() time.Time {
	d, r := f.readAt[messages.SourceDeclared], f.readAt[messages.SourceRecorded]
	if d.Before(r) {
		return d
	}
	return r
}
