package publisher

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// ackBatch and ackEvery bound how long the store waits to hear of acknowledged rows. Source: the design.
	ackBatch = 128
	ackEvery = 200 * time.Millisecond
	// ackLimit is how many acknowledged rows may wait for a store that takes no messages; then nothing more is read.
	// Chosen: it only keeps memory bounded.
	ackLimit = 4096
	// retryEvery is how long the outbox is left alone after an error. Chosen.
	retryEvery = time.Second
	// askEvery is how often the store is asked who owns the rows, until it says so. Chosen.
	askEvery = time.Second
	// auditEvery is how often the outbox is read although nothing is known to be missing: what was committed is told by
	// messages, and a message can be lost. Chosen: one indexed query.
	auditEvery = 30 * time.Second
	// measureEvery is how often the depth of the outbox is asked for while it is more than fits into memory. Chosen:
	// people read it.
	measureEvery = 2 * time.Second
)

// Publisher is the actor.
type Publisher struct {
	cfg   Config
	f     *flight
	back  backlog
	known bool // the store has said whether we are the owner
	owner bool

	number  int                   // of the link that stands or is being made
	out     chan []messages.Frame // to its goroutine; nil without one
	reads   int                   // number of the read under way; older ones are of an earlier ownership
	readAt  time.Time             // the outbox is not read before
	audit   time.Time             // when it was last read
	missed  int64                 // messages our full mailbox had refused when it was last read
	acks    []int64               // not yet told to the store
	ackAt   time.Time             // they are told then
	toPark  []parking             // the outbox has not yet taken these
	park    bool                  // it is taking one, or had refused it a moment ago
	depth   int64                 // of the outbox, as last measured
	depthAt time.Time             // it is not measured before
	alarm   time.Time             // when the timer rings; zero = it is not set
	stop    func()                // stops it
	report  reporter
}

// New returns the actor; give it to a supervise.Spec, in the group of the store. The Config has been validated.
func New(cfg Config) *Publisher {
	cfg.Policy = cfg.Policy.withDefaults()
	if cfg.Stats == nil {
		cfg.Stats = new(Stats)
	}
	return &Publisher{cfg: cfg}
}

// What comes back from goroutines.
type (
	dialled struct {
		number int
		err    error
	}
	heard struct {
		number int
		event  messages.LinkEvent
	}
	wrote struct {
		number int
		moved  bool
		err    error
	}
	pending struct {
		number int
		rows   []messages.OutboxRow
		limit  int
		err    error
	}
	measured struct {
		depth int64
		err   error
	}
	taken     struct{ err error } // by Park
	parkAgain struct{}
	askAgain  struct{}
	wakeUp    struct{}
)

// Receive handles one message.
func (p *Publisher) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		p.started(c, m)
	case supervise.Stopping:
		p.tellStore(c.Now(), true)
		return
	case messages.OwnershipChanged:
		p.ownership(c, m.Owner)
	case messages.OutboxAppended:
		if p.owner {
			p.f.offer(p.back.appended(m.Rows, p.room()))
		}
	case messages.ReplayParked:
		p.reread(c)
	case messages.PublishNow:
		p.f.say(messages.Frame{Topic: m.Topic, Body: envelope(string(m.Payload), m.Type)})
	case messages.ReportsWanted:
		p.report.told = [2]messages.ComponentStatus{}
	case messages.GetQuiesced:
		p.quiesced(c)
	case wakeUp:
		p.alarm = time.Time{}
	default:
		p.answered(c, msg)
	}
	p.advance(c)
}

// answered handles what goroutines said.
func (p *Publisher) answered(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case dialled:
		p.dialled(c, m)
	case heard:
		p.heard(c, m)
	case wrote:
		p.wrote(c, m)
	case pending:
		p.pending(c, m)
	case measured:
		if p.report.outbox(m.err); m.err == nil {
			p.depth = m.depth
		}
	case taken:
		p.taken(c, m)
	case parkAgain:
		p.park = false
	case askAgain:
		p.ask(c)
	}
}

