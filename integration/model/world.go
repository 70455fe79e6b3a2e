// Package model explores every interleaving of a small world: two processes that want one host's lease, one database with
// rows, revisions and outbox, and a bus that may lose. It is a model of the protocol, not the product: each step below
// names the code it stands for. What it promises holds for all orders of steps, not for the ones a test happens to see.
package model

import "fmt"

const (
	processes  = 2
	maxDeckies = 2
)

// Bounds make the world finite. Every fault happens at most so often, at any moment.
type Bounds struct {
	Deckies int   // 1 or 2
	Changes uint8 // how often each decky's containers change; at most 6
	Crashes uint8 // kill -9 and restart
	Faults  uint8 // actor restarts, lost answers of COMMIT, frames and echoes the bus loses
	Takes   uint8 // how often the lease changes hands
}

// Rules says which rule of the protocol is broken on purpose; the zero value is the protocol.
type Rules struct {
	DeleteBeforeAck     bool // the outbox forgets what was sent, not what was echoed
	NoFence             bool // a write does not ask for the lease's token
	PublishBeforeCommit bool // the bus hears of what is only wanted
	Overtake            bool // a decky's next event goes while the one before is in flight
}

// process is one daemon's memory; all of it is gone after a crash.
type process struct {
	Up    bool
	Token uint8             // the lease it believes to hold; 0 is standby (store.Store.token)
	Life  uint8             // distinguishes its event ids from those of earlier lives
	Order [maxDeckies]uint8 // what the store is asked to write: the row's revision it expects + 1; 0 is nothing
	Lane  [maxDeckies]uint8 // revisions read from the outbox and not yet echoed, one bit each (publisher lanes)
	UpTo  [maxDeckies]uint8 // the newest ever read (backlog.upTo)
	Sent  [maxDeckies]uint8 // the revision in flight
	Echo  [maxDeckies]bool  // its echo is on the way
	Acked [maxDeckies]uint8 // revisions echoed, to be deleted from the outbox
}

// id is an event's: who made it in which life, and for which change.
type id struct{ Process, Life, Rev uint8 }

// world is a state of everything; equal worlds have equal futures.
type world struct {
	P      [processes]process
	Token  uint8             // of the lease row
	Wanted [maxDeckies]uint8 // how often the containers have changed
	Row    [maxDeckies]uint8 // fleetd_rev.rev, and the row that goes with it
	Last   [maxDeckies]id    // fleetd_rev.last_event_id
	Outbox [maxDeckies]uint8 // revisions that wait, one bit each
	Heard  [maxDeckies]uint8 // revisions 1..n have reached the subscriber

	Crashes, Faults, Takes uint8 // used up
}

func bit(rev uint8) uint8 { return 1 << rev }

// lowest is the lowest revision of a set; 0 if it is empty.
func lowest(set uint8) uint8 {
	for rev := uint8(1); rev < 8; rev++ {
		if set&bit(rev) != 0 {
			return rev
		}
	}
	return 0
}

// label names a step; it is spelled out only where somebody reads it.
type label struct {
	format string
	n      [3]int
	args   int
}

func (l label) String() string {
	all := []any{l.n[0], l.n[1], l.n[2]}
	return fmt.Sprintf(l.format, all[:l.args]...)
}

// step is one thing that can happen.
type step struct {
	name  label
	after world
	wrong string // what the step itself violates
}

// explorer makes the steps of a world.
type explorer struct {
	b     Bounds
	rules Rules
	steps []step
}

func (x *explorer) add(w world, wrong, format string, args ...int) {
	l := label{format: format, args: len(args)}
	copy(l.n[:], args)
	x.steps = append(x.steps, step{l, w, wrong})
}

// next gives every step that can happen now.
func (x *explorer) next(w world) []step {
	x.steps = x.steps[:0]
	for d := range x.b.Deckies {
		if w.Wanted[d] < x.b.Changes {
			v := w
			v.Wanted[d]++
			x.add(v, "", "decky %d changes", d)
		}
	}
	for p := range processes {
		x.lease(w, p)
		if w.P[p].Up {
			x.crash(w, p)
		}
		for d := range x.b.Deckies {
			if w.P[p].Up && w.P[p].Token != 0 {
				x.write(w, p, d)
				x.publish(w, p, d)
			}
		}
	}
	return x.steps
}

// lease: start (or standby that lost patience, at any moment: a lease's owner may be stopped for any time) takes the lease
// with the next token (database.DB.Take); an owner that looks learns that it is none (Store.fenced).
func (x *explorer) lease(w world, p int) {
	me := w.P[p]
	if me.Token == 0 && w.Takes < x.b.Takes {
		v := w
		v.Takes++
		v.Token++
		v.P[p] = process{Up: true, Token: v.Token, Life: me.Life, Order: me.Order}
		x.add(v, "", "process %d takes the lease, token %d", p, int(v.Token))
	}
	if me.Token != 0 && me.Token != w.Token {
		v := w
		v.P[p] = process{Up: true, Life: me.Life, Order: me.Order}
		x.add(v, "", "process %d beats and is fenced", p)
	}
}

// crash: kill -9, or the store's or the publisher's actor alone.
func (x *explorer) crash(w world, p int) {
	if w.Crashes < x.b.Crashes {
		v := w
		v.Crashes++
		v.P[p] = process{Life: w.P[p].Life + 1}
		x.add(v, "", "process %d is killed", p)
	}
	if w.Faults >= x.b.Faults {
		return
	}
	v := w
	v.Faults++
	v.P[p].Order, v.P[p].Life = [maxDeckies]uint8{}, w.P[p].Life+1
	x.add(v, "", "process %d's store restarts", p)
	v = w
	v.Faults++
	me := &v.P[p]
	me.Lane, me.UpTo, me.Sent, me.Echo, me.Acked = [maxDeckies]uint8{}, [maxDeckies]uint8{}, [maxDeckies]uint8{}, [maxDeckies]bool{}, [maxDeckies]uint8{}
	x.add(v, "", "process %d's publisher restarts", p)
}
