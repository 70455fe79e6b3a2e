package view

import (
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

const (
	// sampleEvery is the period of rates. Chosen: what an eye can follow.
	sampleEvery = time.Second
	// lookFor is how long rates are kept up after somebody asked. Chosen: a page that refreshes every five seconds.
	lookFor = 10 * time.Second
	// stuckAfter is when an actor is shown as stuck. Source: the supervisor reports it then.
	stuckAfter = 5 * time.Second
)

// Sampler shows all actors by their counters. It asks none of them. Rates and handler times cost something, so they are
// there only while somebody looks: it begins when it is asked and ends by itself.
type Sampler struct {
	sys     *supervise.System
	until   time.Time // somebody looks until then
	running bool
	before  map[*supervise.Ref]sample
	rated   bool      // there were two looks: before has rates
	at      time.Time // of the samples in before
}

// sample is what the counters said at the last look, and how they moved between the last two.
type sample struct {
	in, done         int64
	inRate, doneRate float64 // a second
}

// NewSampler returns the actor; give it to a supervise.Spec.
func NewSampler(sys *supervise.System) *Sampler { return &Sampler{sys: sys} }

// Receive handles one message.
func (s *Sampler) Receive(c *supervise.Ctx, msg any) {
	switch msg.(type) {
	case supervise.Started, supervise.Stopping:
		s.sys.Measure(false) // an earlier incarnation may have left it on
	case messages.Tick:
		s.tick(c)
	case messages.GetActors:
		s.look(c)
		c.Respond(s.list(c.Now()))
	case messages.GetHandlerTimes:
		s.look(c)
		c.Respond(s.times())
	}
}

func (s *Sampler) look(c *supervise.Ctx) {
	s.until = c.Now().Add(lookFor)
	if s.running {
		return
	}
	s.running = true
	s.sys.Measure(true)
	s.sample(c.Now())
	c.After(sampleEvery, messages.Tick{Name: "sample"})
}

func (s *Sampler) tick(c *supervise.Ctx) {
	if c.Now().After(s.until) {
		s.running, s.before, s.rated = false, nil, false
		s.sys.Measure(false)
		return
	}
	s.sys.Measure(true) // actors may have come
	s.sample(c.Now())
	c.After(sampleEvery, messages.Tick{Name: "sample"})
}

func (s *Sampler) sample(now time.Time) {
	next := make(map[*supervise.Ref]sample, len(s.before))
	took := now.Sub(s.at).Seconds()
	s.sys.Each(func(r *supervise.Ref) {
		st := r.Stats()
		x := sample{in: st.In, done: st.Done}
		if was, known := s.before[r]; known && took > 0 {
			x.inRate, x.doneRate = float64(st.In-was.in)/took, float64(st.Done-was.done)/took
		}
		next[r] = x
	})
	s.rated = s.before != nil
	s.before, s.at = next, now
}

func (s *Sampler) list(now time.Time) messages.ActorList {
	refs := s.sys.Refs()
	l := messages.ActorList{Items: make([]messages.ActorStatus, 0, len(refs)), Sampled: s.rated}
	for _, r := range refs {
		a := ActorOf(r, now)
		a.InPerSecond, a.DonePerSecond = s.before[r].inRate, s.before[r].doneRate
		l.Items = append(l.Items, a)
	}
	return l
}

// ActorOf is one actor as its counters tell. It works on one that is stuck: nobody is asked.
func ActorOf(r *supervise.Ref, now time.Time) messages.ActorStatus {
	st := r.Stats()
	p50, p99 := r.Times()
	a := messages.ActorStatus{PID: r.Name(), Kind: r.Kind(), ID: r.ID(), Group: r.Group(), State: st.State.String(),
		Incarnation: st.Incarnation, Mailbox: st.Depth, HighWater: st.HighWater, In: st.In, Done: st.Done, Lost: st.Lost,
		Dropped: st.Dropped, Crashes: st.Crashes, Restarts: st.Restarts, P50Seconds: p50.Seconds(), P99Seconds: p99.Seconds(),
		OldestSeconds: since(st.OldestSince, now), InHandlerSeconds: since(st.InHandlerSince, now), UpSeconds: since(st.Since, now)}
	a.Stuck = a.InHandlerSeconds > stuckAfter.Seconds()
	if st.State != supervise.Running && st.State != supervise.Closing {
		a.UpSeconds = 0
	}
	return a
}

func since(t, now time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t).Seconds())
}

func (s *Sampler) times() []messages.HandlerTime {
	all := s.sys.HandlerTimes()
	out := make([]messages.HandlerTime, 0, len(all))
	for _, t := range all {
		out = append(out, messages.HandlerTime{Kind: t.Kind, Type: t.Type, Count: t.Count, P50Seconds: t.P50.Seconds(), P99Seconds: t.P99.Seconds()})
	}
	return out
}
