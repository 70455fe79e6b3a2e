package docker

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/decnet/decnet-fleetd/messages"
)

// settled is how long a connection must have lasted for its end to count as a new trouble and not as more of the
// same, and how soon a list is read again that may have come too early. Chosen: an engine that cuts every stream at
// once must not be asked for full lists ten times a second.
const settled = time.Second

// leastRetry keeps a jitter of zero from asking without a pause. Chosen; nothing depends on it.
const leastRetry = 10 * time.Millisecond

// Observe watches the engine until ctx ends. It emits the first full list, or why there is none, as soon as it can;
// then every reading that may differ from what it emitted before, a RuntimeHinted before the reading that its events
// caused, and a SourceFailed whenever the reason of a failure changes. Every poke that is received is answered by a
// full list that began after it, even an equal one, or by a SourceFailed, even a repeated one. A call of emit may take
// as long as it likes: meanwhile events gather in bounded memory. With spawn it starts the reader of the event stream,
// one at a time.
func (r *Runtime) Observe(ctx context.Context, spawn func(func()), poke <-chan struct{}, emit func(messages.Reading)) {
	o := &observer{r: r, spawn: spawn, poke: poke, emit: emit, lister: newLister()}
	retry := &backoff.ExponentialBackOff{InitialInterval: r.cfg.RetryMin, Multiplier: 2, MaxInterval: r.cfg.RetryMax}
	retry.Reset()
	for ctx.Err() == nil {
		began, connected := r.cfg.Now(), o.connects
		err := o.session(ctx)
		if ctx.Err() != nil {
			return
		}
		r.count.failures.Add(1)
		o.failed(r.fault(err))
		if o.connects > connected && r.cfg.Now().Sub(began) >= min(settled, r.cfg.RetryMax) {
			retry.Reset()
		}
		o.rest(ctx, r.pause(retry.NextBackOff()))
	}
}

// observer is one running Observe. Everything in it belongs to the goroutine that called Observe.
type observer struct {
	r     *Runtime
	spawn func(func())
	poke  <-chan struct{}
	emit  func(messages.Reading)

	lister   *lister
	last     []messages.Container // the last full list, shared with whoever got it
	current  bool                 // nothing but last has been emitted since it was
	fault    messages.Fault       // of the last SourceFailed; zero while the engine answers
	asked    bool                 // a poke has not been answered yet
	connects int                  // sessions that came as far as a full list
}

// failed tells of a failure, unless it was told already and nobody asked.
func (o *observer) failed(f messages.Fault) {
	o.current = false
	if f == o.fault && !o.asked {
		return
	}
	o.fault, o.asked = f, false
	o.emit(messages.SourceFailed{Source: messages.SourceObserved, Fault: f})
}

// rest waits before the next attempt; a poke ends it.
func (o *observer) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(max(d, leastRetry))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case _, open := <-o.poke:
		o.poked(open)
	}
}

// poked notes a poke; a closed channel asks for nothing.
func (o *observer) poked(open bool) {
	o.asked = o.asked || open
	if !open {
		o.poke = nil
	}
}
