package supervise

import (
	"context"
	"runtime/pprof"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Ctx is what an actor's code does things with. It belongs to one incarnation and one message. It may be used during
// Receive and in the goroutines of Go; once the incarnation has ended everything it does is dropped, so the late effects
// of an actor that was abandoned for stuck reach nobody through it.
type Ctx struct {
	ref  *Ref
	life *life
	ask  *call // nil: nobody waits for an answer
}

// Self is the actor's own Ref; it stays the same over restarts.
func (c *Ctx) Self() *Ref { return c.ref }

// Respond answers the Ask that brought this message, now or later from a goroutine of Go. Only the first answer counts;
// if nobody asks it does nothing.
func (c *Ctx) Respond(msg any) {
	if c.ask != nil {
		c.life.pay(c.ask, msg)
	}
}

// Now reads the system's clock.
func (c *Ctx) Now() time.Time { return c.ref.sys.cfg.Now() }

// Log is the system's logger with actor=kind/id. It is made anew on every call: a logger per actor would cost more
// memory than the actor.
func (c *Ctx) Log() *zerolog.Logger {
	logger := c.ref.sys.cfg.Log.With().Str("actor", c.ref.Name()).Logger()
	return &logger
}

// alarm is a timer of an incarnation.
type alarm struct {
	number    uint32
	cancelled atomic.Bool
}

// rings tells whether the timer still means something to the incarnation with that number.
func (a *alarm) rings(number uint32) bool { return a.number == number && !a.cancelled.Load() }

// After sends msg to the actor itself when d has passed, at once where d is 0. It is dropped if this incarnation ended by
// then. It passes the mailbox's bound. A cancel in the actor's own code is final, even if the message is waiting already.
func (c *Ctx) After(d time.Duration, msg any) (cancel func()) {
	if c.life.ended() {
		return func() {}
	}
	a := &alarm{number: c.life.number}
	ring := func() {
		if !c.life.ended() {
			_ = c.ref.post(letter{msg: msg, alarm: a}) // refused only by an actor that is stopping: nobody misses it
		}
	}
	if d <= 0 {
		ring()
		return func() { a.cancelled.Store(true) }
	}
	timer := time.AfterFunc(d, ring)
	return func() {
		a.cancelled.Store(true)
		timer.Stop()
	}
}

// Go runs f in a goroutine of this incarnation. A panic in f is a crash of the incarnation; returning is not. The
// context ends with the incarnation, and an orderly stop waits for f to return. Crash records and goroutine
// profiles tell it apart by name. Once the incarnation has ended f is not run.
func (c *Ctx) Go(name string, f func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	g := &guest{cancel: cancel}
	if !c.life.enter(g) {
		cancel()
		return
	}
	labels := pprof.Labels(labelActor, c.ref.Name(), labelGoroutine, name)
	go func() {
		defer c.life.leave(g)
		defer cancel()
		if failed := guard(func() { pprof.Do(ctx, labels, f) }); failed != nil {
			failed.message = "goroutine " + name
			c.ref.send(fault{c.life.number, *failed})
		}
	}()
}

// Spawn starts another actor under the root supervisor, see System.Spawn.
func (c *Ctx) Spawn(s Spec) *Ref {
	if c.life.ended() {
		return c.ref.sys.stillborn(s)
	}
	return c.ref.sys.Spawn(s)
}

// Retire stops an actor in an orderly way, see System.Retire.
func (c *Ctx) Retire(r *Ref) {
	if !c.life.ended() {
		c.ref.sys.Retire(r)
	}
}

// Restart crashes an actor on purpose, see System.Restart.
func (c *Ctx) Restart(r *Ref, why string) {
	if !c.life.ended() {
		c.ref.sys.Restart(r, why)
	}
}
