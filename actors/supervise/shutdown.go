package supervise

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/anthdm/hollywood/actor"
)

// Orders that stop actors.
type (
	shutdown   struct{}
	abandonAll struct{}
	impatient  struct { // the patience with a stopping actor is over
		ref         *Ref
		turn        uint32
		since, done int64 // the handler that ran, and the messages that were handled, when the patience began
		wait        time.Duration
	}
)

// retire begins or goes on with an orderly stop, and gives the actor patience without progress to complete it.
func (v *supervisor) retire(r *Ref, patience time.Duration) {
	k := &r.kid
	if k.gone || k.closing && !v.shutting {
		return
	}
	k.closing = true
	v.wind(r)
	if !k.gone {
		r.send(wakeUp{}) // an idle one has to notice
		v.bePatient(r, patience)
	}
}

// wind goes on with the stop of a retired actor. It is called again when the incarnation that should have stopped in order
// turns out to have ended otherwise. What has stopped by itself reports when its goroutines have left.
func (v *supervisor) wind(r *Ref) {
	how, discarded := r.box.wind(r.kid.number > 0 && !r.kid.down)
	r.discard(discarded, ErrStopped)
	if how == stoppedNow {
		v.finish(r, "", "")
	}
}

func (v *supervisor) bePatient(r *Ref, wait time.Duration) {
	v.cancel(&r.kid)
	since, done, _ := r.box.busy()
	m := impatient{r, r.kid.turn, since, done, wait}
	r.kid.timer = time.AfterFunc(wait, func() { v.sys.report(m) })
}

func (v *supervisor) impatient(m impatient) {
	k := &m.ref.kid
	if k.gone || k.turn != m.turn {
		return
	}
	if since, done, _ := m.ref.box.busy(); done != m.done || since != m.since {
		v.bePatient(m.ref, m.wait)
		return
	}
	v.abandon(m.ref, fmt.Sprintf("did not stop within %v", m.wait))
}

// abandon stops an actor without its help.
func (v *supervisor) abandon(r *Ref, why string) {
	stack := stackOf(r.Name())
	f := r.box.abandon(v.sys.epochs.Add(1))
	r.discard(f.discarded, ErrStopped)
	if l := r.live.Load(); l != nil {
		l.end(ErrStopped)
	}
	v.finish(r, why, stack)
}

// finish completes a stop.
func (v *supervisor) finish(r *Ref, why, stack string) {
	k := &r.kid
	if k.gone {
		return
	}
	k.gone = true
	v.cancel(k)
	delete(v.kids, r)
	v.sys.directory.forget(r)
	v.poison(r.proc.Load())
	v.fell(r)
	v.emit(Event{What: EventStopped, Kind: r.Kind(), ID: r.ID(), Reason: why, Stack: stack, Incarnation: k.number})
	if next := k.next; next != nil && !next.kid.gone {
		v.succeed(next, k.after)
	}
}

// poison ends a process. It comes once a process, after its last message, and with a deadline: hollywood never completes
// a second pill, nor one for a process that hangs. Then the entry in hollywood's registry goes all the same.
func (v *supervisor) poison(pid *actor.PID) {
	if pid == nil {
		return // retired before it had one, see adopt
	}
	ctx, cancel := context.WithTimeout(context.Background(), v.sys.policy.StopPatience)
	registry := v.sys.engine.Registry
	context.AfterFunc(v.sys.engine.PoisonCtx(ctx, pid), func() {
		cancel()
		registry.Remove(pid)
	})
}

// shutdown stops all, each after the last has stopped, in the reverse order of start: who was started first serves the
// others, and must be there for their last messages.
func (v *supervisor) shutdown() {
	if v.shutting {
		return
	}
	v.shutting = true
	if v.ticker != nil {
		v.ticker.Stop()
	}
	v.leaving = slices.SortedFunc(maps.Keys(v.kids), bySeq)
	slices.Reverse(v.leaving)
}

// stopNext goes on with the shutdown: it stops the next actor when the last has stopped, and in the end the supervisor.
// It is called after every message, not by finish, so that ten thousand actors that are down make no recursion.
func (v *supervisor) stopNext() {
	for len(v.leaving) > 0 {
		next := v.leaving[0]
		switch {
		case next.kid.gone:
			v.leaving = v.leaving[1:]
		case next == v.stopping:
			return
		default:
			v.stopping = next
			v.retire(next, v.sys.policy.StopPatience)
		}
	}
	if !v.over {
		v.over = true
		close(v.sys.stopped)
		v.poison(v.sys.root)
	}
}

func (v *supervisor) abandonAll() {
	for r := range v.kids {
		v.abandon(r, "shutdown ran out of time")
	}
}
