package supervise

import (
	"slices"
	"time"
)

// history is what the supervisor remembers of one actor's crashes. The zero history is that of a new actor.
type history struct {
	crashes     []time.Time // ascending, within the intensity's window, never more than its count
	fails       int         // crashes since the last healthy incarnation: the exponent of the backoff
	quarantined bool        // tried again out of quarantine, and not healthy since
}

// failure is one crash as the decision sees it.
type failure struct {
	at        time.Time
	up        time.Duration // how long the incarnation lived
	subsystem bool
	jitter    float64 // [0,1)
}

// step is what to do about a crash.
type step int

const (
	restart    step = iota // begin the next incarnation after a while
	quarantine             // refuse messages and try again after a while
	escalate               // restart the whole group
)

// verdict is a step with the time to wait before it; escalate has none.
type verdict struct {
	do    step
	after time.Duration
}

// judge decides what follows a crash. It returns the history to remember and leaves the given one as it was.
func judge(h history, f failure, p Policy) (history, verdict) {
	if f.up >= p.Healthy {
		h = history{}
	}
	limit := p.Actor
	if f.subsystem {
		limit = p.Subsystem
	}
	h.crashes = remember(h.crashes, f.at, limit)
	h.fails++
	switch {
	case f.subsystem && len(h.crashes) >= limit.Count:
		return history{}, verdict{do: escalate}
	case f.subsystem:
		return h, verdict{restart, backoff(h.fails, f.jitter, p)}
	case h.quarantined || len(h.crashes) >= limit.Count:
		// One crash after a retry is enough: else a broken actor would crash five times every minute for ever.
		h.quarantined = true
		return h, verdict{quarantine, p.QuarantineRetry}
	}
	return h, verdict{restart, backoff(h.fails, f.jitter, p)}
}

// jitterSpread is ±25 %: a thousand actors that crashed together must not come back in step, and the waits of two
// crashes in a row must not overlap.
const jitterSpread = 0.25

// backoff is the wait before the restart that follows the nth crash in a row, n from 1.
func backoff(n int, jitter float64, p Policy) time.Duration {
	wait := p.BackoffMin
	for i := 1; i < n && wait < p.BackoffMax; i++ {
		wait *= 2
	}
	wait = min(wait, p.BackoffMax)
	return wait + time.Duration(float64(wait)*jitterSpread*(2*jitter-1))
}

// giveUp tells whether the escalation at now is one too many for the root. It returns the escalations to remember.
func giveUp(past []time.Time, now time.Time, limit Intensity) ([]time.Time, bool) {
	past = remember(past, now, limit)
	return past, len(past) >= limit.Count
}

// stormy tells whether a crash at now is worth announcing as a storm: enough of them in the window, and none announced
// within it, so that a storm that goes on is announced once a window.
func stormy(past []time.Time, now, announced time.Time, limit Intensity) ([]time.Time, bool) {
	past = remember(past, now, limit)
	quiet := announced.IsZero() || now.Sub(announced) > limit.Window
	return past, quiet && len(past) >= limit.Count
}

// remember adds now to the times still in the window and keeps no more of them than can matter. The result never shares
// memory with past.
func remember(past []time.Time, now time.Time, limit Intensity) []time.Time {
	fresh := make([]time.Time, 0, min(len(past)+1, limit.Count))
	for _, t := range past[max(0, len(past)+1-limit.Count):] {
		if now.Sub(t) <= limit.Window {
			fresh = append(fresh, t)
		}
	}
	return append(slices.Clip(fresh), now)
}

// tickEvery is how often the root looks for stuck actors, and how old the coarse clock can be. At 10,000 actors a look
// costs 0.7 ms, 0.07 % of a core (BenchmarkLook).
const tickEvery = time.Second

// isStuck tells whether a handler has run for longer than limit. The coarse clock may have it begin earlier than it did
// by up to tickEvery, so that much is granted: nothing is called stuck too early.
func isStuck(now, since, limit time.Duration) bool {
	return now-since > limit+tickEvery
}
