package publisher

import (
	"fmt"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// orders is what is to be done now.
type orders struct {
	dial  bool             // make a link
	leave string           // end the link: why; "" keeps it
	write []messages.Frame // give this to the link, in one piece
	look  bool             // ask the link whether it moved; a write asks too
}

// lookEvery is how often an idle link is asked whether another socket stands at its path. Chosen: one stat.
const lookEvery = time.Second

// plan decides what is to be done now. What it orders counts as done: a write is in flight until written is called, a
// dial until connected or ended.
func (f *flight) plan(now time.Time) orders {
	switch f.phase {
	case linkless:
		if now.Before(f.dialAt) {
			return orders{}
		}
		f.phase = dialling
		return orders{dial: true}
	case dialling:
		return orders{}
	case barrier, open:
	}
	if f.waits() && now.Sub(f.heard) >= f.p.Dead {
		return orders{leave: fmt.Sprintf("nothing came back for %v", f.p.Dead)}
	}
	if f.writing {
		return orders{}
	}
	var o orders
	if f.phase == open {
		o.write = f.fill(now, f.urgent)
		f.urgent = nil
	}
	if f.probeDue(now) {
		o.write = append(o.write, f.probe(now))
	}
	o.look = now.Sub(f.looked) >= lookEvery
	if len(o.write) > 0 || o.look {
		f.writing, f.looked = true, now
	}
	return o
}

// written: the link has taken the last write, or it could not.
func (f *flight) written() { f.writing = false }

// waits says whether something should come back.
func (f *flight) waits() bool { return f.phase == barrier || len(f.inflight) > 0 }

// probeDue: until the link has opened, every now and then; afterwards only on silence. A probe goes right behind a
// lone suspect, see fill.
func (f *flight) probeDue(now time.Time) bool {
	if f.phase == barrier {
		return now.Sub(f.probed) >= f.p.Barrier
	}
	return f.waits() && now.Sub(f.heard) >= f.p.Silence && now.Sub(f.probed) >= f.p.Silence
}

// probe is a heartbeat with a number. It needs no topic of its own, and DECNET takes it for the heartbeat it is.
func (f *flight) probe(now time.Time) messages.Frame {
	f.number++
	f.count.Probes++
	f.probed = now
	f.probes = append(f.probes, probe{number: f.number, pos: f.pos})
	return messages.Frame{Topic: messages.HealthTopic, Body: fmt.Appendf(nil,
		`{"payload":{"worker":%q,"ts":%s,"instance":%s,"probe":%d},"type":%q}`,
		messages.WorkerName, seconds(now), strconv.Quote(f.instance), f.number, messages.HealthType)}
}

// fill appends as many rows to frames as window, bytes and pace allow.
func (f *flight) fill(now time.Time, frames []messages.Frame) []messages.Frame {
	f.refill(now)
	for !now.Before(f.openAt) && f.tokens >= 1 {
		l := f.candidate(now)
		if l == nil {
			break
		}
		f.lanes.dequeue(l)
		it := l.head()
		frames = append(frames, f.launch(it, now))
		if it.suspect {
			// Its loss is proven as soon as the probe comes back without it.
			f.solo = it
			frames = append(frames, f.probe(now))
		}
	}
	return frames
}

// candidate is the lane whose head the window lets go; nil: none, until something comes back. A suspect waits until
// nothing else is in flight and then keeps everything else waiting.
func (f *flight) candidate(now time.Time) *lane {
	if f.solo != nil || len(f.inflight) >= f.p.Window {
		return nil
	}
	l := f.lanes.next(now)
	if l == nil || len(f.inflight) == 0 {
		return l
	}
	if it := l.head(); it.suspect || f.bytes+it.size() > f.p.WindowBytes {
		return nil
	}
	return l
}

// launch puts an item into the window.
func (f *flight) launch(it *item, now time.Time) messages.Frame {
	if len(f.inflight) == 0 {
		f.heard = now // the clock of silence begins with the first row in flight
	}
	f.pos++
	it.pos = f.pos
	it.sent = now
	f.inflight[it.row.EventID] = it
	f.order = append(f.order, it)
	f.bytes += it.size()
	f.tokens--
	f.count.Sent++
	return messages.Frame{Topic: it.row.Topic, Body: envelope(it.row.Payload, messages.StateType)}
}

// refill adds what the pace has earned since it was last looked at.
func (f *flight) refill(now time.Time) {
	if !f.filled.IsZero() {
		f.tokens += now.Sub(f.filled).Seconds() * f.p.Rate
	}
	f.tokens, f.filled = min(f.tokens, float64(f.p.Burst)), now
}

// wake is when plan should be asked again if nothing happens before; the zero time is never.
func (f *flight) wake(now time.Time) time.Time {
	switch f.phase {
	case linkless:
		return f.dialAt
	case dialling:
		return time.Time{}
	case barrier, open:
	}
	var at time.Time
	if f.waits() {
		at = f.heard.Add(f.p.Dead)
	}
	if f.writing {
		return at // nothing goes before the answer, and that is a message
	}
	at = earlier(at, f.looked.Add(lookEvery))
	if f.phase == barrier {
		return earlier(at, f.probed.Add(f.p.Barrier))
	}
	if f.waits() {
		at = earlier(at, later(f.heard, f.probed).Add(f.p.Silence))
	}
	if f.candidate(now) != nil {
		return earlier(at, later(f.openAt, f.earned()))
	}
	if len(f.inflight) == 0 {
		for _, l := range f.lanes.suspects {
			at = earlier(at, l.after)
		}
	}
	return at
}

// earned is when the pace allows a batch that is worth waking up for. It lies in the past where it does so already.
func (f *flight) earned() time.Time {
	missing := max(1, min(float64(len(f.lanes.ready)), float64(f.p.Burst)/4)) - f.tokens
	const rounding = time.Microsecond // or it would be asked a hair too early, again and again
	return f.filled.Add(time.Duration(missing/f.p.Rate*float64(time.Second)) + rounding)
}

// pauseAfter is how long a row waits that was lost for the n-th time while it was alone. The first repetition is at
// once. Chosen: 3 s in all, so that a bus that loses everything for a moment parks nothing.
func pauseAfter(n int) time.Duration {
	const first, most = 50 * time.Millisecond, 2 * time.Second
	if n < 2 {
		return 0
	}
	return min(first<<min(n-2, 16), most)
}

func whyParked(tries int) string {
	return fmt.Sprintf("sent alone %d times and never echoed: the bus refuses it or drops it", tries)
}

// envelope is the body of a PUB. The server stamps id, clock and version itself and ignores ours.
func envelope(payload, kind string) []byte {
	b := make([]byte, 0, len(payload)+len(kind)+24)
	b = append(append(b, `{"payload":`...), payload...)
	b = append(append(b, `,"type":"`...), kind...)
	return append(b, `"}`...)
}

// seconds is a clock as DECNET wants it: a number with a decimal point. Another type ends its worker registry.
func seconds(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', 6, 64) }

// earlier is the earlier of two moments; the zero time is never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
