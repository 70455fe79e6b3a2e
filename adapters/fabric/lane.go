package fabric

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/decnet/decnet-fleetd/messages"
)

// What one worker may send. Source: measured; a worker that catches up sends 100 frames a second, one that answers a
// console 500. Over the rate a frame is dropped unread; far over it, the worker is cut.
const (
	frameRate  = 1000 // a second
	frameBurst = 256
	byteRate   = 32 << 20 // a second
	overCut    = 10000    // frames over the rate, since the last minute within it
	overForget = time.Minute
	barFor     = 10 * time.Second // a flooder is kept out. Chosen: it costs others nothing meanwhile
	laneQueue  = 1024             // frames
	batchQueue = 2                // a worker of ours has one under way; after a reconnect the old one may still be here
)

// lane is one worker's way through the hub: a connection of its own to the server, a queue of its own. Nothing of it is
// shared with another worker.
type lane struct {
	h    *Hub
	host string
	nc   *nats.Conn

	batches chan []byte
	quit    chan struct{}
	done    sync.WaitGroup
	once    sync.Once

	frames, bytes *rate.Limiter // of receive's goroutine, as are over and overAt
	over          int
	overAt        time.Time

	last           atomic.Int64 // unix nanoseconds of the last frame
	taken, dropped atomic.Int64

	calls calls
	emit  sync.Mutex // one callback at a time for beats, comings and goings
}

func (h *Hub) openLane(host string) (*lane, error) {
	l := &lane{h: h, host: host, batches: make(chan []byte, batchQueue), quit: make(chan struct{}),
		frames: rate.NewLimiter(frameRate, frameBurst), bytes: rate.NewLimiter(byteRate, byteRate)}
	var err error
	if l.nc, err = h.own(host, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) { l.dropped.Add(1) })); err != nil {
		return nil, fmt.Errorf("open the lane of %s: %w", host, err)
	}
	sub, err := l.nc.Subscribe(upSubject(host, "*"), l.receive)
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(laneQueue, maxPending), l.nc.Flush())
	}
	if err != nil {
		l.nc.Close()
		return nil, fmt.Errorf("open the lane of %s: %w", host, err)
	}
	l.done.Go(l.deliver)
	return l, nil
}

// close ends the lane and waits for the delivery that runs.
func (l *lane) close() {
	l.once.Do(func() { close(l.quit) })
	l.nc.Close()
	l.calls.fail()
	l.done.Wait()
}

// heard is when the last frame came.
func (l *lane) heard() time.Time { return time.Unix(0, l.last.Load()) }

func (l *lane) say(kind string, v any) {
	b, err := json.Marshal(v)
	if err == nil {
		err = l.nc.Publish(downSubject(l.host, kind), b)
	}
	if err != nil {
		l.dropped.Add(1) // the lane is closing
	}
}

// receive takes one frame. It never blocks for long: its queue is the worker's own, but short.
func (l *lane) receive(m *nats.Msg) {
	now := l.h.cfg.Now()
	if !l.within(now, len(m.Data)) {
		l.dropped.Add(1)
		return
	}
	l.last.Store(now.UnixNano())
	l.taken.Add(1)
	var err error
	switch m.Subject[strings.LastIndexByte(m.Subject, '.')+1:] {
	case kindHello:
		err = l.hello(m.Data, now)
	case kindBeat:
		err = l.beat(m.Data)
	case kindBatch:
		l.batch(m.Data)
	case kindPart:
		err = l.calls.part(m.Data)
	case kindBye:
		l.bye()
	} // other kinds are those of a newer worker
	if err != nil {
		l.malformed(messages.RefusedFrame, err)
	}
}

// within says whether the worker keeps to its rate, and cuts one that does not by far.
func (l *lane) within(now time.Time, size int) bool {
	if l.frames.AllowN(now, 1) && l.bytes.AllowN(now, size) {
		return true
	}
	if now.Sub(l.overAt) > overForget {
		l.over = 0
	}
	l.over, l.overAt = l.over+1, now
	if l.over >= overCut {
		l.over = 0
		l.h.refuse(messages.Refusal{Reason: messages.RefusedFlood, HostUUID: l.host, Detail: "cut, and kept out for 10 s"})
		if cid := l.h.gate.shut(l.host, now.Add(barFor)); cid != 0 {
			l.h.spawn(func() { l.h.kick(cid) })
		}
	}
	return false
}

func (l *lane) malformed(reason string, err error) {
	l.dropped.Add(1)
	l.h.refuse(messages.Refusal{Reason: reason, HostUUID: l.host, Detail: quoted(err.Error())})
}

func (l *lane) hello(b []byte, now time.Time) error {
	v, err := decode[hello](b, maxSmall)
	if err != nil {
		return err
	}
	answer := hello{Wire: wireVersion, Oldest: wireOldest, Version: l.h.cfg.Version, At: messages.Moment{Time: now}, Echo: v.At}
	if v.Wire < wireOldest || v.Oldest > wireVersion {
		answer.Why = fmt.Sprintf("the worker speaks version %d of the protocol, the hub %d to %d", v.Wire, wireOldest, wireVersion)
		l.malformed(messages.RefusedWire, errors.New(answer.Why))
	} else {
		l.h.came(l, v, now)
	}
	l.say(kindHello, answer)
	return nil
}

func (l *lane) beat(b []byte) error {
	v, err := decode[messages.Beat](b, maxSmall)
	if err != nil {
		return err
	}
	l.emit.Lock()
	defer l.emit.Unlock()
	l.h.cfg.Beat(l.host, v)
	return nil
}

// bye notes a goodbye and answers it: the worker closes when the hub knows.
func (l *lane) bye() {
	l.h.gate.goodbye(l.host)
	l.say(kindBye, struct{}{})
}

func clipped(s string, limit int) string {
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}
