package store

import (
	"context"
	"errors"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// leaseLook is how often a standby looks at the lease. Chosen: a fifth of LeasePatience.
const leaseLook = time.Second

func (s *Store) look(c *supervise.Ctx) {
	s.goAsk(c, "lease", func(ctx context.Context) any {
		l, err := s.cfg.Leases.Look(ctx)
		return looked{l, err}
	})
}

func (s *Store) looked(c *supervise.Ctx, m looked) {
	if s.token != 0 {
		return // an answer to a question of the time before
	}
	if m.err != nil {
		s.trouble(c, m.err)
		s.lookAgain(c, supervise.Retry(s.fails, s.cfg.Jitter(), supervise.RetryFirst, supervise.RetryMost))
		s.fails++
		return
	}
	s.works(c)
	s.watch = watched(s.watch, m.lease, c.Now())
	if !mayTake(s.watch, identity{bootID: s.cfg.BootID, stateDir: s.cfg.StateDir}, c.Now()) {
		s.standby(c, m.lease)
		s.lookAgain(c, leaseLook)
		return
	}
	s.goAsk(c, "lease", func(ctx context.Context) any {
		l, err := s.cfg.Leases.Take(ctx, m.lease)
		return taken{l, err}
	})
}

// lookAgain sets the lease's one timer.
func (s *Store) lookAgain(c *supervise.Ctx, d time.Duration) {
	if s.unlook != nil {
		s.unlook()
	}
	s.unlook = c.After(d, messages.Tick{Name: "lease"})
}

func (s *Store) taken(c *supervise.Ctx, m taken) {
	if s.token != 0 {
		return
	}
	if m.err != nil {
		if !errors.Is(m.err, messages.ErrLeaseMoved) {
			s.trouble(c, m.err)
		}
		s.lookAgain(c, leaseLook)
		return
	}
	s.token = m.lease.Token
	c.Log().Info().Int64("token", s.token).Msg("this process owns the host's rows")
	s.owner(c, true, "ok", "")
	s.lookAgain(c, LeaseBeat)
	s.next(c)
}

func (s *Store) beat(c *supervise.Ctx) {
	token := s.token
	s.goAsk(c, "lease", func(ctx context.Context) any { return beaten{s.cfg.Leases.Beat(ctx, token)} })
}

func (s *Store) beaten(c *supervise.Ctx, m beaten) {
	switch {
	case errors.Is(m.err, messages.ErrFenced):
		s.fenced(c)
		return
	case m.err != nil:
		s.trouble(c, m.err)
	case s.fails == 0:
		s.works(c)
	}
	if s.token != 0 {
		s.lookAgain(c, LeaseBeat)
	}
}

// fenced: another process owns the rows now. What is wanted stays wanted, in case the rows become ours again.
func (s *Store) fenced(c *supervise.Ctx) {
	if s.token == 0 {
		return
	}
	s.token, s.watch = 0, watch{}
	c.Log().Warn().Msg("another process took this host's rows: waiting as standby")
	s.owner(c, false, "standby", "another process owns this host's rows")
	s.lookAgain(c, leaseLook)
}

func (s *Store) standby(c *supervise.Ctx, l messages.Lease) {
	s.owner(c, false, "standby", "owned by "+l.Owner+" (state directory "+l.StateDir+")")
}

// owner tells everybody who publishes or beats whether this process may.
func (s *Store) owner(c *supervise.Ctx, is bool, state, detail string) {
	m := messages.OwnershipChanged{Owner: is, Token: s.token}
	s.tellOwner(m)
	s.cfg.Fleet.Tell(m) // a pass that waits for a standby would wait for ever
	s.lease = messages.ComponentStatus{Component: "lease", State: state, Detail: detail, Since: messages.Moment{Time: c.Now()}}
	s.cfg.View.Tell(messages.ComponentReported{Status: s.lease})
}

// reportAll tells a view that knows nothing yet.
func (s *Store) reportAll(c *supervise.Ctx) {
	if s.lease.Component != "" {
		s.cfg.View.Tell(messages.ComponentReported{Status: s.lease})
	}
	if s.broken != "" {
		s.report(c, "degraded", s.broken)
	}
}

// tellOwner is heard by those who come up later too: they ask.
func (s *Store) tellOwner(m messages.OwnershipChanged) {
	s.cfg.Publisher.Tell(m)
	s.cfg.Pulse.Tell(m)
}