func (p *Publisher) started(c *supervise.Ctx, m supervise.Started) {
	// An incarnation's probes must not be mistaken for an earlier one's, and it cannot need four billion.
	p.f = newFlight(p.cfg.Policy, p.cfg.Instance, uint64(m.Incarnation)<<32)
	p.f.count = p.cfg.Stats.Counts()
	p.ask(c)
}

// ask: a publisher that has just started knows nothing, and its question may find a full mailbox.
func (p *Publisher) ask(c *supervise.Ctx) {
	if !p.known {
		p.cfg.Store.Tell(messages.OwnershipWanted{})
		c.After(askEvery, askAgain{})
	}
}

// ownership: without it nothing is published, not even a probe, which is a heartbeat.
func (p *Publisher) ownership(c *supervise.Ctx, owner bool) {
	p.known = true
	if owner == p.owner {
		return
	}
	p.owner = owner
	if !owner {
		p.hangUp()
	}
	p.reread(c)
}

// reread forgets the rows in memory and reads them all again. What is acknowledged but not yet deleted goes out twice,
// with the same id.
func (p *Publisher) reread(c *supervise.Ctx) {
	if p.owner && p.out != nil {
		p.drop(c, "the outbox is read again", true)
	}
	p.f.forget()
	p.reads++
	p.back.begin()
	p.readAt = time.Time{}
}

// advance does what is due now.
func (p *Publisher) advance(c *supervise.Ctx) {
	now := c.Now()
	if p.owner {
		p.read(c, now)
		p.measure(c, now)
		p.obey(c, now)
	}
	p.collect(c, now)
	p.parkNext(c)
	p.tellStore(now, false)
	p.report.tell(p, c, now)
	p.arm(c, now)
}

// obey carries out what the flight wants.
func (p *Publisher) obey(c *supervise.Ctx, now time.Time) {
	for {
		o := p.f.plan(now)
		switch {
		case o.leave != "":
			p.drop(c, o.leave, false)
			continue // to learn when the next link is due
		case o.dial:
			p.dial(c)
		case len(o.write) > 0 || o.look:
			p.out <- o.write // has room: the flight gives nothing before the last write is answered
		}
		return
	}
}

// collect takes over what the flight has achieved.
func (p *Publisher) collect(c *supervise.Ctx, now time.Time) {
	r := p.f.results()
	if len(p.acks) == 0 && len(r.acked) > 0 {
		p.ackAt = now.Add(ackEvery)
	}
	p.acks = append(p.acks, r.acked...)
	p.toPark = append(p.toPark, r.parked...)
	for _, k := range r.parked {
		c.Log().Error().Str("decky", k.row.Name).Int64("outbox_id", k.row.ID).Str("event_id", k.row.EventID).Str("reason", k.why).Msg("event parked")
		p.cfg.View.Tell(parkedEvent(k, now))
	}
	if r.ready {
		p.cfg.Pulse.Tell(messages.BusReady{})
	}
}

// arm sets the one timer to the next moment something is due.
func (p *Publisher) arm(c *supervise.Ctx, now time.Time) {
	at := p.due(now)
	if at.IsZero() || !p.alarm.IsZero() && !at.Before(p.alarm) {
		return
	}
	if p.stop != nil {
		p.stop()
	}
	p.alarm, p.stop = at, c.After(max(0, at.Sub(now)), wakeUp{})
}

func (p *Publisher) due(now time.Time) time.Time {
	at := now.Add(auditEvery)
	if p.owner {
		at = earlier(at, p.f.wake(now))
		if p.back.behind {
			at = earlier(at, p.depthAt)
			if p.readAt.After(now) {
				at = earlier(at, p.readAt)
			}
		}
	}
	if len(p.acks) > 0 {
		at = earlier(at, p.ackAt)
	}
	return earlier(at, p.report.due)
}
