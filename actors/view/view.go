package view

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Feed keeps the list of events and hands it to whoever follows. It numbers them.
type Feed interface{ Append(e messages.Event) }

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what the view needs. All fields but Extra are required.
type Config struct {
	HostUUID string
	Version  string
	Instance string
	PID      int
	Started  time.Time // of the process
	Feed     Feed
	// Reporters report everything again when the view asks after a crash.
	Reporters []Teller
	// Counters are those of a decky's actor; zero where there is none.
	Counters func(name string) supervise.Stats
	// Extra returns counters of the adapters; nil means none.
	Extra func() map[string]int64
	// Node names another host of a cluster; nil: there is none.
	Node func(hostUUID string) string
	// Board shows the status to whoever may not ask; nil means nobody.
	Board *Board
}

// View is the actor.
type View struct {
	cfg        Config
	deckies    map[string]messages.DeckyStatus
	order      []string // their names, sorted; nil: to be made again
	version    uint64   // counts what was told of deckies
	components map[string]messages.ComponentStatus
	fleet      messages.FleetReported
	counters   map[string]int64
	broken     map[string]broken    // deckies in quarantine
	held       map[string]time.Time // what was last said to be held, and when
	posting    bool                 // a timer runs that puts the status on the board
	decisions  map[string]*recent
	archive    *archive // older decisions
	words      *words
}

// broken is a decky in quarantine.
type broken struct {
	why   string
	since time.Time
}

// New returns the actor; give it to a supervise.Spec.
func New(cfg Config) *View {
	return &View{cfg: cfg, deckies: map[string]messages.DeckyStatus{}, components: map[string]messages.ComponentStatus{},
		counters: map[string]int64{}, broken: map[string]broken{}, held: map[string]time.Time{},
		decisions: map[string]*recent{}, archive: newArchive(), words: newWords()}
}

// Receive handles one message.
func (v *View) Receive(c *supervise.Ctx, msg any) {
	v.posts(c, msg)
	switch m := msg.(type) {
	case supervise.Started:
		v.start(m)
	case messages.Tick:
		v.post(c)
	case supervise.Stopping:
	case messages.DeckyReported:
		v.decky(c, m.Status)
		v.remember(m)
	case messages.DeckyGone:
		v.gone(m.Name)
	case messages.DeckyCrashed:
		v.crashed(c, m)
	case messages.ComponentReported:
		v.component(c, m.Status)
	case messages.FleetReported:
		v.fleet = m
	case messages.EventHappened:
		v.cfg.Feed.Append(m.Event)
	case messages.OutboxAppended:
		v.committed(m)
	case messages.GetStatus:
		c.Respond(v.status(c.Now()))
	case messages.GetDeckies:
		c.Respond(v.list())
	case messages.GetDeckiesVersion:
		c.Respond(messages.DeckiesVersion(v.version))
	default:
		v.asked(c, msg)
	}
}

// asked answers what only the pages of one decky want to know.
func (v *View) asked(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case messages.GetInspection:
		i, err := v.inspect(m, c.Now())
		if err != nil {
			c.Respond(err)
			return
		}
		c.Respond(i)
	case messages.GetPauses:
		c.Respond(slices.Clone(v.fleet.Pauses))
	}
}

func (v *View) start(m supervise.Started) {
	v.version = uint64(m.Incarnation) << 40 // never a number of the incarnation before
	if m.Incarnation > 1 {
		for _, r := range v.cfg.Reporters {
			r.Tell(messages.ReportsWanted{}) // whoever is too busy reports with its next change
		}
	}
}

func (v *View) decky(c *supervise.Ctx, s messages.DeckyStatus) {
	was, known := v.deckies[s.Name]
	v.version++
	if !known {
		v.order = nil
	}
	if s.ChangedAt.IsZero() { // an actor that was restarted knows the row, not when it came to be so
		s.ChangedAt, s.Cause, s.Rev = was.ChangedAt, was.Cause, was.Rev
	}
	if s.Held != nil && (was.Held == nil || was.Held.Why != s.Held.Why) {
		v.heldNow(c, s)
	}
	v.deckies[s.Name] = s
}

// heldAlike is how long deckies that are held for the same reason are one event. Chosen: a set of any size is held within
// seconds, and a set that is held anew is news.
const heldAlike = 10 * time.Second

// heldNow says that a change is held: once for all deckies that are held alike at the same time.
func (v *View) heldNow(c *supervise.Ctx, s messages.DeckyStatus) {
	key := s.Held.Text()
	last, said := v.held[key]
	maps.DeleteFunc(v.held, func(_ string, at time.Time) bool { return c.Now().Sub(at) >= heldAlike })
	if v.held[key] = c.Now(); said && c.Now().Sub(last) < heldAlike {
		return
	}
	c.Log().Warn().Str("decky", s.Name).Str("what", s.Held.What).Str("why", s.Held.Why).Msg("change held")
	v.cfg.Feed.Append(messages.Event{At: messages.Moment{Time: c.Now()}, Type: "held", Target: s.Name, To: s.Held.What, Cause: s.Held.Why})
}

