package supervise

import (
	"sync"
	"sync/atomic"
)

// mailbox holds an actor's waiting messages and its standing. Senders, the actor's process and the supervisor all touch
// it, so it has a lock, held for a few dozen nanoseconds and never while other code runs. It belongs to the Ref and
// outlives every process; only the process whose epoch is owner may take from it, so a process that was given up for
// stuck and wakes up later finds itself locked out.
type mailbox struct {
	mu      sync.Mutex
	ring    ring
	bound   int64
	owner   uint64 // epoch of the process that may take
	number  uint32 // of the latest incarnation
	state   State  // never Closing: that is Starting, Running or Backoff with closing set
	closing bool   // takes no more messages, and stops when the last is handled
	awake   bool   // a wake-up is under way or being served
	hand    hand
	recent  *recent // the last messages; nil: nobody has asked for them

	in, done, lost, dropped, crashes, high int64

	dead *atomic.Int64 // counts what all actors of the kind dropped; nil: nobody counts
}

// drop counts messages that nobody takes.
func (b *mailbox) drop(n int64) {
	b.dropped += n
	if b.dead != nil {
		b.dead.Add(n)
	}
}

// hand is the message being handled.
type hand struct {
	msg    any
	since  int64 // on the coarse clock
	busy   bool
	letter bool // it came through the mailbox, unlike Started and Stopping
}

// put adds a letter. It answers whether the actor's process has to be woken, and an error if nothing was added.
func (b *mailbox) put(l letter) (wake bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.refuses(l); err != nil {
		b.drop(1)
		return false, err
	}
	b.ring.push(l)
	b.in++
	b.high = max(b.high, int64(b.ring.count))
	if b.awake || b.state != Running {
		return false, nil
	}
	b.awake = true
	return true, nil
}

// refuses lets timers pass the bound: the actor set them itself, and one that is lost is never set again.
func (b *mailbox) refuses(l letter) error {
	switch {
	case b.closing || b.state == Stopped:
		return ErrStopped
	case b.state == Quarantined:
		return ErrQuarantined
	case l.alarm != nil:
		return nil
	case int64(b.ring.count) >= b.bound:
		return ErrFull
	}
	return nil
}

// taken says what the process has to do after take.
type taken int

const (
	nothing taken = iota // sleep until woken
	message              // handle the letter
	goodbye              // handle Stopping, then end
)

// take settles the message in hand and takes the next one.
func (b *mailbox) take(owner uint64, now int64) (letter, taken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner {
		return letter{}, nothing
	}
	b.settle()
	for b.state == Running && b.ring.count > 0 {
		l := b.ring.pop()
		if l.alarm != nil && !l.alarm.rings(b.number) {
			b.in-- // as if it had been cancelled in time
			continue
		}
		b.hand = hand{msg: l.msg, since: now, busy: true, letter: true}
		return l, message
	}
	b.awake = false
	b.ring.rest()
	if b.state == Running && b.closing {
		b.hand = hand{msg: Stopping{}, since: now, busy: true}
		return letter{}, goodbye
	}
	return letter{}, nothing
}

// lay settles the message in hand without taking another.
func (b *mailbox) lay(owner uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner == owner {
		b.settle()
	}
}

func (b *mailbox) settle() {
	if b.hand.letter {
		b.done++
		if b.recent != nil {
			b.recent.note(b.hand)
		}
	}
	b.hand = hand{}
}

// stats copies the counters.
func (b *mailbox) stats(c *clock) Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := Stats{
		State: b.state, Incarnation: b.number, Depth: int64(b.ring.count), HighWater: b.high, In: b.in, Done: b.done,
		Lost: b.lost, Dropped: b.dropped, Crashes: b.crashes, Restarts: max(0, int64(b.number)-1),
	}
	if b.closing && b.state != Stopped {
		out.State = Closing
	}
	if b.hand.busy {
		out.InHandlerSince = c.time(b.hand.since)
	}
	if b.ring.count > 0 {
		out.OldestSince = c.time(b.ring.slots[b.ring.head].at)
	}
	return out
}
