package supervise

import (
	"time"

	"github.com/rs/zerolog"
)

// What an Event says.
const (
	EventStarted        = "started"         // an incarnation runs
	EventRestarting     = "restarting"      // it crashed, the next one begins in RetryIn
	EventQuarantined    = "quarantined"     // it crashed too often; tried again in RetryIn
	EventReleased       = "released"        // taken out of quarantine by Release
	EventStopped        = "stopped"         // for good; Reason is set if it had to be abandoned
	EventStorm          = "storm"           // many crashes at once, of many actors; Kind and ID are those of the last
	EventGroupRestarted = "group_restarted" // Kind and ID are "group" and its name, or "actor" and kind/id for one without a group
	EventEscalated      = "escalated"       // a subsystem crashed too often; its group restarts in RetryIn, or the root gives up
	EventStuck          = "stuck"           // a handler runs for too long; Stack is where it stands now
	EventReplaced       = "replaced"        // a stuck handler was abandoned
)

// Event tells what happened to an actor.
type Event struct {
	What        string // one of the Event… constants
	Kind, ID    string
	Reason      string
	Stack       string
	Message     string // the message being handled; OnPurpose where nothing was wrong with it
	Incarnation uint32
	At          time.Time
	RetryIn     time.Duration // 0: nothing is tried again
}

// OnPurpose stands for the message where somebody crashed the actor.
const OnPurpose = "on purpose"

// logBurst bounds the lines a second: of 10,000 actors that crash together the journal needs no line each, the crash
// counters have them all. Chosen; nothing depends on it.
const logBurst = 50

func logger(to zerolog.Logger) zerolog.Logger {
	return to.Sample(&zerolog.BurstSampler{Burst: logBurst, Period: time.Second})
}

// emit logs an event and gives it to the observer.
func (v *supervisor) emit(e Event) {
	e.At = v.sys.cfg.Now()
	v.log(e)
	if v.sys.cfg.OnEvent == nil {
		return
	}
	if failed := guard(func() { v.sys.cfg.OnEvent(e) }); failed != nil {
		v.sys.log.Error().Str("reason", failed.reason).Str("stack", failed.stack).Msg("observer of actor events panicked")
	}
}

// tell gives a crash record to whoever keeps it.
func (v *supervisor) tell(c Crash) {
	if v.sys.cfg.OnCrash == nil {
		return
	}
	if failed := guard(func() { v.sys.cfg.OnCrash(c) }); failed != nil {
		v.sys.log.Error().Str("reason", failed.reason).Str("stack", failed.stack).Msg("keeper of crash records panicked")
	}
}

func (v *supervisor) log(e Event) {
	line := v.sys.log.WithLevel(levelOf(e.What)).Str("event", e.What).Str("actor", e.Kind+"/"+e.ID)
	if e.Incarnation > 0 {
		line.Uint32("incarnation", e.Incarnation)
	}
	if e.Reason != "" {
		line.Str("reason", e.Reason)
	}
	if e.Message != "" {
		line.Str("message_in_hand", e.Message)
	}
	if e.RetryIn > 0 {
		line.Dur("retry_in", e.RetryIn)
	}
	if e.Stack != "" && e.What != EventRestarting { // a restart's is in the crash record
		line.Str("stack", e.Stack)
	}
	line.Msg("actor supervised")
}

func levelOf(what string) zerolog.Level {
	switch what {
	case EventStarted, EventStopped:
		return zerolog.DebugLevel
	case EventReleased:
		return zerolog.InfoLevel
	case EventRestarting, EventGroupRestarted, EventStuck:
		return zerolog.WarnLevel
	}
	return zerolog.ErrorLevel
}
