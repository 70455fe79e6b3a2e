package supervise

// Receiver is an actor's code. One incarnation is one Receiver; it is called by one goroutine at a time. It may
// implement Snapshot() string, which is called after a crash, in place of a message, to fill the crash record.
type Receiver interface {
	// Receive handles one message. It must not block. A panic ends the incarnation; the message is not delivered again.
	Receive(c *Ctx, msg any)
}

// Func is a Receiver without state.
type Func func(c *Ctx, msg any)

// Receive calls f.
func (f Func) Receive(c *Ctx, msg any) { f(c, msg) }

// Started is the first message of every incarnation.
type Started struct {
	Incarnation uint32 // 1 = the first start
}

// Stopping is the last message of an orderly stop, after every waiting message. Handling it must not block. An incarnation
// that ends by a crash or by the restart of its group does not get it.
type Stopping struct{}

// Spec says what an actor is and how it is supervised.
type Spec struct {
	Kind string // "decky"; any text
	ID   string // "decky-01"; any text. Kind and ID together are unique among the living.

	// Group names the actors that are restarted together when a Subsystem actor among them crashes too often. "" = alone.
	Group string

	// New makes the Receiver of an incarnation. It runs in the actor, so a panic in it is a crash like any other, and
	// the supervisor calls it again for every restart.
	New func() Receiver

	// Mailbox bounds the waiting messages. 0 means Policy.Mailbox.
	Mailbox int64

	// Remember allows to keep the types of the last messages it handled, for people: see Ref.Recent.
	Remember bool

	// Subsystem marks an actor that the daemon cannot do without: crashing too often restarts its group, and the root
	// gives up in the end, where others go to quarantine.
	Subsystem bool
}

// snapshotter is what a Receiver may implement to have its state in the crash record.
type snapshotter interface{ Snapshot() string }
