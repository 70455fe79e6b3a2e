package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/adapters/statedir"
	"github.com/decnet/decnet-fleetd/messages"
)

var _ console.Auditor = (*statedir.Audit)(nil)

// keeper holds what outlives the process. Each part may be nil: then that does not. A nil keeper keeps nothing.
type keeper struct {
	audit   *statedir.Audit
	crashes *statedir.Crashes
	pauses  *statedir.Pauses
}

// openKeeper opens the files of the state directory. One that cannot be opened is said, and is no reason not to run: a
// daemon that watches without an audit file still has its log.
func openKeeper(dir string, log zerolog.Logger) *keeper {
	k := pausesOnly(dir, log)
	said := func(what string, skipped int, err error) {
		if err != nil {
			log.Error().Err(err).Str("file", what).Msg("cannot be kept in the state directory")
		}
		if skipped > 0 {
			log.Warn().Str("file", what).Int("lines", skipped).Msg("unreadable lines skipped")
		}
	}
	a, skipped, err := statedir.OpenAudit(dir)
	said("audit.jsonl", skipped, err)
	if err == nil {
		k.audit = a
	}
	c, skipped, err := statedir.OpenCrashes(dir)
	said("crashes.jsonl", skipped, err)
	if err == nil {
		k.crashes = c
	}
	return k
}

// pausesOnly is for a single pass, which writes nothing but must not write what is paused.
func pausesOnly(dir string, log zerolog.Logger) *keeper {
	p, err := statedir.OpenPauses(dir, messages.Moment{Time: time.Now()})
	if err != nil {
		log.Error().Err(err).Msg("what is paused cannot be read: the whole host is, until somebody resumes it")
	}
	return &keeper{pauses: p}
}

func (k *keeper) close() {
	if k.audit != nil {
		k.audit.Close()
	}
	if k.crashes != nil {
		k.crashes.Close()
	}
}

// auditor is for the console; it may not be a typed nil.
func (k *keeper) auditor() console.Auditor {
	if k == nil || k.audit == nil {
		return nil
	}
	return k.audit
}

func (k *keeper) record(e messages.AuditEntry, log zerolog.Logger) {
	e.Time = messages.Moment{Time: time.Now()}
	if k.audit == nil {
		return
	}
	if _, err := k.audit.Record(e); err != nil {
		log.Error().Err(err).Str("verb", e.Verb).Str("reason", e.Reason).Msg("the audit cannot be written")
	}
}

func (k *keeper) paused() []messages.Pause {
	if k == nil || k.pauses == nil {
		return nil
	}
	return k.pauses.List()
}

// beat is what the heartbeat adds: the number of pauses, where there are any.
func (k *keeper) beat() map[string]any {
	n := len(k.paused())
	if n == 0 {
		return nil
	}
	return map[string]any{"paused": n}
}

func (k *keeper) earlier() []messages.CrashRecord {
	if k == nil || k.crashes == nil {
		return nil
	}
	return k.crashes.Earlier()
}

func (k *keeper) lastCrash() uint64 {
	if k == nil || k.crashes == nil {
		return 0
	}
	return k.crashes.Last()
}

func crashRecord(c supervise.Crash) messages.CrashRecord {
	return messages.CrashRecord{ID: c.ID, At: messages.Moment{Time: c.At}, Actor: c.Actor, Incarnation: c.Incarnation, Reason: c.Reason,
		Message: c.Message, Stack: c.Stack, State: c.State}
}

// scribe is an actor that writes crash records: the supervisor, who has them, must not wait for a disk. In a storm it
// loses some, counted as dead letters; the supervisor's own ring has them until the process ends.
type scribe struct {
	to      *statedir.Crashes
	waiting []messages.CrashRecord
	writing bool
}

// written comes back from the goroutine that writes.
type written struct{ err error }

// scribeKeeps bounds the records that wait for the disk. Source: as many as the supervisor keeps.
const scribeKeeps = 256

// Receive handles one message.
func (s *scribe) Receive(c *supervise.Ctx, msg any) {
	switch m := msg.(type) {
	case messages.CrashRecord:
		if len(s.waiting) < scribeKeeps {
			s.waiting = append(s.waiting, m)
		}
	case written:
		s.writing = false
		if m.err != nil {
			c.Log().Error().Err(m.err).Msg("crash records cannot be written")
		}
	}
	if s.writing || len(s.waiting) == 0 {
		return
	}
	batch := s.waiting
	s.waiting, s.writing = nil, true
	c.Go("write", func(context.Context) {
		var err error
		for _, r := range batch {
			if failed := s.to.Append(r); failed != nil {
				err = failed
			}
		}
		c.After(0, written{err})
	})
}
