package publisher

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// room is how many rows more may come into memory.
func (p *Publisher) room() int {
	if len(p.acks) >= ackLimit {
		return 0
	}
	return p.f.room()
}

// read asks the outbox for rows, if there is reason to and room for them.
func (p *Publisher) read(c *supervise.Ctx, now time.Time) {
	if now.Before(p.readAt) {
		return
	}
	if refused := c.Self().Stats().Dropped; refused != p.missed || now.Sub(p.audit) >= auditEvery {
		p.missed, p.audit = refused, now
		p.back.suspect()
	}
	after, limit, ok := p.back.question(p.room(), p.cfg.Policy.Memory)
	if !ok {
		return
	}
	number, self, outbox := p.reads, c.Self(), p.cfg.Outbox
	c.Go("outbox read", func(ctx context.Context) {
		a := pending{number: number, limit: limit}
		a.rows, a.err = outbox.Pending(ctx, after, limit)
		tell(ctx, self, a)
	})
}

func (p *Publisher) pending(c *supervise.Ctx, m pending) {
	if m.number != p.reads {
		return
	}
	p.report.outbox(m.err)
	if m.err != nil {
		p.back.refused()
		p.readAt = c.Now().Add(retryEvery)
		return
	}
	p.f.offer(p.back.answered(m.rows, m.limit))
}

// quiesced answers how many rows the store does not yet know to be delivered. While some are in the outbox only, it is
// the outbox that counts them; if it cannot, the answer is at least one.
func (p *Publisher) quiesced(c *supervise.Ctx) {
	if p.f.lanes.rows == 0 {
		p.tellStore(c.Now(), true) // somebody waits for the end
	}
	n := int64(p.f.lanes.rows + len(p.acks))
	if !p.owner || !p.back.behind && !p.back.asking {
		c.Respond(n)
		return
	}
	outbox := p.cfg.Outbox
	c.Go("outbox depth", func(ctx context.Context) {
		depth, err := outbox.Depth(ctx)
		if err != nil {
			depth = 1
		}
		c.Respond(max(n, depth))
	})
}

// measure asks how deep the outbox is while not all of it is in memory.
func (p *Publisher) measure(c *supervise.Ctx, now time.Time) {
	if !p.back.behind || now.Before(p.depthAt) {
		return
	}
	p.depthAt = now.Add(measureEvery)
	self, outbox := c.Self(), p.cfg.Outbox
	c.Go("outbox depth", func(ctx context.Context) {
		var m measured
		m.depth, m.err = outbox.Depth(ctx)
		tell(ctx, self, m)
	})
}

// tellStore hands over acknowledged ids when there are enough or the first has waited long enough.
func (p *Publisher) tellStore(now time.Time, all bool) {
	for len(p.acks) > 0 && (all || len(p.acks) >= ackBatch || !now.Before(p.ackAt)) {
		n := min(len(p.acks), ackBatch)
		if !p.cfg.Store.Tell(messages.OutboxAcknowledged{IDs: p.acks[:n:n]}) {
			p.ackAt = now.Add(ackEvery)
			return
		}
		p.acks = p.acks[n:]
	}
}

// parkNext parks one row after the other.
func (p *Publisher) parkNext(c *supervise.Ctx) {
	if p.park || len(p.toPark) == 0 {
		return
	}
	p.park = true
	k, self, outbox := p.toPark[0], c.Self(), p.cfg.Outbox
	c.Go("outbox park", func(ctx context.Context) {
		tell(ctx, self, taken{outbox.Park(ctx, k.row.ID, k.why)})
	})
}

func (p *Publisher) taken(c *supervise.Ctx, m taken) {
	p.report.outbox(m.err)
	if m.err == nil {
		p.park, p.toPark = false, p.toPark[1:]
		return
	}
	c.After(retryEvery, parkAgain{})
}
