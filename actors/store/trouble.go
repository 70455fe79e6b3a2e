package store

import (
	"errors"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// failed waits and tries again, for ever. Who lost the lease stops writing at once.
func (s *Store) failed(c *supervise.Ctx, err error) {
	s.busy = false
	if errors.Is(err, messages.ErrFenced) {
		s.fenced(c)
		return
	}
	s.trouble(c, err)
	s.rest(c, supervise.Retry(s.fails, s.cfg.Jitter(), supervise.RetryFirst, supervise.RetryMost))
	s.fails++
}

// trouble says once what the database complains of.
func (s *Store) trouble(c *supervise.Ctx, err error) {
	fault := messages.Fault{Where: "database", What: err.Error()}
	s.cfg.Fleet.Tell(messages.StoreFailing{Fault: fault})
	if s.broken == err.Error() {
		return
	}
	s.broken = err.Error()
	c.Log().Warn().Str("error", s.broken).Msg("database cannot be written")
	s.report(c, "degraded", s.broken)
}

func (s *Store) works(c *supervise.Ctx) {
	s.fails = 0
	if s.broken == "" {
		return
	}
	s.broken = ""
	c.Log().Info().Msg("database can be written again")
	s.cfg.Fleet.Tell(messages.StoreFailing{})
	s.report(c, "ok", "")
}

func (s *Store) report(c *supervise.Ctx, state, detail string) {
	s.cfg.View.Tell(messages.ComponentReported{Status: messages.ComponentStatus{Component: "store", State: state, Detail: detail,
		Since: messages.Moment{Time: c.Now()}}})
}
