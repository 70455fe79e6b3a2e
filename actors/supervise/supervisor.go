package supervise

import (
	"fmt"
	"time"

	"github.com/anthdm/hollywood/actor"
)

// Orders and reports to the root supervisor.
type (
	adopt   struct{ ref *Ref }
	retire  struct{ ref *Ref }
	release struct{ ref *Ref }
	crashIt struct {
		ref  *Ref
		why  string
		jail bool // and it stays down until it is released
		now  bool // do not wait for its handler
	}
	begun struct { // the incarnation has handled Started
		ref    *Ref
		number uint32
	}
	crashed struct {
		ref    *Ref
		number uint32
		up     time.Duration
		crash  crash
	}
	halted struct { // by order, for a restart of the group
		ref    *Ref
		number uint32
	}
	gone struct{ ref *Ref } // the actor has stopped, and so have its goroutines
	due  struct {           // the wait before a restart is over
		ref  *Ref
		turn uint32
	}
	look struct{} // for stuck actors, every tickEvery
	ping struct{ answer chan struct{} }
)

// child is what the supervisor knows of one actor. Only the supervisor's goroutine touches it.
type child struct {
	past     history
	timer    *time.Timer // to the next restart, or of the patience with a stop
	turn     uint32      // makes older timers void
	number   uint32      // of the incarnation that was begun last
	down     bool        // it has ended
	gone     bool        // the actor has stopped
	jailed   bool        // by order: not tried again before it is released
	closing  bool        // retired
	reported int64       // begin of the handler that was reported stuck, on the coarse clock, plus one; 0 = none
	after    *Ref        // who has the name until it has stopped; nil = the child may begin
	next     *Ref        // who waits for the name
}

// supervisor is the root: one actor that owns the children's histories and timers.
type supervisor struct {
	sys         *System
	kids        map[*Ref]struct{}
	renewals    map[string]*renewal // group restarts under way, by group
	escalations []time.Time
	storm       []time.Time // crashes of all actors
	stormAt     time.Time   // when the last storm was announced
	ticker      *time.Timer
	shutting    bool
	leaving     []*Ref // at shutdown: who is still to be stopped, first first
	stopping    *Ref   // who of them is being stopped
	over        bool
	mark        func()
}

// newSupervisor makes the state outside of the producer: it is there whatever happens to the process.
func newSupervisor(s *System) actor.Producer {
	v := &supervisor{sys: s, kids: map[*Ref]struct{}{}, renewals: map[string]*renewal{}, mark: marker("supervise/root")}
	return func() actor.Receiver { return v }
}

// Receive implements actor.Receiver.
func (v *supervisor) Receive(c *actor.Context) {
	switch c.Message().(type) {
	case actor.Initialized, actor.Started, actor.Stopped:
		return
	}
	v.mark()
	if failed := guard(func() { v.step(c.Message()) }); failed != nil {
		v.sys.log.Error().Str("message", fmt.Sprintf("%T", c.Message())).Str("reason", failed.reason).
			Str("stack", failed.stack).Msg("root supervisor panicked")
	}
}

func (v *supervisor) step(msg any) {
	v.handle(msg)
	if v.shutting {
		v.stopNext()
	}
}

func (v *supervisor) handle(msg any) {
	switch m := msg.(type) {
	case adopt:
		v.adopt(m.ref)
	case begun:
		v.emit(Event{What: EventStarted, Kind: m.ref.Kind(), ID: m.ref.ID(), Incarnation: m.number})
	case crashed:
		v.crashed(m)
	case halted:
		v.halted(m)
	case gone:
		v.finish(m.ref, "", "")
	case due:
		v.due(m)
	case renewalDue:
		v.renewed(m)
	case look:
		v.look()
	case ping:
		close(m.answer)
	default:
		v.obey(msg)
	}
}

func (v *supervisor) obey(msg any) {
	switch m := msg.(type) {
	case retire:
		v.retire(m.ref, v.sys.policy.StuckReplace)
	case impatient:
		v.impatient(m)
	case release:
		v.release(m.ref)
	case crashIt:
		v.crashIt(m)
	case shutdown:
		v.shutdown()
	case abandonAll:
		v.abandonAll()
	}
}

func (v *supervisor) adopt(r *Ref) {
	if r.kid.gone { // somebody found it in the directory and retired it before we heard of it
		v.poison(r.proc.Load())
		return
	}
	v.kids[r] = struct{}{}
	v.succeed(r, r.kid.after)
	if v.shutting {
		v.leaving = append([]*Ref{r}, v.leaving...)
	}
}

// succeed begins a new child when before, who had its name, has stopped, and whoever before itself waited for.
func (v *supervisor) succeed(r, before *Ref) {
	for before != nil && before.kid.gone {
		before = before.kid.after
	}
	r.kid.after = before
	if before == nil {
		v.begin(r)
		return
	}
	before.kid.next = r
}

// begin starts the next incarnation.
func (v *supervisor) begin(r *Ref) {
	k := &r.kid
	v.cancel(k)
	k.number++
	k.down = false
	r.send(begin{k.number})
}

// later begins the next incarnation after a wait. Waiting is a timer that sends a message, never a sleep.
func (v *supervisor) later(r *Ref, wait time.Duration) {
	v.cancel(&r.kid)
	turn := r.kid.turn
	r.kid.timer = time.AfterFunc(wait, func() { v.sys.report(due{r, turn}) })
}

func (v *supervisor) due(m due) {
	if k := &m.ref.kid; k.turn == m.turn && k.down && !k.gone {
		v.begin(m.ref)
	}
}

// cancel voids the child's timer, even if it has fired and its message is under way.
func (v *supervisor) cancel(k *child) {
	k.turn++
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
}

// respawn gives an actor that is down a new process.
func (v *supervisor) respawn(r *Ref) {
	epoch := v.sys.epochs.Add(1)
	r.box.pass(epoch)
	v.swap(r, epoch)
}

// swap puts a new process behind a Ref. The old one gets no pill: it hangs or is dead, and once nobody can reach it
// there is nothing left of it but its goroutine.
func (v *supervisor) swap(r *Ref, epoch uint64) {
	v.sys.engine.Registry.Remove(r.proc.Load())
	r.proc.Store(v.sys.process(r, epoch))
}
