package fleet

import (
	"maps"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what the fleet needs. All fields but the policies are required.
type Config struct {
	HostUUID string
	Sources  map[messages.Source]Teller
	Store    Teller
	View     Teller
	// Child describes the actor of one decky.
	Child func(name string) supervise.Spec
	// Staff names the deckies whose actors live: an earlier incarnation of the fleet started them.
	Staff func() []string
	NewID func() string
	// Patience is how long a source may stay silent at the start before it counts as unknown. 0 means 5s.
	Patience time.Duration
	// Audit is how often file and table are read in full although nothing seems to have changed. 0 means 30s.
	Audit time.Duration
	Guard GuardPolicy
	// Recode gives an entry other services, and the time of the mutation that chose them. Pure. nil: DECNET's fourth store is not heeded.
	Recode func(e messages.Declared, services []string, lastMutated float64) (messages.Declared, error)
	// Pauses says what an operator has paused, for an incarnation that begins; nil: nothing.
	Pauses func() []messages.Pause
	// RedeployWindow and RedeployHold: see redeploying. 0 means 5s and 15s.
	RedeployWindow time.Duration
	RedeployHold   time.Duration
}

// Fleet is the actor that knows who should exist.
type Fleet struct {
	cfg  Config
	roll roll
	seen *sightings

	again  bool // an earlier incarnation crashed: a reply may have been lost with it
	open   bool
	heard  map[messages.Source]bool      // has answered or failed
	readAt map[messages.Source]time.Time // when its last usable reading began
	docker bool                          // what it says is known
	stamps map[messages.Source]messages.Stamp

	file     file
	table    bool // what it says is known
	holds    []messages.Hold
	deployed map[string]messages.Deployed // DECNET's fourth store
	sought   time.Time                    // when it was last asked for because of a container nobody declares
	losses   []loss
	redeploy time.Time // state changes are held until then
	remake   time.Time // and those of deckies that compose has not come to yet until then

	buried    map[string]time.Time // when rows were deleted: a look that began earlier still has them
	wave      waveTrack
	poked     time.Time // when file and table were asked for a reread; zero: nothing is outstanding
	passes    []*pass
	token     uint64
	failing   *failing
	standby   bool                               // another process owns the rows
	stale     bool                               // unlabelled containers are to be attributed again
	waiting   bool                               // a timer runs that does what many messages left to do once
	down      map[messages.Source]messages.Fault // why a source knows nothing
	counters  map[string]int64
	refused   bool // a mailbox was full
	untold    bool // a timer runs that tells again what a full mailbox refused
	reporting bool // a timer runs that reports to the view

	unaudit func() // cancels the timer of the next audit
	pauses  pauses
	whole   map[messages.Source]time.Time // when the last complete look at a source began
}

// failing is since when, and why, the store cannot write.
type failing struct {
	since time.Time
	fault messages.Fault
}

// New returns the actor; give it to a supervise.Spec.
func New(cfg Config) *Fleet {
	if cfg.Patience == 0 {
		cfg.Patience = 5 * time.Second
	}
	if cfg.Audit == 0 {
		cfg.Audit = 30 * time.Second
	}
	if cfg.RedeployWindow == 0 {
		cfg.RedeployWindow = 5 * time.Second
	}
	if cfg.RedeployHold == 0 {
		cfg.RedeployHold = 15 * time.Second
	}
	if cfg.Guard.Floor == 0 {
		cfg.Guard = GuardPolicy{Floor: 3, Share: 0.25, Window: time.Minute, Reads: 3, Over: time.Minute}
	}
	return &Fleet{cfg: cfg, roll: roll{}, seen: newSightings(), heard: map[messages.Source]bool{},
		readAt: map[messages.Source]time.Time{}, stamps: map[messages.Source]messages.Stamp{}, counters: map[string]int64{}, buried: map[string]time.Time{}, whole: map[messages.Source]time.Time{}, down: map[messages.Source]messages.Fault{},
		wave: waveTrack{wanting: map[string]bool{}}}
}

// Receive handles one message.
func (f *Fleet) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case supervise.Started:
		f.start(c, m)
	case supervise.Stopping:
	case messages.Tick:
		f.tick(c, m)
	case messages.DeclaredChanged:
		f.declaredChanged(c, m)
	case messages.RecordedChanged:
		f.recordedChanged(c, m)
	case messages.RuntimeChanged:
		f.runtimeChanged(c, m)
	case messages.RuntimeHinted:
		f.hinted(c, m)
	case messages.SourceDown:
		f.sourceDown(c, m)
	case messages.RowReply:
		f.replied(c, m)
	case messages.StoreFailing:
		f.storeFailing(c, m)
	case messages.OwnershipChanged:
		f.standby = !m.Owner
		f.passDue(c)
	default:
		f.asked(c, msg)
	}
}

