package swarm

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// shipLimit bounds what is read and shipped at once. Source: two of the fabric's frames, so that the worker reads
	// while the hub commits.
	shipLimit = 512
	// shipAudit is how often the outbox is looked at although nothing was told: a message can be lost. Chosen: one
	// indexed query.
	shipAudit = 10 * time.Second
	// ackLimit is how many acknowledged ids may wait for a store that takes no messages; then nothing more is shipped.
	ackLimit = 4096
	// askEvery is how often the store is asked who owns the rows, until it says so, and told again what it refused.
	askEvery = time.Second
)

// ShipperConfig is what the shipper needs. All fields are required.
type ShipperConfig struct {
	Table Table
	Hub   Hub
	Store Teller // gets OutboxAcknowledged and OwnershipWanted
	View  Teller // gets ComponentReported and EventHappened
	// Whole says whether the table says all there is to say: before the first pass it is no listing of anything.
	Whole  func() bool
	NewID  func() string
	Jitter func() float64 // [0,1)
	// Alone: nobody else tells how much waits in the outbox.
	Alone bool
}

// Shipper is the actor that takes a worker's outbox in its order and ships it to the hub.
type Shipper struct {
	cfg    ShipperConfig
	owner  bool
	known  bool
	origin string
	link   messages.LinkState
	listed bool // the whole table was shipped over this connection
	upTo   int64
	behind bool // there may be more to ship
	busy   bool
	wait   func() // cancels the timer of the next try; nil: none runs
	fails  int
	apart  int // ship one by one: so many of a batch the hub would not take
	acks   []int64
	report shipReport
}

// NewShipper returns the actor; give it to a supervise.Spec.
func NewShipper(cfg ShipperConfig) *Shipper {
	return &Shipper{cfg: cfg, behind: true, link: messages.LinkState{Phase: messages.LinkConnecting}}
}

// Receive handles one message.
func (s *Shipper) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.ask(c)
		c.After(shipAudit, messages.Tick{Name: "audit"})
	case supervise.Stopping:
		s.tellStore(c)
		return
	case messages.OwnershipChanged:
		s.ownership(m.Owner)
	case messages.OutboxAppended:
		s.behind = true
	case messages.LinkChanged:
		s.linked(c, m.State)
	case messages.ReportsWanted:
		s.report.forget()
	case messages.Tick:
		s.tick(c, m)
	case shipped:
		s.shipped(c, m)
	case measured:
		s.report.measured(m)
	}
	s.next(c)
	s.report.tell(c, s)
}

func (s *Shipper) tick(c *supervise.Ctx, m messages.Tick) {
	switch m.Name {
	case "ask":
		s.ask(c)
	case "audit":
		s.behind = true
		s.report.due = true
		c.After(shipAudit, messages.Tick{Name: "audit"})
	case "again":
		s.wait = nil
	case "acks":
		s.tellStore(c)
	}
}

// ask: a shipper that has just started knows nothing, and its question may find a full mailbox.
func (s *Shipper) ask(c *supervise.Ctx) {
	if !s.known {
		s.cfg.Store.Tell(messages.OwnershipWanted{})
		c.After(askEvery, messages.Tick{Name: "ask"})
	}
}

func (s *Shipper) ownership(owner bool) {
	s.known = true
	if owner != s.owner {
		s.owner, s.upTo, s.behind, s.listed = owner, 0, true, false
	}
}

// linked: every connection begins with a listing, once nothing waits.
func (s *Shipper) linked(c *supervise.Ctx, st messages.LinkState) {
	if st.Phase == messages.LinkConnected {
		s.listed, s.behind, s.fails = false, true, 0
		s.cancelWait()
	}
	s.link = st
	s.report.due = true
	if st.Fault != nil {
		c.Log().Warn().Str("hub", st.Hub).Str("phase", string(st.Phase)).Err(*st.Fault).Msg("link to the hub")
	} else {
		c.Log().Info().Str("hub", st.Hub).Str("phase", string(st.Phase)).Msg("link to the hub")
	}
}

func (s *Shipper) cancelWait() {
	if s.wait != nil {
		s.wait()
		s.wait = nil
	}
}

// tellStore hands over what the hub has.
func (s *Shipper) tellStore(c *supervise.Ctx) {
	if len(s.acks) == 0 {
		return
	}
	if !s.cfg.Store.Tell(messages.OutboxAcknowledged{IDs: s.acks}) {
		c.After(askEvery, messages.Tick{Name: "acks"})
		return
	}
	s.acks = nil
}