func (v *View) gone(name string) {
	v.version++
	v.order = nil
	delete(v.deckies, name)
	delete(v.broken, name)
	delete(v.decisions, name)
}

func (v *View) crashed(c *supervise.Ctx, m messages.DeckyCrashed) {
	v.version++
	was, known := v.broken[m.Name]
	delete(v.broken, m.Name)
	switch {
	case m.Quarantined && known: // it is told of by supervisor and fleet, and crashed again perhaps
		v.broken[m.Name] = broken{m.Reason, was.since}
	case m.Quarantined:
		v.broken[m.Name] = broken{m.Reason, c.Now()}
	case known && m.Reason != "": // nobody released it, which would be an event already
		v.cfg.Feed.Append(messages.Event{At: messages.Moment{Time: c.Now()}, Type: "released", Target: m.Name, Cause: m.Reason})
	}
}

func (v *View) component(c *supervise.Ctx, s messages.ComponentStatus) {
	was := v.components[s.Component]
	v.components[s.Component] = s
	if was.State != s.State {
		v.cfg.Feed.Append(messages.Event{At: messages.Moment{Time: c.Now()}, Type: "component", Target: s.Component,
			From: was.State, To: s.State, Cause: s.Detail})
	}
}

func (v *View) list() []messages.DeckyStatus {
	if v.order == nil { // names are sorted when there are others, not statuses each time: those are large
		v.order = slices.Sorted(maps.Keys(v.deckies))
	}
	out := make([]messages.DeckyStatus, len(v.order))
	for i, name := range v.order {
		s, st := v.deckies[name], v.cfg.Counters(name)
		s.Restarts, s.Mailbox, s.HighWater = st.Restarts, st.Depth, st.HighWater
		out[i] = v.shown(s)
	}
	return out
}

// shown is a decky's status with what it cannot tell itself.
func (v *View) shown(s messages.DeckyStatus) messages.DeckyStatus {
	if why, is := v.broken[s.Name]; is {
		s.Phase, s.Reason, s.QuarantinedAt = "quarantined", why.why, messages.Moment{Time: why.since}
	}
	return s
}

func (v *View) status(now time.Time) messages.Status {
	s := messages.Status{HostUUID: v.cfg.HostUUID, Version: v.cfg.Version, Instance: v.cfg.Instance, PID: v.cfg.PID, Role: v.role(),
		StartedAt: messages.Moment{Time: v.cfg.Started}, UptimeSeconds: now.Sub(v.cfg.Started).Seconds(),
		Deckies: map[string]int{}, Foreign: v.fleet.Foreign, Rejected: v.fleet.Rejected, Counters: v.count()}
	for _, name := range slices.Sorted(maps.Keys(v.components)) {
		s.Components = append(s.Components, v.components[name])
	}
	for _, d := range v.deckies {
		s.Deckies[cmp.Or(d.State, "unrecorded")]++
		if d.Held != nil {
			s.Held = append(s.Held, messages.DeckyHeld{Name: d.Name, Held: *d.Held})
		}
	}
	slices.SortFunc(s.Held, func(a, b messages.DeckyHeld) int { return cmp.Compare(a.Name, b.Name) })
	for _, name := range slices.Sorted(maps.Keys(v.broken)) {
		b := v.broken[name]
		s.Quarantined = append(s.Quarantined, messages.Quarantine{Name: name, Why: b.why, Since: messages.Moment{Time: b.since}})
	}
	for _, w := range v.fleet.Warnings {
		s.Warnings = append(s.Warnings, w.Error())
	}
	s.Paused = slices.Clone(v.fleet.Pauses)
	for _, p := range s.Paused {
		if now.Sub(p.Since.Time) >= longPause {
			s.Warnings = append(s.Warnings, "still paused: "+p.Target+" since "+p.Since.UTC().Format(time.RFC3339))
		}
	}
	s.OutboxDepth = v.components["outbox"].Waiting
	return s
}

// longPause is when a pause is a warning. Source: the fleet reminds of it as often.
const longPause = 24 * time.Hour

// role is owner, standby or starting.
func (v *View) role() string {
	switch lease := v.components["lease"].State; {
	case lease == "standby":
		return lease
	case v.components["shadow"].State != "" && v.fleet.Open:
		return "shadow"
	case lease == "ok" && v.fleet.Open:
		return "owner"
	}
	return "starting"
}

func (v *View) count() map[string]int64 {
	out := maps.Clone(v.counters)
	maps.Copy(out, v.fleet.Counters)
	if v.cfg.Extra != nil {
		maps.Copy(out, v.cfg.Extra())
	}
	return out
}