// asked handles what deckies and operators want.
func (f *Fleet) asked(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case messages.StoreRestarted:
		f.failing = nil
		f.everybody(c, messages.OrdersLost{})
	case messages.ReportsWanted:
		f.everybody(c, m)
		for _, s := range f.cfg.Sources {
			s.Tell(m) // a source that is too busy reports with its next change
		}
		f.later(c)
	case messages.FactsWanted:
		f.recovered(m.Name)
		f.facts(f.roll[m.Name], m.Name)
	case messages.RereadAsked:
		f.rereadAsked(c, m)
	case messages.DeckyRetired:
		f.retire(c, m.Name)
	case messages.DeckyCrashed:
		f.crashed(c, m)
	case messages.AuditEvery:
		f.auditEvery(c, m.Every)
	case messages.PausesChanged:
		f.pausesChanged(c, m.Pauses)
	case messages.ApproveDeletes:
		f.approve(c, m)
	case messages.GetPass:
		f.passAsked(c, m)
	case messages.PassMarked:
		f.passMarked(c, m)
	}
}

func (f *Fleet) start(c *supervise.Ctx, m supervise.Started) {
	f.again = m.Incarnation > 1
	if f.cfg.Pauses != nil {
		f.pauses = pausesOf(f.cfg.Pauses())
	}
	for _, s := range f.cfg.Sources {
		s.Tell(messages.GetView{})
	}
	c.After(f.cfg.Patience, messages.Tick{Name: "patience"})
	f.auditEvery(c, f.cfg.Audit)
}

func (f *Fleet) tick(c *supervise.Ctx, m messages.Tick) {
	switch m.Name {
	case "patience":
		f.opens(c)
	case "audit":
		f.forgetBuried(c.Now())
		f.poke(messages.SourceDeclared, messages.SourceRecorded)
		f.rule(c)
		f.remind(c)
		f.auditEvery(c, f.cfg.Audit)
	case "untold":
		f.untold = false
		f.tellAgain(c)
	case "report":
		f.reporting = false
		f.cfg.View.Tell(f.report())
	case "soon":
		f.waiting = false
		if f.stale {
			f.reattribute()
		}
		f.rule(c)
	case "window":
		f.wave.waking = false
		f.rule(c)
	case "redeploy":
		f.spreadHolds(c)
	case "pass":
		f.passDue(c)
	}
}

// hear notes that a source has answered or failed. No decky decides before all three have, or had their time.
func (f *Fleet) hear(c *supervise.Ctx, s messages.Source) {
	f.heard[s] = true
	if len(f.heard) == 3 {
		f.opens(c)
	}
	f.later(c)
}

func (f *Fleet) opens(c *supervise.Ctx) {
	if f.open {
		return
	}
	f.open = true
	for _, name := range f.cfg.Staff() {
		f.enrol(c, name)
	}
	for name, m := range f.roll {
		f.hire(c, name, m)
	}
	f.rule(c)
	f.passDue(c)
	f.later(c)
}

// fresh says whether a message is newer than what was heard of its source.
func (f *Fleet) fresh(s messages.Source, stamp messages.Stamp) bool {
	if !f.stamps[s].Before(stamp) {
		return false
	}
	f.stamps[s] = stamp
	return true
}

func (f *Fleet) poke(sources ...messages.Source) {
	for _, s := range sources {
		f.cfg.Sources[s].Tell(messages.RereadWanted{})
	}
}

// later reports to the view once for many changes.
func (f *Fleet) later(c *supervise.Ctx) {
	if !f.reporting {
		f.reporting = true
		c.After(reportEvery, messages.Tick{Name: "report"})
	}
}

// burst is how long the fleet gathers replies before it draws conclusions from all of them. Chosen: below any latency
// that is promised, and long enough that a mass deletion costs one look a batch and not one a row.
const burst = 5 * time.Millisecond

// soon draws the conclusions of many messages once.
func (f *Fleet) soon(c *supervise.Ctx) {
	if !f.waiting {
		f.waiting = true
		c.After(burst, messages.Tick{Name: "soon"})
	}
}

// reportEvery bounds how often the fleet reports. Chosen: below what an eye can follow.
const reportEvery = 50 * time.Millisecond

func (f *Fleet) report() messages.FleetReported {
	counters := maps.Clone(f.counters)
	r := messages.FleetReported{Open: f.open, Foreign: len(f.file.foreign), Warnings: f.file.warnings, Holds: f.holds,
		Redeploy: messages.Moment{Time: f.redeploy}, Counters: counters, Sources: f.looks(), Pauses: f.pauses.list()}
	for _, x := range f.file.rejected {
		r.Rejected = append(r.Rejected, x.Fault)
	}
	if f.file.status == messages.FileInvalid {
		r.Rejected = append([]messages.Fault{f.file.fault}, r.Rejected...)
	}
	return r
}
