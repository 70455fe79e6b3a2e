package source

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Observer reads one description of the fleet.
type Observer interface {
	// Observe reads until ctx ends. It emits a first reading or SourceFailed as soon as it can, then whenever something
	// changed or poke asked. emit blocks until the actor has handled the reading. spawn starts a guarded goroutine.
	Observe(ctx context.Context, spawn func(func()), poke <-chan struct{}, emit func(messages.Reading))
}

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what a source needs. All fields are required.
type Config struct {
	Source   messages.Source
	Observer Observer
	Fleet    Teller
	View     Teller
	// Component names the source in the status: file, database, docker.
	Component string
}

// Source is the actor.
type Source struct {
	cfg    Config
	stamp  messages.Stamp
	known  told
	poke   chan struct{}
	done   chan struct{} // one token: the reading that was emitted is handled
	full   bool          // the fleet did not take the last message: it hears everything
	began  bool          // the observer's first reading has come
	status messages.ComponentStatus
	self   *supervise.Ref
}

// told is what one kind of source has told so far. diff takes a reading in and returns what to tell of it; view returns
// everything there is to tell, or nil if that takes another reading. Both are pure but for their own memory.
type told interface {
	diff(r messages.Reading, full bool) (msg any, health messages.ComponentStatus)
	view() any
	// forget makes the next reading tell one item again, whether or not it changed.
	forget(name string)
}

// stamped sets the stamp of a message to the fleet.
func stamped(msg any, s messages.Stamp) any {
	switch m := msg.(type) {
	case messages.DeclaredChanged:
		m.Stamp = s
		return m
	case messages.RecordedChanged:
		m.Stamp = s
		return m
	case messages.RuntimeChanged:
		m.Stamp = s
		return m
	case messages.SourceDown:
		m.Stamp = s
		return m
	}
	return msg
}

// New returns the actor; give it to a supervise.Spec.
func New(cfg Config) *Source {
	s := &Source{cfg: cfg, poke: make(chan struct{}, 1), done: make(chan struct{}, 1)}
	switch cfg.Source {
	case messages.SourceDeclared:
		s.known = &declared{}
	case messages.SourceRecorded:
		s.known = &recorded{}
	case messages.SourceObserved:
		s.known = &observed{}
	}
	return s
}

// read is an observer's reading in the mailbox.
type read struct{ reading messages.Reading }

// retell is how long a source waits before it tells a fleet again whose mailbox was full. Chosen: nothing depends on it.
const retell = 50 * time.Millisecond

// Receive handles one message.
func (s *Source) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.start(c, m)
	case supervise.Stopping:
	case read:
		s.take(c, m.reading)
		s.done <- struct{}{}
	case messages.RereadWanted:
		s.look()
	case messages.ReportsWanted:
		s.cfg.View.Tell(messages.ComponentReported{Status: s.status})
	case messages.RowWritten:
		s.known.forget(m.Name)
	case messages.GetView:
		s.tellAll(c)
		if s.began { // it may be better or worse by now; an observer that has read nothing yet is about to
			s.look()
		}
	case messages.Tick:
		if s.full && !s.tellAll(c) {
			s.look()
		}
	}
}

// look has the observer read again now.
func (s *Source) look() {
	select {
	case s.poke <- struct{}{}:
	default: // a look is due already
	}
}

// tellAll tells everything and says whether it could: where not, the next reading is told whole.
func (s *Source) tellAll(c *supervise.Ctx) bool {
	all := s.known.view()
	if all == nil {
		s.full = true
		return false
	}
	s.tell(c, all)
	return true
}

func (s *Source) start(c *supervise.Ctx, m supervise.Started) {
	s.stamp = messages.Stamp{Epoch: uint64(m.Incarnation)}
	s.self = c.Self()
	s.full = m.Incarnation > 1
	spawn := func(f func()) { c.Go("observe", func(context.Context) { f() }) }
	c.Go("observe", func(ctx context.Context) {
		s.cfg.Observer.Observe(ctx, spawn, s.poke, func(r messages.Reading) { s.emit(ctx, r) })
	})
}

// emit hands one reading over and waits until it is handled, so that an observer is never more than one ahead.
func (s *Source) emit(ctx context.Context, r messages.Reading) {
	for !s.self.Tell(read{r}) {
		t := time.NewTimer(retell)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
	select {
	case <-ctx.Done():
	case <-s.done:
	}
}

func (s *Source) take(c *supervise.Ctx, r messages.Reading) {
	if h, ok := r.(messages.RuntimeHinted); ok {
		s.cfg.Fleet.Tell(h) // only ever a reason to wait: a lost one is no loss
		return
	}
	s.began = true
	msg, health := s.known.diff(r, s.full)
	if msg == nil {
		s.look()
	}
	s.tell(c, msg)
	s.report(c, health)
}

// tell passes on what changed. A fleet that is too busy hears everything a little later instead.
func (s *Source) tell(c *supervise.Ctx, msg any) {
	if msg == nil {
		return
	}
	s.stamp.Seq++
	if s.full = !s.cfg.Fleet.Tell(stamped(msg, s.stamp)); s.full {
		c.After(retell, messages.Tick{Name: "retell"})
	}
}

func (s *Source) report(c *supervise.Ctx, h messages.ComponentStatus) {
	if h.State == s.status.State && h.Detail == s.status.Detail {
		return
	}
	h.Component, h.Since = s.cfg.Component, messages.Moment{Time: c.Now()}
	if h.State == s.status.State {
		h.Since = s.status.Since
	}
	level := c.Log().Info()
	if h.State != "ok" {
		level = c.Log().Warn()
	}
	level.Str("component", h.Component).Str("from", s.status.State).Str("to", h.State).Str("detail", h.Detail).Msg("component changed")
	s.status = h
	s.cfg.View.Tell(messages.ComponentReported{Status: h})
}
