package shadow

import (
	"cmp"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what the shadow needs. All fields but Policy are required.
type Config struct {
	View   Teller // gets ComponentReported and EventHappened
	Fleet  Teller // gets ReportsWanted after a crash
	Policy Policy
}

// Shadow is the actor.
type Shadow struct {
	cfg     Config
	roll    map[string]record
	ledger  ledger
	since   time.Time
	told    string // the line of the status
	ticking bool
}

// New returns the actor; give it to a supervise.Spec.
func New(cfg Config) *Shadow {
	if cfg.Policy.Window == 0 {
		cfg.Policy.Window = 90 * time.Second
	}
	if cfg.Policy.Grace == 0 {
		cfg.Policy.Grace = 5 * time.Second
	}
	return &Shadow{cfg: cfg, roll: map[string]record{}}
}

// tickEvery is how often intents are looked at, and at most how often the status changes. Chosen: people read it.
const tickEvery = time.Second

// Receive handles one message.
func (s *Shadow) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		s.start(c, m)
	case supervise.Stopping:
	case messages.DeckyReported:
		s.take(c, m)
	case messages.DeckyGone:
		s.enter(c, m.Name, leave(s.roll[m.Name], c.Now(), s.cfg.Policy))
		delete(s.roll, m.Name)
	case messages.Tick:
		s.sweep(c)
	case messages.ReportsWanted:
		s.told = ""
		s.tell()
	case messages.GetShadow:
		c.Respond(s.ledger.report(s.since, s.open(), s.cfg.Policy))
	case messages.GetQuiesced: // it stands where the store stands in a daemon that writes: nothing is ever on its way
		c.Respond(int64(0))
	}
}

func (s *Shadow) start(c *supervise.Ctx, m supervise.Started) {
	s.since = c.Now()
	if m.Incarnation > 1 {
		s.cfg.Fleet.Tell(messages.ReportsWanted{}) // a fleet that is too busy tells of each decky with its next change
	}
	s.tell()
}

func (s *Shadow) take(c *supervise.Ctx, m messages.DeckyReported) {
	st := m.Status
	next, found := weigh(s.roll[st.Name], sight{now: c.Now(), known: st.Recorded != messages.Unknown.String(), row: st.State,
		aggregate: st.Aggregate, plan: m.Plan, held: st.Held, declared: st.Declared, observed: st.Observed, services: m.Services,
		waiting: m.Busy}, s.cfg.Policy)
	s.roll[st.Name] = next
	s.enter(c, st.Name, found)
	if next.intent.runs() {
		s.soon(c)
	}
}

func (s *Shadow) enter(c *supervise.Ctx, name string, found []finding) {
	for _, f := range found {
		f.item.Name = name
		s.ledger.enter(f)
		s.announce(c, f.item)
		s.soon(c)
	}
}

// soon has intents and status looked at, once for many changes. Without an intent that time can end there is no timer.
func (s *Shadow) soon(c *supervise.Ctx) {
	if !s.ticking {
		s.ticking = true
		c.After(tickEvery, messages.Tick{Name: "sweep"})
	}
}

// announce puts a finding on record where operators look.
func (s *Shadow) announce(c *supervise.Ctx, i messages.ShadowItem) {
	c.Log().Info().Str("decky", i.Name).Str("action", i.Action).Str("from", i.From).Str("to", i.To).Str("outcome", i.Outcome).
		Str("code", i.Code).Str("reason", i.Reason).Float64("earlier_seconds", i.EarlierSeconds).Msg("shadow compared")
	why := i.Reason
	if i.Code != "" {
		why = i.Code + ": " + why
	}
	s.cfg.View.Tell(messages.EventHappened{Event: messages.Event{At: messages.Moment{Time: c.Now()}, Type: "shadow_" + i.Outcome, Target: i.Name,
		From: i.From, To: i.To, Cause: why}})
}

// sweep ends what is over.
func (s *Shadow) sweep(c *supervise.Ctx) {
	s.ticking = false
	for name, r := range s.roll {
		next, found := expire(r, c.Now(), s.cfg.Policy)
		s.roll[name] = next
		s.enter(c, name, found)
		if next.intent.runs() {
			s.soon(c)
		}
	}
	s.tell()
}

func (s *Shadow) tell() {
	open := 0
	for _, r := range s.roll {
		if r.intent.open() {
			open++
		}
	}
	if line := s.ledger.line(open); line != s.told {
		s.told = line
		s.cfg.View.Tell(messages.ComponentReported{Status: messages.ComponentStatus{Component: "shadow", State: "ok", Detail: line,
			Since: messages.Moment{Time: s.since}}})
	}
}

// open are the intents the reference has not answered yet, oldest first.
func (s *Shadow) open() []messages.ShadowItem {
	out := []messages.ShadowItem{}
	for name, r := range s.roll {
		if i := r.intent; i.open() {
			out = append(out, messages.ShadowItem{Name: name, Action: i.action, From: i.from, To: i.to, Outcome: messages.ShadowOpen,
				Reason: i.reason, DecidedAt: messages.Moment{Time: i.at}})
		}
	}
	slices.SortFunc(out, func(a, b messages.ShadowItem) int {
		return cmp.Or(a.DecidedAt.Compare(b.DecidedAt.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}
