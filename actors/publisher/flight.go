package publisher

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// phase says how far the link is.
type phase uint8

const (
	linkless phase = iota // none, and none is being made
	dialling
	barrier // it stands; nothing goes before a probe has come back
	open
)

// probe is one probe on its way.
type probe struct {
	number uint64
	pos    uint64 // everything up to here was written before it
}

// kept is an acknowledged row that a reconnect may send again.
type kept struct {
	row messages.OutboxRow
	at  time.Time
}

// parking is a row given up.
type parking struct {
	row messages.OutboxRow
	why string
}

// Counts is what the publisher has done since it started.
type Counts struct {
	Sent     int64 // rows written, again or for the first time
	Acked    int64 // rows whose echo came
	Lost     int64 // rows proven lost by a later echo
	Resent   int64 // rows written again, for whatever reason
	Replayed int64 // acknowledged rows sent again after a reconnect
	Parked   int64 // rows given up
	Probes   int64
	Links    int64 // links made
	Foreign  int64 // echoes that were not of a row in flight
	Unsaid   int64 // heartbeats and the like dropped for want of a link
}

// flight is what is on its way and what that means: a state machine without clock or I/O. Time and everything heard is
// handed in; what is to be done comes out of plan, what was achieved out of results. It is used by one goroutine.
type flight struct {
	p        Policy
	instance string
	lanes    lanes
	count    Counts

	phase   phase
	dialAt  time.Time // linkless: not before
	fails   int       // links in a row that never opened
	opened  bool      // some link was open before: the next one is a reconnect
	openAt  time.Time // open: nothing is published before
	writing bool      // the link has not yet said what became of the last write
	looked  time.Time // when the link was last asked whether it moved
	urgent  []messages.Frame

	inflight map[string]*item // by event id
	order    []*item          // the same, as written: an echo takes away all up to its own
	bytes    int
	pos      uint64
	solo     *item // a suspect in flight
	number   uint64
	probes   []probe
	probed   time.Time
	heard    time.Time // the last echo of ours, or when the wait for one began

	tokens float64
	filled time.Time
	tail   []kept // only where Replay is on

	acked  []int64
	parked []parking
	ready  bool // the link opened since results was last called
	lag    time.Duration
}

// newFlight makes an empty flight. first is where the numbers of its probes begin: a late echo of an earlier
// incarnation's probe must not pass for one of this.
func newFlight(p Policy, instance string, first uint64) *flight {
	return &flight{p: p, instance: instance, lanes: newLanes(), inflight: map[string]*item{}, number: first, tokens: float64(p.Burst)}
}

// forget drops all rows and the link; counters and probe numbers go on.
func (f *flight) forget() {
	n := newFlight(f.p, f.instance, f.number)
	n.count, n.acked, n.parked = f.count, f.acked, f.parked
	*f = *n
}

// offer adds rows to publish, ascending in id.
func (f *flight) offer(rows []messages.OutboxRow) {
	for _, r := range rows {
		f.lanes.add(r)
	}
}

// room is how many rows more may be offered.
func (f *flight) room() int { return max(0, f.p.Memory-f.lanes.rows) }

// say sends something once, with the next write. It is dropped where no link is open or many wait already.
func (f *flight) say(frame messages.Frame) {
	const most = 8 // chosen: a heartbeat comes each 30 s
	if f.phase == open && len(f.urgent) < most {
		f.urgent = append(f.urgent, frame)
		return
	}
	f.count.Unsaid++
}

// connected: a link stands.
func (f *flight) connected(now time.Time) {
	f.phase, f.heard, f.looked, f.probed = barrier, now, now, time.Time{}
	f.count.Links++
}

// ended: there is no link any more, or there was none to be had. Where it ended by itself, what was in flight is under
// suspicion and goes alone next time; a lone one has had a try. Where we left because another socket stands at the path,
// nobody is to blame and the next link is made at once.
func (f *flight) ended(now time.Time, moved bool, jitter float64) {
	f.dialAt = now
	if !moved {
		f.dialAt = now.Add(supervise.Retry(f.fails, jitter, f.p.RetryMin, f.p.RetryMax))
		f.fails++
	}
	again := f.replayable()
	f.retreat(now, moved)
	f.lanes.again(again)
	f.phase, f.writing, f.openAt, f.urgent = linkless, false, time.Time{}, nil
	f.probes = nil // an echo of theirs says nothing about the next link
}

// echoed: the server fanned these out, in this order.
func (f *flight) echoed(now time.Time, ids []string) {
	for _, id := range ids {
		it := f.inflight[id]
		if it == nil {
			f.count.Foreign++ // a late second copy, or somebody else's
			continue
		}
		f.heard = now
		pos := it.pos
		f.land(it, now)
		f.overtaken(now, pos, false) // it was not alone: this one was in flight too
	}
}

// probeEchoed: the server has worked through everything written before that probe.
func (f *flight) probeEchoed(now time.Time, number uint64) {
	for i, pr := range f.probes {
		if pr.number != number {
			continue
		}
		f.heard = now
		f.probes = f.probes[i+1:]
		f.overtaken(now, pr.pos, len(f.inflight) == 1)
		if f.phase == barrier {
			f.unlock(now)
		}
		return
	}
}

// unlock: the subscription stands and both connections are at the same server.
func (f *flight) unlock(now time.Time) {
	f.phase, f.fails, f.openAt, f.ready = open, 0, now, true
	if f.opened && f.p.Replay > 0 {
		f.openAt = now.Add(f.p.Grace)
	}
	f.opened = true
}

// land: it arrived.
func (f *flight) land(it *item, now time.Time) {
	f.leave(it)
	f.lag = now.Sub(it.sent)
	if f.p.Replay > 0 {
		f.keep(it.row, now)
	}
	if !it.replay {
		f.count.Acked++
		f.acked = append(f.acked, it.row.ID)
	}
	f.lanes.pop(f.lanes.all[it.row.Name])
}

// leave takes an item out of the window.
func (f *flight) leave(it *item) {
	delete(f.inflight, it.row.EventID)
	it.pos = landed
	f.bytes -= it.size()
	if f.solo == it {
		f.solo = nil
	}
}

// results is what was achieved since it was last called.
type results struct {
	acked  []int64
	parked []parking
	ready  bool // the link opened
}

func (f *flight) results() results {
	r := results{acked: f.acked, parked: f.parked, ready: f.ready}
	f.acked, f.parked, f.ready = nil, nil, false
	return r
}
