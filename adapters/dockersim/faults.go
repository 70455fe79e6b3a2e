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

// Storm flips containers at random, so that about rate events happen a second, until ctx ends. It answers how many
// events it made. An engine without containers waits for some.
func (e *Engine) Storm(ctx context.Context, rate int) int { return e.StormOn(ctx, rate, 0) }

// StormOn is a Storm among the oldest containers alone, so many of them; 0 means all.
func (e *Engine) StormOn(ctx context.Context, rate, oldest int) int {
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
			n := e.flipAny(oldest)
			if n == 0 {
				break
			}
			made += n
		}
	}
}

// flipAny flips a container of the dice's choice among the oldest and answers how many events that made.
func (e *Engine) flipAny(oldest int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.order) == 0 {
		return 0
	}
	among := e.order
	if oldest > 0 {
		among = among[:min(oldest, len(among))]
	}
	return e.flip(among[e.rand.IntN(len(among))], e.cfg.Now())
}
