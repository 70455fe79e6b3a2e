package supervise

import (
	"fmt"
	"time"
)

// look finds the actors whose handler does not come back: it reports them, and later gives them up.
func (v *supervisor) look() {
	defer v.again()
	now, p := v.now(), v.sys.policy
	for r := range v.kids {
		since, _, busy := r.box.busy()
		began := time.Duration(since)
		switch {
		case !busy:
		case isStuck(now, began, p.StuckReplace):
			v.replace(r, since, fmt.Sprintf("stuck in one handler for %v", (now-began).Round(time.Second)))
		case isStuck(now, began, p.StuckReport) && r.kid.reported != since+1:
			r.kid.reported = since + 1
			v.reportStuck(r, now-began)
		}
	}
}

// again looks again after tickEvery. One timer serves all actors, so that an idle one costs nothing.
func (v *supervisor) again() {
	if !v.shutting {
		v.ticker = time.AfterFunc(tickEvery, func() { v.sys.report(look{}) })
	}
}

func (v *supervisor) reportStuck(r *Ref, since time.Duration) {
	v.emit(Event{
		What: EventStuck, Kind: r.Kind(), ID: r.ID(), Incarnation: r.kid.number, Stack: stackOf(r.Name()),
		Message: describe(r.box.inHand()), Reason: fmt.Sprintf("in one handler for %v", since.Round(time.Second)),
	})
}

// replace gives up the process of a stuck actor and puts a new one behind the same Ref. Go cannot end the old one: it
// stays where it hangs, owns nothing any more, and whatever it does later through its Ctx is dropped.
func (v *supervisor) replace(r *Ref, since int64, why string) {
	stack, epoch := stackOf(r.Name()), v.sys.epochs.Add(1)
	f := r.box.seize(epoch, since)
	if !f.ok {
		return // it came back in the last moment
	}
	m := crashed{ref: r, number: r.kid.number, crash: crash{reason: why, stack: stack, message: describe(f.hand.msg)}}
	if old := r.live.Load(); old != nil {
		m.up = old.age(v.sys.clock.exact())
		old.end(ErrCrashed)
	}
	r.discard(f.discarded, ErrStopped)
	v.record(m)
	v.emit(m.event(EventReplaced, 0))
	if f.stopped {
		v.finish(r, why, stack)
		return
	}
	v.swap(r, epoch)
	r.kid.down = true
	v.follow(m)
}
