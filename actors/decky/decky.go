package decky

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Teller takes messages for another actor; false means that it was not taken and should be tried again.
type Teller interface{ Tell(msg any) bool }

// Config is what the deckies of a fleet share. All fields are required.
type Config struct {
	HostUUID string
	Fleet    Teller
	Store    Teller
	View     Teller
	NewID    func() string // messages.NewEventID; a guessable id would let any bus client forge an acknowledgement
	Policy   Policy
}

// Decky is the actor of one decky.
type Decky struct {
	name     string
	cfg      *Config
	o        observations
	v        verdict
	seq      uint64
	unwake   func()
	wakeAt   time.Time
	asked    time.Time // when a reread was last asked for
	mark     *messages.PassMark
	reported uint64 // sum of the last report
	repeated int64  // how often the conclusion was the same since
	told     bool
}

// retryTell is how long a decky waits before it tries again to tell a full mailbox. Source: a store that is busy
// commits 128 rows in about 10 ms; twenty of those.
const retryTell = 200 * time.Millisecond

// New returns the actor; give it to a supervise.Spec.
func New(name string, cfg *Config) *Decky { return &Decky{name: name, cfg: cfg} }

// Receive handles one message.
func (d *Decky) Receive(c *supervise.Ctx, msg any) {
	d.o.now = c.Now()
	switch m := msg.(type) {
	case supervise.Started:
		d.start(c, m)
		return
	case supervise.Stopping:
		return
	case messages.Tick:
		d.tick(c, m)
	case messages.PassMark:
		d.mark = &m
	case messages.FactsTold:
		d.o = fold(d.o, m)
		if n := len(m.Marks); n > 0 {
			d.mark = &m.Marks[n-1] // a later mark answers the earlier ones too
		}
	case messages.ReportsWanted:
		d.told = false
	default:
		d.o = fold(d.o, msg)
	}
	d.act(c)
}

// Snapshot is what a crash record keeps of the state before the crash.
func (d *Decky) Snapshot() string {
	return "declared " + d.o.declared.Presence.String() + ", recorded " + d.o.recorded.Presence.String() + " " +
		d.o.recorded.Row.State + ", aggregate " + string(d.v.state) + ", " + d.v.reason
}

// start asks for the facts again after a crash; the first incarnation is told them by the fleet that hired it.
func (d *Decky) start(c *supervise.Ctx, m supervise.Started) {
	d.seq = uint64(m.Incarnation) << 32 // orders of an earlier incarnation never match
	if m.Incarnation > 1 && !d.cfg.Fleet.Tell(messages.FactsWanted{Name: d.name}) {
		c.After(retryTell, messages.Tick{Name: "facts"})
	}
}

func (d *Decky) tick(c *supervise.Ctx, m messages.Tick) {
	switch m.Name {
	case "wake":
		d.unwake, d.wakeAt = nil, time.Time{}
	case "facts":
		d.start(c, supervise.Started{Incarnation: uint32(d.seq >> 32)})
	}
}

// act decides and performs. Effects come in this order: the row first, because its reply decides what is announced;
// the report last, because it tells what was done.
func (d *Decky) act(c *supervise.Ctx) {
	d.v = decide(d.o, d.cfg.Policy)
	if !d.cfg.Policy.DryRun {
		d.steer(c)
	}
	if d.v.reread {
		d.reread(c)
	}
	if d.v.wake.After(d.o.now) {
		d.sleepUntil(c, d.v.wake)
	}
	d.report()
	if !d.told || d.mark != nil && !d.busy() { // a mailbox was full
		d.sleepUntil(c, d.o.now.Add(retryTell))
	}
	if d.v.retire {
		d.cfg.Fleet.Tell(messages.DeckyRetired{Name: d.name})
	}
}

// rereadPatience is how long a decky waits for a reread before it asks again: the fleet may have restarted meanwhile.
// Source: the deadline of a look at file and table.
const rereadPatience = 5 * time.Second

// reread asks for file and row to be read once more, and again if that is not answered.
func (d *Decky) reread(c *supervise.Ctx) {
	again := d.asked.Add(rereadPatience)
	if d.asked.Before(d.o.intent.since) || !d.o.now.Before(again) {
		if !d.cfg.Fleet.Tell(messages.RereadAsked{Name: d.name, At: d.o.now}) {
			d.sleepUntil(c, d.o.now.Add(retryTell))
			return
		}
		d.asked = d.o.now
		again = d.asked.Add(rereadPatience)
	}
	d.sleepUntil(c, again)
}

func (d *Decky) steer(c *supervise.Ctx) {
	switch steer(d.o.flight, d.v.want) {
	case leave:
	case takeBack:
		f := *d.o.flight
		f.withdrawn = d.cfg.Store.Tell(messages.WithdrawRow{Name: d.name, Seq: f.change.Seq})
		d.o.flight = &f
	case send:
		d.order(c, *d.v.want)
	}
}

func (d *Decky) order(c *supervise.Ctx, change messages.RowChange) {
	d.seq++
	change.Name, change.Seq, change.EventID = d.name, d.seq, d.cfg.NewID()
	change.Transition.HostUUID, change.Transition.Name, change.Transition.EventID = d.cfg.HostUUID, d.name, change.EventID
	if !d.cfg.Store.Tell(change) {
		d.sleepUntil(c, d.o.now.Add(retryTell))
		return
	}
	d.o.flight = &flight{change: change, flips: d.o.flips}
}

// sleepUntil sets the one timer a decky has; the earlier moment wins.
func (d *Decky) sleepUntil(c *supervise.Ctx, at time.Time) {
	if d.unwake != nil {
		if !at.Before(d.wakeAt) {
			return
		}
		d.unwake()
	}
	d.wakeAt = at
	d.unwake = c.After(max(0, at.Sub(d.o.now)), messages.Tick{Name: "wake", At: at})
}

// busy says whether the decky will go on by itself shortly.
func (d *Decky) busy() bool {
	return d.v.busy || d.o.flight != nil || d.v.want != nil && !d.cfg.Policy.DryRun
}
