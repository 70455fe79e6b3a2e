package supervise

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// Tapped is one message that a tapped actor has handled.
type Tapped struct {
	At      time.Time // when its handler began
	Actor   string    // kind/id
	Type    string
	Size    int           // bytes it holds, as far as the summary went
	Waited  time.Duration // in the mailbox, up to 1 s too long
	Took    time.Duration
	Asked   bool // somebody waits for an answer
	Crashed bool // it ended the incarnation
	Summary string
}

// TapSpec says what a Tap shows and when it ends.
type TapSpec struct {
	Want  func(r *Ref) bool   // which actors; called when it begins and now and then for new ones
	Match func(t Tapped) bool // which messages; nil = all. It runs in the actor: it must be short
	Count int64               // it ends after so many. Required
	For   time.Duration       // it ends after so long. Required
}

// Tap shows the messages some actors handle, until it has shown enough. Whoever does not read loses messages, counted: no
// actor ever waits.
type Tap struct {
	spec    TapSpec
	sys     *System
	out     chan Tapped
	left    atomic.Int64
	dropped atomic.Int64
	ended   atomic.Bool
	done    chan struct{}
	timer   *time.Timer
}

// Bounds of taps. Chosen: a handful of people look at one host; a second of a busy actor waits for a slow reader.
const (
	maxTaps   = 8
	tapBuffer = 512
)

// Errors of System.Tap.
var (
	// ErrTaps: there are as many taps as there may be.
	ErrTaps = errors.New("supervise: too many taps are open")
	// ErrTapBounds: a tap needs a count and a time.
	ErrTapBounds = errors.New("supervise: a tap needs a count and a time")
)

// Tap begins to show what actors handle.
func (s *System) Tap(spec TapSpec) (*Tap, error) {
	if spec.Count <= 0 || spec.For <= 0 || spec.Want == nil {
		return nil, ErrTapBounds
	}
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	if len(s.looks.taps) >= maxTaps {
		return nil, ErrTaps
	}
	t := &Tap{spec: spec, sys: s, out: make(chan Tapped, tapBuffer), done: make(chan struct{})}
	t.left.Store(spec.Count)
	t.timer = time.AfterFunc(spec.For, t.Stop)
	s.looks.taps = append(s.looks.taps, t)
	s.open(s.directory.all())
	return t, nil
}

// Stop ends the tap; it may be called again.
func (t *Tap) Stop() {
	if t.ended.Swap(true) {
		return
	}
	t.timer.Stop()
	close(t.done)
	s := t.sys
	s.looks.mu.Lock()
	defer s.looks.mu.Unlock()
	s.looks.taps = slices.DeleteFunc(s.looks.taps, func(x *Tap) bool { return x == t })
	s.open(s.directory.all())
}

// Out delivers the messages; it is never closed, see Done.
func (t *Tap) Out() <-chan Tapped { return t.out }

// Done is closed when the tap has ended. What was seen before may still be in Out.
func (t *Tap) Done() <-chan struct{} { return t.done }

// Dropped counts the messages that nobody read in time.
func (t *Tap) Dropped() int64 { return t.dropped.Load() }

func (t *Tap) want(r *Ref) bool { return !t.ended.Load() && t.spec.Want(r) }

// see shows one message. It runs in the actor.
func (t *Tap) see(r *Ref, l letter, began, ended int64, sound bool) {
	if t.ended.Load() {
		return
	}
	s := Tapped{At: r.sys.clock.time(began), Actor: r.Name(), Waited: time.Duration(max(0, began-l.at)), Took: time.Duration(ended - began),
		Asked: l.ask != nil, Crashed: !sound}
	s.Type = typeOf(l.msg)
	s.Summary, s.Size = summarize(l.msg, maxMessage)
	if t.spec.Match != nil && !t.matches(s) {
		return
	}
	left := t.left.Add(-1)
	if left < 0 {
		return
	}
	select {
	case t.out <- s:
	default:
		t.dropped.Add(1)
	}
	if left == 0 {
		t.timer.Reset(0) // not here: it takes a lock that a console holds while it looks at all actors
	}
}

// matches guards the actor from the filter.
func (t *Tap) matches(s Tapped) (yes bool) {
	if failed := guard(func() { yes = t.spec.Match(s) }); failed != nil {
		return false
	}
	return yes
}
