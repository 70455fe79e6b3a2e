package supervise

import (
	"sync/atomic"

	"github.com/anthdm/hollywood/actor"
)

// Ref is an actor's address. It stays the same over restarts and replacements, it may be used from any goroutine, and it
// is the only way to send to an actor: it bounds and counts what hollywood's inbox cannot.
type Ref struct {
	sys  *System
	spec Spec
	seq  uint64 // ascending in the order of start
	box  mailbox
	proc atomic.Pointer[actor.PID] // the process that serves it now
	live atomic.Pointer[life]      // the incarnation; nil = none
	mark func()                    // labels the running goroutine with the actor's name
	eyes atomic.Pointer[eyes]      // who looks at the actor's work; nil = nobody
	kid  child                     // touched by the supervisor only
}

// Kind is the Spec's.
func (r *Ref) Kind() string { return r.spec.Kind }

// ID is the Spec's.
func (r *Ref) ID() string { return r.spec.ID }

// Name is kind/id as logs, profiles and crash records show it.
func (r *Ref) Name() string { return r.spec.Kind + "/" + r.spec.ID }

// Group is the Spec's.
func (r *Ref) Group() string { return r.spec.Group }

// Subsystem is the Spec's.
func (r *Ref) Subsystem() bool { return r.spec.Subsystem }

// Stats is a copy of the actor's counters. It asks the actor nothing, so it works on a stuck one.
func (r *Ref) Stats() Stats {
	s := r.box.stats(&r.sys.clock)
	if l := r.live.Load(); l != nil && l.number == s.Incarnation {
		s.Since = r.sys.clock.time(l.born)
	}
	return s
}

// Tell queues msg for the actor. It answers false if the mailbox is full or the actor in quarantine or stopped: then
// nothing was queued, and that is counted. It never blocks.
func (r *Ref) Tell(msg any) bool { return r.post(letter{msg: msg}) == nil }

func (r *Ref) post(l letter) error {
	l.at = r.sys.clock.coarse()
	wake, err := r.box.put(l)
	if wake {
		r.send(wakeUp{})
	}
	if err != nil {
		r.sys.letters.note(r, l.msg, whyOf(err), l.at)
	}
	return err
}

// send gives an order to the actor's process. Orders pass messages, so that a full mailbox cannot delay a stop.
func (r *Ref) send(order any) { r.sys.engine.Send(r.proc.Load(), order) }
