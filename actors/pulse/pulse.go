package pulse

import (
	"context"
	"errors"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// defaultEvery is the pace of heartbeats. Source: every worker of DECNET's; its panel calls one stale after 90 s.
	defaultEvery = 30 * time.Second
	// readyEvery bounds the heartbeats that fresh links cause. Chosen: a flapping bus must not make a storm.
	readyEvery = time.Second
	// statusPatience is how long a heartbeat waits for its counts; then it goes without. Source: the console's limit.
	statusPatience = 250 * time.Millisecond
	// askEvery is how often the store is asked who owns the rows, until it says so. Chosen.
	askEvery = time.Second
)

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// View takes messages and answers GetStatus.
type View interface {
	Teller
	Ask(ctx context.Context, msg any) (any, error)
}

// Config is what the pulse needs.
type Config struct {
	Publisher Teller // gets PublishNow
	Store     Teller // gets OwnershipWanted
	View      View   // gets ComponentReported and EventHappened
	// Stop makes the daemon end in an orderly way, with exit status 0. It must not block.
	Stop func(reason string)
	// IgnoreStop only shows what would have been stopped.
	IgnoreStop bool
	// Takeover answers every sighting of another reconciler with a control message that stops it.
	Takeover bool
	Instance string // ours; another one in a heartbeat is another reconciler
	Version  string
	HostUUID string
	// Extra adds keys to the heartbeat, such as paused; nil adds none. It must not block. Keys of ours are not replaced.
	Extra func() map[string]any
	// Every is the pace of heartbeats. 0 means 30 s.
	Every time.Duration
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Publisher == nil || c.Store == nil || c.View == nil || c.Stop == nil {
		return errors.New("pulse: a port is missing")
	}
	if c.Instance == "" {
		return errors.New("pulse: instance is empty: our heartbeat would look like the one of DECNET's own reconciler")
	}
	return nil
}

// Pulse is the actor.
type Pulse struct {
	cfg      Config
	known    bool // the store has said whether we are the owner
	owner    bool
	asking   bool      // a heartbeat waits for its counts
	next     func()    // cancels the next heartbeat
	greeting time.Time // when a fresh link last got a heartbeat, or will get one
	rivals   rivals
	stopped  bool
	said     said
}

// New returns the actor; give it to a supervise.Spec. The Config has been validated.
func New(cfg Config) *Pulse {
	if cfg.Every == 0 {
		cfg.Every = defaultEvery
	}
	return &Pulse{cfg: cfg, next: func() {}}
}

// Messages to itself.
type (
	beatDue  struct{}
	askDue   struct{}
	quietDue struct{} // a rival may have fallen silent
	counted  struct{ status messages.Status }
)

// Receive handles one message.
func (p *Pulse) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		p.report(c, "ok", "")
		p.ask(c)
	case supervise.Stopping:
	case messages.OwnershipChanged:
		p.ownership(c, m.Owner)
	case messages.BusReady:
		p.greet(c)
	case messages.HealthHeard:
		p.health(c, m.Instance)
	case messages.ControlHeard:
		p.control(c, m)
	case beatDue:
		p.beat(c)
	case askDue:
		p.ask(c)
	case quietDue:
		p.quiet(c)
	case counted:
		p.send(c, m.status)
	}
}

// ask: a pulse that has just started knows nothing, and its question may find a full mailbox.
func (p *Pulse) ask(c *supervise.Ctx) {
	if p.known {
		return
	}
	p.cfg.Store.Tell(messages.OwnershipWanted{})
	c.After(askEvery, askDue{})
}

func (p *Pulse) ownership(c *supervise.Ctx, owner bool) {
	p.known = true
	if owner == p.owner {
		return
	}
	p.owner = owner
	if owner {
		p.beat(c)
		return
	}
	p.next()
	p.rivals.forget() // a standby hears no heartbeats
	p.report(c, "ok", "")
}

func (p *Pulse) report(c *supervise.Ctx, state, detail string) {
	if !p.rivals.shown(state, detail, c.Now()) {
		return
	}
	if state != "ok" {
		c.Log().Warn().Str("detail", detail).Msg("another reconciler is at work")
	}
	p.cfg.View.Tell(messages.ComponentReported{Status: messages.ComponentStatus{
		Component: "reconciler", State: state, Detail: detail, Since: messages.Moment{Time: p.rivals.since}}})
}
