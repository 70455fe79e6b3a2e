package supervise

import (
	"fmt"

	"github.com/anthdm/hollywood/actor"
)

// Orders to a shell.
type (
	wakeUp struct{}                // messages wait
	begin  struct{ number uint32 } // start the incarnation with that number
	halt   struct{ number uint32 } // end it without calling it a crash: its group restarts
	fault  struct {                // end it with a crash that is not Receive's: of a goroutine, or on purpose
		number uint32
		crash  crash
	}
)

// crash is what the shell knows of one.
type crash struct {
	reason, stack, message, state string

	processLost bool // the process's goroutine ended with it
}

// shell is the receiver of one hollywood process. It runs the actor's code and never lets a panic out. Everything it
// changes is checked against the mailbox's owner, so a shell that was abandoned does no harm when it wakes up.
type shell struct {
	ref   *Ref
	epoch uint64
	inner Receiver
	life  *life // nil: no incarnation
}

// batch is how many messages a shell handles before it looks for orders: the throughput constant of hollywood's inbox.
const batch = 300

// Receive implements actor.Receiver. The Initialized and Started of hollywood run in the goroutine of whoever spawns, and
// its Stopped may come twice: the shell has orders of its own instead and ignores all three.
func (s *shell) Receive(c *actor.Context) {
	sound := false
	defer s.rescue(&sound) // a defect of the shell itself must not reach hollywood either
	switch m := c.Message().(type) {
	case wakeUp:
		s.ref.mark()
		s.work()
	case begin:
		s.ref.mark()
		s.begin(m.number)
	case halt:
		s.halt(m.number)
	case fault:
		if s.life != nil && s.life.number == m.number {
			s.fall(m.crash)
		}
	}
	sound = true
}

func (s *shell) begin(number uint32) {
	sys, now := s.ref.sys, s.ref.sys.clock.exact()
	if !s.ref.box.begin(s.epoch, number, now) {
		return
	}
	s.life = newLife(s.ref, number, now)
	s.ref.live.Store(s.life)
	if !s.produce() {
		return
	}
	if s.inner == nil {
		s.fall(crash{reason: "producer returned nil"})
		return
	}
	if s.ref.box.run(s.epoch) && s.deliver(&s.life.ctx, Started{number}) {
		sys.report(begun{s.ref, number})
		s.work()
	}
}

func (s *shell) produce() (sound bool) {
	defer s.rescue(&sound)
	s.inner = s.ref.spec.New()
	return true
}

// work handles what waits. It is a loop, never recursion, so that a crash's stack stays short.
func (s *shell) work() {
	box, clock := &s.ref.box, &s.ref.sys.clock
	now := clock.exact()
	for range batch {
		l, what := box.take(s.epoch, now)
		switch what {
		case nothing:
			return
		case goodbye:
			s.goodbye()
			return
		case message:
			// With nobody looking, looking costs one load of a pointer.
			if e := s.ref.eyes.Load(); e != nil {
				if !s.watched(e, l) {
					return
				}
			} else if !s.deliver(s.context(l.ask), l.msg) {
				return
			}
		}
		now = max(now, clock.coarse())
	}
	box.lay(s.epoch)
	s.ref.send(wakeUp{})
}

// watched delivers a letter while somebody looks.
func (s *shell) watched(e *eyes, l letter) (sound bool) {
	ref := s.ref
	began := ref.sys.clock.exact()
	sound = s.deliver(s.context(l.ask), l.msg)
	e.saw(ref, l, began, ref.sys.clock.exact(), sound)
	return sound
}

// context is the incarnation's own for a plain message. A question gets one of its own, so that it can be answered later,
// from any goroutine, while other messages are handled.
func (s *shell) context(ask *call) *Ctx {
	if ask == nil {
		return &s.life.ctx
	}
	s.life.owe(ask)
	return &Ctx{ref: s.ref, life: s.life, ask: ask}
}

func (s *shell) deliver(c *Ctx, msg any) (sound bool) {
	defer s.rescue(&sound)
	s.inner.Receive(c, msg)
	return true
}

func (s *shell) goodbye() {
	if !s.deliver(&s.life.ctx, Stopping{}) {
		return
	}
	if s.ref.box.end(s.epoch) {
		s.part(ErrStopped)
	}
}

// part ends the incarnation of an actor that stops. The stop is complete when its goroutines have left.
func (s *shell) part(why error) {
	ref, ended := s.ref, s.life
	s.inner, s.life = nil, nil
	ended.end(why)
	ended.whenEmpty(func() { ref.sys.report(gone{ref}) })
}

func (s *shell) halt(number uint32) {
	if s.life == nil || s.life.number != number {
		return // it crashed by itself meanwhile, and has said so
	}
	if f := s.ref.box.fall(s.epoch, false); f.ok {
		s.settle(f)
		s.ref.sys.report(halted{s.ref, number})
	}
}

// rescue is deferred around everything that can panic.
func (s *shell) rescue(sound *bool) {
	if *sound {
		return
	}
	reason := recover()
	c := crash{reason: fmt.Sprint(reason), stack: stackOfPanic()}
	if reason == nil { // no panic, and yet it did not return: hollywood's goroutine is going down with it
		c.reason, c.processLost = "runtime.Goexit in an actor", true
	}
	s.fall(c)
}

// fall ends the incarnation with a crash.
func (s *shell) fall(c crash) {
	if s.life == nil {
		return // fallen already, further down the stack
	}
	f := s.ref.box.fall(s.epoch, true)
	if !f.ok {
		return // abandoned meanwhile: what it does now concerns nobody
	}
	if c.message == "" {
		c.message = describe(f.hand.msg)
	}
	c.state = snapshot(s.inner)
	s.ref.sys.report(crashed{s.ref, s.life.number, s.life.age(s.ref.sys.clock.exact()), c})
	s.settle(f)
}

// settle ends the incarnation that fell.
func (s *shell) settle(f fallen) {
	s.ref.discard(f.discarded, ErrStopped)
	if f.stopped {
		s.part(ErrCrashed)
		return
	}
	s.life.end(ErrCrashed)
	s.inner, s.life = nil, nil
}
