package supervise

// letter is one message in a mailbox.
type letter struct {
	msg   any
	ask   *call  // who waits for an answer; nil = nobody
	alarm *alarm // the timer it comes from; nil = none
	at    int64  // when it came, on the system's coarse clock
}

// ring is a queue that grows by doubling and is given back when it is empty: a mailbox that overflowed once must not
// cost memory for ever. The zero ring is empty.
type ring struct {
	slots []letter // length a power of two, or none
	head  int
	count int
}

const (
	ringStart = 2  // most actors have one or two messages waiting at a time
	ringKeep  = 16 // kept when empty: 640 bytes, chosen; more would break the 2 KiB of an idle actor
)

func (r *ring) push(l letter) {
	if r.count == len(r.slots) {
		r.grow()
	}
	r.slots[(r.head+r.count)&(len(r.slots)-1)] = l
	r.count++
}

func (r *ring) grow() {
	slots := make([]letter, max(ringStart, 2*len(r.slots)))
	n := copy(slots, r.slots[r.head:])
	copy(slots[n:], r.slots[:r.head])
	r.slots, r.head = slots, 0
}

// pop takes the oldest letter. The ring must not be empty.
func (r *ring) pop() letter {
	slot := &r.slots[r.head]
	l := *slot
	*slot = letter{}
	r.head = (r.head + 1) & (len(r.slots) - 1)
	r.count--
	return l
}

// rest gives back the memory of an empty ring that grew large.
func (r *ring) rest() {
	if r.count == 0 && len(r.slots) > ringKeep {
		*r = ring{}
	}
}
