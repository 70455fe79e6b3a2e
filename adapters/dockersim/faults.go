package dockersim

import (
	"context"
	"time"
)

// Faults is what is broken. The zero value is a healthy engine. JSON names are those of POST /_sim/faults.
type Faults struct {
	// Hang accepts every request and answers none until it is lifted.
	Hang bool `json:"hang"`
	// HangLists does the same to lists alone.
	HangLists bool `json:"hang_lists"`
	// Slow delays every list by so many nanoseconds.
	Slow time.Duration `json:"slow"`
	// Status answers lists with this status instead; 0 is healthy.
	Status int `json:"status"`
	// Truncate cuts lists, and the connection, in the middle.
	Truncate bool `json:"truncate"`
	// Body answers lists with these bytes instead.
	Body string `json:"body"`
	// NullState lists every state as null.
	NullState bool `json:"null_state"`
	// DropEvents loses events: they are neither told nor remembered.
	DropEvents bool `json:"drop_events"`
	// EventBody begins every event stream with these bytes.
	EventBody string `json:"event_body"`
}

// SetFaults breaks or mends the engine; what hung under the old faults is looked at again.
func (e *Engine) SetFaults(f Faults) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = f
	close(e.lifted)
	e.lifted = make(chan struct{})
}

// CutStreams ends every event stream in the middle of its body, as a killed engine does.
func (e *Engine) CutStreams() { e.hub.cutAll() }

func (e *Engine) broken() (Faults, <-chan struct{}) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.faults, e.lifted
}

// hang waits until the fault that hangs says so is lifted. False: ctx ended first.
func (e *Engine) hang(ctx context.Context, hangs func(Faults) bool) bool {
	for {
		f, lifted := e.broken()
		if !hangs(f) {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-lifted:
		}
	}
}

// Storm flips containers at random, so that about rate events happen a second, until ctx ends. It spares those of the
// oldest spare deckies, and answers how many events it made. An engine without containers waits for some.
func (e *Engine) Storm(ctx context.Context, rate, spare int) int {
	const step = 5 * time.Millisecond // fine enough to look steady, coarse enough to cost nothing
	tick := time.NewTicker(step)
	defer tick.Stop()
	begin, made, due := e.cfg.Now(), 0, 0
	for {
		select {
		case <-ctx.Done():
			return made
		case <-tick.C:
		}
		due = int(e.cfg.Now().Sub(begin).Seconds() * float64(rate))
		for made < due {
			n := e.flipAny(spare)
			if n == 0 {
				break
			}
			made += n
		}
	}
}

// flipAny flips a container of the dice's choice and answers how many events that made.
func (e *Engine) flipAny(spare int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	first := e.afterDeckies(spare)
	if len(e.order) == first {
		return 0
	}
	return e.flip(e.order[first+e.rand.IntN(len(e.order)-first)], e.cfg.Now())
}

// afterDeckies is where the containers of the oldest n deckies end in the order of creation.
func (e *Engine) afterDeckies(n int) int {
	deckies, last := 0, ""
	for i, s := range e.order {
		d := s.rec.labels["decnet.fleet.decky"]
		if d == "" || d == last {
			continue
		}
		if last = d; deckies == n {
			return max(0, i-1) // its base container comes before its services
		}
		deckies++
	}
	return len(e.order)
}
