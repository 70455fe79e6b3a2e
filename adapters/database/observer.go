package database

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/decnet/decnet-fleetd/messages"
)

// Backoff of a database that does not answer: as for every source.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Recorded observes the rows of this host and the operations DECNET has open on it.
type Recorded struct {
	db *DB
}

// Recorded gives the observer of this database.
func (db *DB) Recorded() *Recorded { return &Recorded{db: db} }

// Observe emits a RecordedRead when it starts, when a look each Probe sees a change, each Audit and when poked; and one
// SourceFailed whenever the reason why the database cannot be read changes. It returns when ctx ends; poke is never
// closed. Nothing needs spawn: it is there for observers that have more than one thing to wait for.
func (r *Recorded) Observe(ctx context.Context, _ func(func()), poke <-chan struct{}, emit func(messages.Reading)) {
	w := &watch{db: r.db, emit: emit, retry: newRetry()}
	full := true
	for ctx.Err() == nil {
		wait := w.step(ctx, full)
		if full = waitFor(ctx, wait, poke); w.failed != "" {
			full = true
		}
	}
}

// watch is the memory of one Observe.
type watch struct {
	db     *DB
	emit   func(messages.Reading)
	retry  *backoff.ExponentialBackOff
	seen   signs
	quiet  time.Duration // since the last complete read, in probes
	failed string        // the fault told last; "" while all is well
}

func newRetry() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.Multiplier, b.MaxInterval = firstRetry, 2, lastRetry
	return b
}

// step looks once, completely or only for signs of a change, and says how long to wait.
func (w *watch) step(ctx context.Context, full bool) time.Duration {
	if !full {
		w.quiet += w.db.cfg.Probe
		changed, err := w.db.changed(ctx, &w.seen)
		if err != nil {
			return w.fail(ctx, err)
		}
		full = changed || w.quiet >= w.db.cfg.Audit
	}
	if full {
		read, seen, err := w.db.readAll(ctx)
		if err != nil {
			return w.fail(ctx, err)
		}
		w.seen, w.quiet, w.failed = seen, 0, ""
		w.retry.Reset()
		w.emit(read)
	}
	return w.db.cfg.Probe
}

// fail tells a fault once and says how long to wait before the next try.
func (w *watch) fail(ctx context.Context, err error) time.Duration {
	fault := w.db.fault(err)
	if text := fault.Error(); text != w.failed && ctx.Err() == nil {
		w.failed = text
		w.emit(messages.SourceFailed{Source: messages.SourceRecorded, Fault: fault})
	}
	return w.retry.NextBackOff()
}

// waitFor waits for d, a poke or the end of ctx, and says whether it was a poke.
func waitFor(ctx context.Context, d time.Duration, poke <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-poke:
		return true
	}
	return false
}
