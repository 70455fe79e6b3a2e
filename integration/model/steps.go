package model

// write: a decky decides (decky.decide), the store commits row, revision and outbox entry in one transaction
// (database.attempt: fence, event id, expectation), and the answer may be lost.
func (x *explorer) write(w world, p, d int) {
	me := w.P[p]
	if me.Order[d] == 0 {
		if w.Row[d] < w.Wanted[d] {
			v := w
			v.P[p].Order[d] = w.Row[d] + 1
			if x.rules.PublishBeforeCommit {
				x.add(v, deliver(&v, d, w.Row[d]+1), "process %d announces revision %d of decky %d and wants it written", p, int(w.Row[d]+1), d)
				return
			}
			x.add(v, "", "process %d wants revision %d of decky %d", p, int(w.Row[d]+1), d)
		}
		return
	}
	v := w
	wrong := x.commit(&v, p, d)
	if w.Faults < x.b.Faults {
		lost := v
		lost.Faults++
		x.add(lost, wrong, "process %d commits decky %d, the answer is lost", p, d)
	}
	v.P[p].Order[d] = 0
	x.add(v, wrong, "process %d commits decky %d", p, d)
}

// commit is the transaction as one step: the database makes it one.
func (x *explorer) commit(v *world, p, d int) (wrong string) {
	me := v.P[p]
	if me.Token != v.Token {
		if !x.rules.NoFence {
			v.P[p].Token = 0 // messages.ErrFenced; see Store.fenced
			return ""
		}
		wrong = "two owners: a process wrote under a lease that is another's"
	}
	rev := me.Order[d] // revision expected + 1
	name := id{uint8(p), me.Life, rev}
	switch {
	case v.Last[d] == name: // committed before, the answer was lost: judge says Committed and nothing is written
	case v.Row[d] != rev-1: // Refused: the row is not what was expected
	default:
		v.Row[d], v.Last[d] = rev, name
		v.Outbox[d] |= bit(rev)
		return wrong
	}
	return ""
}

// publish: rows come from the outbox into lanes (backlog), a lane's head goes out, the bus fans it out or loses it, the
// echo comes back or does not, and what was echoed leaves the outbox (database.DB.Acknowledge, which asks for no token).
func (x *explorer) publish(w world, p, d int) {
	me := w.P[p]
	if fresh := w.Outbox[d] &^ (bit(me.UpTo[d]+1) - 1); fresh != 0 {
		v := w
		v.P[p].Lane[d] |= fresh
		for rev := me.UpTo[d] + 1; rev < 8; rev++ {
			if fresh&bit(rev) != 0 {
				v.P[p].UpTo[d] = rev
			}
		}
		x.add(v, "", "process %d reads the outbox of decky %d", p, d)
	}
	if me.Sent[d] == 0 && me.Lane[d] != 0 {
		x.send(w, p, d, lowest(me.Lane[d]))
	}
	if next := lowest(me.Lane[d] &^ bit(me.Sent[d])); x.rules.Overtake && me.Sent[d] != 0 && next != 0 {
		x.send(w, p, d, next)
	}
	if me.Sent[d] != 0 {
		x.echo(w, p, d)
	}
	if me.Acked[d] != 0 {
		v := w
		v.Outbox[d] &^= me.Acked[d]
		v.P[p].Acked[d] = 0
		x.add(v, "", "process %d deletes what was acknowledged of decky %d", p, d)
	}
}

func (x *explorer) send(w world, p, d int, rev uint8) {
	v := w
	v.P[p].Sent[d], v.P[p].Echo[d] = rev, true
	if x.rules.DeleteBeforeAck {
		v.P[p].Acked[d] |= bit(rev)
	}
	if w.Faults < x.b.Faults {
		lost := v
		lost.Faults++
		lost.P[p].Echo[d] = false
		x.add(lost, "", "process %d sends revision %d of decky %d, the bus loses it", p, int(rev), d)
	}
	wrong := deliver(&v, d, rev)
	x.add(v, wrong, "process %d sends revision %d of decky %d, the subscriber has it", p, int(rev), d)
}

// deliver is the subscriber's side.
func deliver(v *world, d int, rev uint8) (wrong string) {
	switch {
	case rev > v.Row[d]:
		return "an event of what was never committed"
	case rev > v.Heard[d]+1:
		return "an event overtook the one before"
	case rev == v.Heard[d]+1:
		v.Heard[d] = rev
	}
	return ""
}

// echo: it comes, or it was lost with its frame or on its way (silence, then the head goes again).
func (x *explorer) echo(w world, p, d int) {
	v := w
	rev := w.P[p].Sent[d]
	v.P[p].Sent[d], v.P[p].Echo[d] = 0, false
	if !w.P[p].Echo[d] {
		x.add(v, "", "process %d misses the echo of decky %d", p, d)
		return
	}
	if w.Faults < x.b.Faults {
		lost := v
		lost.Faults++
		x.add(lost, "", "process %d loses the echo of decky %d", p, d)
	}
	v.P[p].Lane[d] &^= bit(rev)
	v.P[p].Acked[d] |= bit(rev)
	x.add(v, "", "process %d hears the echo of revision %d of decky %d", p, int(rev), d)
}
