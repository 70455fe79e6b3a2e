package publisher

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// dial starts the goroutine that makes a link, writes to it for as long as out is open, and closes it. It is the link's
// only owner: whatever ends this incarnation ends the link.
func (p *Publisher) dial(c *supervise.Ctx) {
	p.number++
	out := make(chan []messages.Frame, 1)
	p.out = out
	number, self, dialer := p.number, c.Self(), p.cfg.Dialer
	c.Go("bus link", func(ctx context.Context) {
		spawn := func(f func()) { c.Go("bus reader", func(context.Context) { f() }) } //nolint:contextcheck // a reader ends with its link, and the link with ctx
		link, err := dialer.Dial(ctx, spawn, func(e messages.LinkEvent) { tell(ctx, self, heard{number, e}) })
		tell(ctx, self, dialled{number, err})
		if err != nil {
			return
		}
		defer func() { _ = link.Close() }() // an error would be about a link nobody uses any more
		for {
			select {
			case <-ctx.Done():
				return
			case frames, more := <-out:
				if !more {
					return
				}
				tell(ctx, self, write(number, link, frames))
			}
		}
	})
}

// write gives frames to the link unless another socket stands at its path by now.
func write(number int, link Link, frames []messages.Frame) wrote {
	w := wrote{number: number, moved: link.Moved()}
	if !w.moved && len(frames) > 0 {
		w.err = link.Send(frames)
	}
	return w
}

// patience is how long a goroutine waits before it tries a full mailbox again. Chosen: nothing depends on it.
const patience = 5 * time.Millisecond

// tell waits for room in the actor's mailbox: what the bus says must not be lost, and a reader that waits slows nobody
// but the bus's queue for us.
func tell(ctx context.Context, to *supervise.Ref, msg any) {
	for !to.Tell(msg) {
		t := time.NewTimer(patience)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
	}
}

func (p *Publisher) dialled(c *supervise.Ctx, m dialled) {
	switch {
	case m.number != p.number || p.out == nil:
	case m.err != nil:
		p.drop(c, m.err.Error(), false)
	default:
		p.f.connected(c.Now())
	}
}

func (p *Publisher) wrote(c *supervise.Ctx, m wrote) {
	if m.number != p.number || p.out == nil {
		return
	}
	p.f.written()
	switch {
	case m.moved:
		p.drop(c, "another socket stands at the path", true)
	case m.err != nil:
		p.drop(c, m.err.Error(), false)
	}
}

// heard handles what the link reports. Events of a link that was given up mean nothing any more.
func (p *Publisher) heard(c *supervise.Ctx, m heard) {
	if m.number != p.number || p.out == nil {
		return
	}
	switch e := m.event.(type) {
	case messages.Echoed:
		p.f.echoed(c.Now(), e.EventIDs)
	case messages.ProbeEchoed:
		p.f.probeEchoed(c.Now(), e.Probe)
	case messages.HealthHeard:
		p.cfg.Pulse.Tell(e) // refused: the next one comes in 30 s
	case messages.ControlHeard:
		p.cfg.Pulse.Tell(e) // refused: the panel can ask again
	case messages.LinkDown:
		p.drop(c, e.Why, false)
	}
}

// drop gives the link up.
func (p *Publisher) drop(c *supervise.Ctx, why string, moved bool) {
	p.hangUp()
	p.f.ended(c.Now(), moved, p.cfg.Jitter())
	p.report.lost(why)
}

func (p *Publisher) hangUp() {
	if p.out != nil {
		close(p.out)
		p.out = nil
	}
}
