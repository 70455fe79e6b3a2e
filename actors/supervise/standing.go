package supervise

// The changes of an actor's standing. Each is one step under the mailbox's lock, and each that a process makes is refused
// if the process is no longer the owner.

// begin starts an incarnation: the process is about to run the producer and Started.
func (b *mailbox) begin(owner uint64, number uint32, now int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner || b.state == Running || b.state == Stopped {
		return false
	}
	b.state, b.number = Starting, number
	b.hand = hand{msg: Started{number}, since: now, busy: true}
	return true
}

// run opens the mailbox to the incarnation that begin started.
func (b *mailbox) run(owner uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner || b.state != Starting {
		return false
	}
	b.state, b.awake = Running, true // awake: the process goes on to take what waited
	return true
}

// fallen is what is left of an incarnation that ended.
type fallen struct {
	hand      hand
	discarded []letter // what waited, if the actor was closing: no incarnation follows to handle it
	stopped   bool     // the actor was closing, so it is stopped now
	ok        bool     // false: nothing was changed, the mailbox is somebody else's by now
}

// fall ends the incarnation: by a crash, or by a restart of the group, which is no crash.
func (b *mailbox) fall(owner uint64, crashed bool) fallen {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner || b.state == Stopped || b.closing && !crashed { // who stops anyway is left to do it in order
		return fallen{}
	}
	return b.down(crashed)
}

// seize takes the mailbox from a process that has been in one handler since since, for the process with the epoch next,
// unless the handler came back meanwhile.
func (b *mailbox) seize(next uint64, since int64) fallen {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.hand.busy || b.hand.since != since {
		return fallen{}
	}
	b.owner = next
	return b.down(true)
}

// abandon stops the actor whatever its process does.
func (b *mailbox) abandon(next uint64) fallen {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Stopped {
		return fallen{}
	}
	b.owner, b.closing = next, true
	return b.down(false)
}

func (b *mailbox) down(crashed bool) fallen {
	f := fallen{hand: b.hand, stopped: b.closing, ok: true}
	if crashed {
		b.crashes++
	}
	if f.hand.letter {
		b.lost++
	}
	b.hand, b.awake, b.state = hand{}, false, Backoff
	if b.closing {
		f.discarded = b.stop()
	}
	return f
}

// pass hands the mailbox of an actor that is down to the process with the epoch next.
func (b *mailbox) pass(next uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owner = next
}

// jail refuses messages from now on, and keeps those that wait.
func (b *mailbox) jail() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Backoff {
		b.state = Quarantined
	}
}

// shut refuses messages from now on; what waits is still handled.
func (b *mailbox) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing = true
}

// winding is how far a stop has come.
type winding int

const (
	windsDown   winding = iota // an incarnation handles what waits, or is about to
	stoppedNow                 // nobody is there to handle it: it is discarded
	stoppedThen                // it was stopped before
)

// wind goes on with the stop that shut began. As far as the supervisor knows, an incarnation is there if coming is set.
func (b *mailbox) wind(coming bool) (winding, []letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closing = true
	switch {
	case b.state == Stopped:
		return stoppedThen, nil
	case coming:
		return windsDown, nil
	}
	return stoppedNow, b.stop()
}

// end stops the actor after its last message; false if the process does not own the mailbox any more.
func (b *mailbox) end(owner uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.owner != owner || b.state == Stopped {
		return false
	}
	b.stop() // it discards nothing: goodbye comes after the last letter, and a closing mailbox takes no more
	return true
}

func (b *mailbox) stop() []letter {
	left := make([]letter, 0, b.ring.count)
	for b.ring.count > 0 {
		left = append(left, b.ring.pop())
	}
	b.drop(int64(len(left)))
	b.ring, b.state, b.hand = ring{}, Stopped, hand{}
	return left
}

// busy answers since when the running handler runs, if one does, and how many messages were handled.
func (b *mailbox) busy() (since, done int64, busy bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hand.since, b.done, b.hand.busy
}

func (b *mailbox) is(state State) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state == state
}

func (b *mailbox) isClosing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closing
}

// inHand is the message being handled; nil if none is.
func (b *mailbox) inHand() any {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.hand.msg
}
