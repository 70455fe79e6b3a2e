package fabric

import (
	"errors"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/panics"
	"github.com/decnet/decnet-fleetd/messages"
)

func (l *lane) batch(b []byte) {
	select {
	case l.batches <- b:
	default:
		l.say(kindAck, ackFrame{N: numberOf(b), Busy: "the batches before it are not committed yet"})
	}
}

// deliver hands batches over, one after the other. What is acknowledged is committed.
func (l *lane) deliver() {
	for {
		select {
		case <-l.quit:
			return
		case b := <-l.batches:
			l.say(kindAck, l.settle(b))
		}
	}
}

// settle reads a batch and hands it over. One that somebody panics over costs its own worker alone: it is not committed, and
// shipped again.
func (l *lane) settle(b []byte) (a ackFrame) {
	defer func() {
		if why := recover(); why != nil {
			l.malformed(messages.RefusedFrame, fmt.Errorf("%s: panic, a bug to report: %v", panics.Site(), why))
			a.Busy = "the hub fails over it; its log says how"
		}
	}()
	f, err := openBatch(l.host, b)
	a.N = f.N
	if err != nil {
		return l.refused(f.N, err)
	}
	return l.commit(f)
}

func (l *lane) commit(f batchFrame) ackFrame {
	b := messages.ShipBatch{Origin: f.Origin, Events: f.Events}
	if s := f.Slice; s != nil {
		b.Slice = &messages.Slice{ID: s.ID, Part: s.Part, Last: s.Last, Rows: s.Rows}
	}
	ack, err := l.h.cfg.Deliver(l.h.life, l.host, b)
	if err != nil {
		return ackFrame{N: f.N, Busy: clipped(err.Error(), 512)}
	}
	return ackFrame{N: f.N, Refused: ack.Refused}
}

func (l *lane) refused(n uint64, err error) ackFrame {
	reason := messages.RefusedFrame
	if errors.Is(err, errForeign) {
		reason = messages.RefusedForeign
	}
	l.malformed(reason, err)
	return ackFrame{N: n, Never: clipped(err.Error(), 512)}
}
