package docker

import (
	"context"
	"io"
	"time"
)

// overlap is how far back a new stream is asked to begin. Docker answers the subscription a moment before it
// subscribes: what happens in between would be in neither the stream nor, perhaps, the list. A replayed event costs
// one look. Chosen: a thousand times that moment.
const overlap = time.Second

// session is one connection: a stream of events and the lists read while it lasts.
type session struct {
	*observer
	engine engine
	dirt   *dirt
	relist *time.Timer      // when the next full list is due
	ready  *time.Timer      // when the gathered ids are looked at
	armed  bool             // ready runs
	again  map[string]doubt // by id: to be looked at again
	check  *time.Timer      // when the first of them is due
	looked time.Time        // when the last look ended
	took   time.Duration    // what it took
}

// session connects, subscribes, lists and follows until something fails; the error says what.
func (o *observer) session(ctx context.Context) error {
	eng, err := o.r.dial()
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }() // nothing is left to lose
	call, end := within(ctx, o.r.cfg.CallTimeout)
	err = eng.Negotiate(call)
	end()
	if err != nil {
		return err
	}
	life, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stream, err := o.subscribe(life, stop, eng)
	if err != nil {
		return err
	}
	s := &session{observer: o, engine: eng, dirt: newDirt(), again: make(map[string]doubt),
		relist: idle(), ready: idle(), check: idle()}
	read := make(chan struct{})
	o.spawn(func() {
		defer close(read)
		defer stop(io.ErrUnexpectedEOF) // the guard catches a panic, this ends the session
		stop(follow(life, stream, s.dirt, &o.r.count))
	})
	defer func() { // one reader at a time, however often the engine comes and goes
		stop(nil)
		_ = stream.Close() // it was only read
		select {
		case <-read:
		case <-ctx.Done():
		}
	}()
	return s.run(life)
}

// subscribe opens the event stream: its answer has a deadline, its length has none.
func (o *observer) subscribe(life context.Context, stop func(error), eng engine) (io.ReadCloser, error) {
	deadline := time.AfterFunc(o.r.cfg.CallTimeout, func() { stop(errSilent) })
	stream, err := eng.Events(life, o.r.cfg.Now().Add(-overlap))
	if err != nil {
		return nil, cause(life, err)
	}
	if !deadline.Stop() {
		_ = stream.Close() // it came too late: life is over or will be in a moment
		return nil, errSilent
	}
	o.r.count.connects.Add(1)
	return stream, nil
}

// cause prefers the reason why a context ended to the error that it led to.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// idle makes a timer that does not run.
func idle() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}

// run lists, and goes on looking until life ends.
func (s *session) run(life context.Context) error {
	defer s.relist.Stop()
	defer s.ready.Stop()
	defer s.check.Stop()
	err := s.full(life)
	if err == nil {
		s.connects++
	}
	for err == nil {
		err = s.turn(life)
	}
	return cause(life, err)
}

// turn waits for one thing to do and does it. Only one list is ever on its way, because nothing else makes lists.
func (s *session) turn(life context.Context) error {
	select {
	case <-life.Done():
		return context.Cause(life)
	case _, open := <-s.poke:
		if s.poked(open); s.asked {
			return s.full(life)
		}
	case <-s.relist.C:
		return s.full(life)
	case <-s.check.C:
		s.lookAgain()
	case <-s.dirt.wake:
		s.arm()
	case <-s.ready.C:
		s.armed = false
		return s.look(life)
	}
	return nil
}

// arm sets the time of the next look. Later events do not put it off, they can only bring it forward.
func (s *session) arm() {
	if p := s.patience(); !s.armed || p == 0 {
		s.ready.Reset(p)
		s.armed = true
	}
}

// patience is how long marked ids gather: the first of a quiet time hardly at all, those of a storm as long as the
// last look took, a full load not at all.
func (s *session) patience() time.Duration {
	if n, overflown := s.dirt.waiting(); overflown || n >= maxAsked {
		return 0
	}
	rest := s.looked.Add(min(s.took, s.r.cfg.Pause)).Sub(s.r.cfg.Now())
	return max(s.r.cfg.Gather, rest)
}
