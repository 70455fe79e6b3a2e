package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/anthdm/hollywood/actor"
	"github.com/rs/zerolog"
)

// Config is what a System is made of.
type Config struct {
	// Now is the clock; time.Now but in tests. Its times must carry a monotonic reading. Required.
	Now func() time.Time
	// Jitter answers a number in [0,1) that spreads restarts. It is called by one goroutine at a time. Required.
	Jitter func() float64
	// Log takes the transitions of actors, and what hollywood logs. The zero Logger is silent.
	Log zerolog.Logger
	// OnEvent is told every event, in order, by the supervisor itself: it must not block and must not Ask. nil = nobody.
	OnEvent func(Event)
	// OnCrash is told every crash record; the same holds for it. nil = nobody.
	OnCrash func(Crash)
	// LastCrash is the ID of the last crash record of an earlier life: those of this one follow it.
	LastCrash uint64
	// Policy holds the numbers. The zero Policy is the one to use.
	Policy Policy
}

// System is a root supervisor with its actors. Its methods may be called from any goroutine.
type System struct {
	cfg    Config
	policy Policy
	log    zerolog.Logger
	engine *actor.Engine
	root   *actor.PID
	clock  clock

	directory directory
	records   records
	dead      tally
	letters   deadLetters
	looks     looks
	epochs    atomic.Uint64 // of processes and Refs, never reused
	closing   atomic.Bool
	fatal     chan error    // room for one
	stopped   chan struct{} // closed when every actor has stopped
}

// New makes a System and starts its root supervisor. It replaces slog's default logger, which hollywood logs through, by
// one that writes to cfg.Log.
func New(cfg Config) (*System, error) {
	if cfg.Now == nil || cfg.Jitter == nil {
		return nil, errors.New("supervise: Config needs Now and Jitter")
	}
	slog.SetDefault(slog.New(bridge{to: cfg.Log}))
	engine, err := actor.NewEngine(actor.NewEngineConfig())
	if err != nil {
		return nil, fmt.Errorf("make actor engine: %w", err)
	}
	s := &System{
		cfg: cfg, policy: cfg.Policy.filled(), log: logger(cfg.Log), engine: engine,
		clock:     clock{now: cfg.Now, origin: cfg.Now()},
		directory: directory{refs: map[name]*Ref{}},
		records:   records{seen: cfg.LastCrash},
		fatal:     make(chan error, 1),
		stopped:   make(chan struct{}),
	}
	s.root = engine.Spawn(newSupervisor(s), "supervise", actor.WithID("root"), actor.WithInboxSize(inboxSize))
	s.report(look{})
	return s, nil
}

// inboxSize of a process: 16 envelopes; hollywood's default of 1,024 costs 28 KB an actor. It grows by itself.
const inboxSize = 16

// Spawn starts an actor and answers its Ref at once; messages may be sent to it before it runs. If an actor of that kind
// and ID lives already, that one's Ref is the answer and spec is not used; if one is still stopping, the new actor begins
// when it has stopped. After Shutdown the answer is a stopped Ref.
func (s *System) Spawn(spec Spec) *Ref {
	if s.closing.Load() {
		return s.stillborn(spec)
	}
	r := s.ref(spec)
	if owner := s.directory.claim(r); owner != r {
		return owner
	}
	r.proc.Store(s.process(r, r.seq))
	s.report(adopt{r})
	return r
}

func (s *System) ref(spec Spec) *Ref {
	epoch := s.epochs.Add(1)
	r := &Ref{sys: s, spec: spec, seq: epoch}
	r.mark = marker(r.Name())
	r.box.owner, r.box.bound, r.box.dead = epoch, spec.Mailbox, s.dead.of(spec.Kind)
	fill(&r.box.bound, s.policy.Mailbox)
	return r
}

// process starts a hollywood process for an actor.
func (s *System) process(r *Ref, epoch uint64) *actor.PID {
	producer := func() actor.Receiver { return &shell{ref: r, epoch: epoch} }
	return s.engine.Spawn(producer, escape(r.spec.Kind), actor.WithID(processID(r.spec.ID, epoch)), actor.WithInboxSize(inboxSize))
}

// stillborn is what Spawn answers when nothing may start any more.
func (s *System) stillborn(spec Spec) *Ref {
	r := s.ref(spec)
	r.box.shut()
	r.box.wind(false)
	r.kid.gone = true
	return r
}

// Retire stops an actor in an orderly way: it takes no more messages, handles those that wait, then Stopping. One that is
// down is stopped at once and its waiting messages are discarded, counted. It answers before that is done; a second
// Retire does nothing.
func (s *System) Retire(r *Ref) {
	r.box.shut() // now, so that a Spawn of the same name that follows gets a new actor
	s.report(retire{r})
}

// Release takes an actor out of quarantine and clears its history. On any other it does nothing.
func (s *System) Release(r *Ref) { s.report(release{r}) }

// Restart crashes an actor on purpose, with why as the reason: it counts as a crash like any other. One that is stuck is
// abandoned and replaced at once; one that is down already is left alone.
func (s *System) Restart(r *Ref, why string) { s.report(crashIt{ref: r, why: clip(why, maxReason)}) }

// Quarantine ends an actor's incarnation and refuses its messages until Release; it is not tried again before. why goes
// into the crash record. One that is stuck is abandoned at once. On an actor in quarantine it voids the next try.
func (s *System) Quarantine(r *Ref, why string) {
	s.report(crashIt{ref: r, why: clip(why, maxReason), jail: true})
}

// Kill abandons an actor at once, whatever its handler does, and replaces it as one that is stuck. It counts as a crash.
func (s *System) Kill(r *Ref, why string) {
	s.report(crashIt{ref: r, why: clip(why, maxReason), now: true})
}

// Each calls f for every actor that is not stopped, in no order.
func (s *System) Each(f func(r *Ref)) {
	for _, r := range s.directory.all() {
		f(r)
	}
}

// Refs answers the actors that are not stopped, in the order of start.
func (s *System) Refs() []*Ref { return s.directory.list() }

// Find answers the actor of that name that is not stopped; nil if there is none.
func (s *System) Find(kind, id string) *Ref { return s.directory.find(name{kind, id}) }

// Crashes answers the last crash records, oldest first.
func (s *System) Crashes() []Crash { return s.records.list() }

// Fatal delivers once, when the root gives up: too many escalations within Policy.Root. The process should exit 70.
func (s *System) Fatal() <-chan error { return s.fatal }

// Ping makes a round trip through the root supervisor. An error means that it did not answer within ctx or is shut down.
func (s *System) Ping(ctx context.Context) error {
	answer := make(chan struct{})
	s.report(ping{answer})
	select {
	case <-answer:
		return nil
	case <-s.stopped:
		return fmt.Errorf("ping root supervisor: %w", errShutdown)
	case <-ctx.Done():
		return fmt.Errorf("ping root supervisor: %w", ctx.Err())
	}
}

// Shutdown stops all actors in an orderly way, each after the last has stopped, in the reverse order of start. An actor
// that finishes nothing for Policy.StopPatience is abandoned, and when ctx ends all that are left are; then the error says
// how many. It may be called again. The System cannot be used afterwards.
func (s *System) Shutdown(ctx context.Context) error {
	s.closing.Store(true)
	s.report(shutdown{})
	select {
	case <-s.stopped:
		return nil
	case <-ctx.Done():
	}
	left := len(s.Refs())
	s.report(abandonAll{})
	return fmt.Errorf("stop actors, %d of them abandoned: %w", left, ctx.Err())
}

// report sends to the root supervisor.
func (s *System) report(msg any) { s.engine.Send(s.root, msg) }
