package publisher

import (
	"errors"
	"fmt"
	"time"
)

// Policy holds the numbers of the flow control. A zero field means its default. The measurements behind them were made
// against DECNET's own bus with 1 to 10 subscribers.
type Policy struct {
	// Window is how many rows may be in flight. 0 means 128. Source: measured; 256 is the most that is safe, 512 loses
	// 15 % of what is published.
	Window int
	// WindowBytes is the same in bytes. 0 means 128 KiB. Source: below the socket's send buffer of 208 KiB, so that not
	// even a stopped server makes a write block. A single row may exceed it.
	WindowBytes int
	// Rate is how many rows a second are published at most. 0 means 4,000. Source: measured; a subscriber that needs
	// 200 µs an event keeps up with it, and no window sees a subscriber that is slow itself.
	Rate float64
	// Burst is how many may go at once. 0 means 64. Source: measured with Rate.
	Burst int
	// Silence is how long nothing may come back with something in flight before a probe asks. 0 means 2 s. Chosen: far
	// above any echo of a live server (p99 12 ms).
	Silence time.Duration
	// Dead is how long nothing may come back at all before the link is given up. 0 means 6 s: three probes.
	Dead time.Duration
	// Barrier is the pace of the probes after a (re)connect. 0 means 50 ms. Chosen: a SUB and a PUB are on different
	// connections and not ordered, so the first probe may be too early.
	Barrier time.Duration
	// Tries is how often a row is tried alone before it is parked. 0 means 8. Source: the design.
	Tries int
	// Replay is how far back acknowledged rows are sent again after a reconnect, with the same ids. 0 means not at all.
	// Others lose what a dying server had queued for them; only resending can mend that, at the price of duplicates.
	Replay time.Duration
	// Grace is how long nothing is published after a reconnect where Replay is on, for other subscribers to be back. 0
	// means 1 s. Chosen: nobody can know when they are.
	Grace time.Duration
	// RetryMin and RetryMax bound the wait between attempts to connect, which doubles. 0 means 50 ms and 5 s.
	RetryMin, RetryMax time.Duration
	// Memory is how many rows are kept in memory; the rest waits in the outbox. 0 means 1,024: some 500 KiB.
	Memory int
}

// withDefaults fills the zero fields.
func (p Policy) withDefaults() Policy {
	or(&p.Window, 128)
	or(&p.WindowBytes, 128<<10)
	or(&p.Rate, 4000)
	or(&p.Burst, 64)
	or(&p.Silence, 2*time.Second)
	or(&p.Dead, 6*time.Second)
	or(&p.Barrier, 50*time.Millisecond)
	or(&p.Tries, 8)
	or(&p.Grace, time.Second)
	or(&p.RetryMin, 50*time.Millisecond)
	or(&p.RetryMax, 5*time.Second)
	or(&p.Memory, 1024)
	return p
}

func or[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

func (p Policy) validate() error {
	p = p.withDefaults()
	switch {
	case p.Window < 1 || p.WindowBytes < 1 || p.Burst < 1 || p.Tries < 1 || p.Memory < 2 || p.Rate <= 0:
		return errors.New("publisher: window, rate, burst, tries and memory must be positive")
	case min(p.Silence, p.Barrier, p.Grace, p.RetryMin) <= 0 || p.Replay < 0:
		return errors.New("publisher: times must be positive")
	case p.Dead < p.Silence:
		return fmt.Errorf("publisher: dead (%v) must not be shorter than silence (%v)", p.Dead, p.Silence)
	case p.RetryMax < p.RetryMin:
		return fmt.Errorf("publisher: retry-max (%v) must not be shorter than retry-min (%v)", p.RetryMax, p.RetryMin)
	}
	return nil
}
