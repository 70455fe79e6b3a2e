package messages

import (
	"errors"
	"time"
)

// What the console asks. None of these questions reaches an actor that works on the fleet: they are answered from what
// actors reported and from counters.

// ErrUnknownTarget says that there is no decky, actor or record of that name.
var ErrUnknownTarget = errors.New("console: there is nothing of that name")

// GetActors asks for the counters of all actors; the answer is an ActorList.
type GetActors struct{}

// ActorList answers GetActors.
type ActorList struct {
	Items   []ActorStatus // in the order of start
	Sampled bool          // rates are known: somebody has been looking for a sampling period
}

// GetHandlerTimes asks how long handlers take; the answer is a []HandlerTime. It is empty until somebody has looked at
// actors for a moment.
type GetHandlerTimes struct{}

// HandlerTime is how long the handlers of one kind of actor took for one type of message, since somebody began to look.
type HandlerTime struct {
	Kind       string  `json:"kind"`
	Type       string  `json:"type"`
	Count      int64   `json:"count"`
	P50Seconds float64 `json:"p50_seconds"` // at most 41 % too high
	P99Seconds float64 `json:"p99_seconds"`
}

// GetCrashes asks for the crash records, of this life and earlier ones; the answer is a []CrashRecord, newest first,
// without stack and state unless ID is given.
type GetCrashes struct {
	Actor string // kind/id; "" for all
	ID    uint64 // this one alone; 0 for all
}

// GetDeadLetters asks for the messages nobody took; the answer is a DeadLetterList.
type GetDeadLetters struct{}

// DeadLetterList answers GetDeadLetters.
type DeadLetterList struct {
	Items []DeadLetter // newest first
	Total int64        // since the start; more than the items have where groups were forgotten
}

// GetInspection asks why a decky is as it is; the answer is an Inspection, without the timeline, which the feed of events
// has. The error is ErrUnknownTarget where there is no such decky.
type GetInspection struct {
	Name string
	Most int // decisions; 0 means 8
}

// GetMessages asks for the last messages a decky's actor has handled; the answer is a []HandledMessage, newest first. The
// error is ErrUnknownTarget where no such actor lives.
type GetMessages struct{ Name string }

// HandledMessage is one of them: what was in it is not kept.
type HandledMessage struct {
	At   Moment `json:"at"`
	Type string `json:"type"`
}

// GetPauses asks what is paused; the answer is a []Pause.
type GetPauses struct{}

// GetConfig asks for the settings in force; the answer is a []Setting.
type GetConfig struct{}

// Setting is one setting in force, secrets masked.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// Act orders one control verb for some targets; the answer is an []ActionResult, one for each target. Who asks has been
// checked already.
type Act struct {
	Verb    string   // resync, restart, pause, resume, quarantine, release, kill
	Targets []string // deckies by name; actors by kind/id; "*" is the host, where the verb knows it
	Actors  bool     // Targets are actors
	DryRun  bool
	Reason  string
	By      string        // who asks, for crash records and pauses
	Wait    time.Duration // how long to wait until it is done; 0: it is only ordered
}

// PauseObserved tells a decky whether its row may be written.
type PauseObserved struct {
	Paused bool
	Why    string // by whom and for what
}

// PausesChanged tells the fleet all that is paused now.
type PausesChanged struct{ Pauses []Pause }

// PauseHost is the target of a Pause that means every decky of the host.
const PauseHost = "*"

// SourceSeen is the last look at one source.
type SourceSeen struct {
	Source Source
	Known  bool      // false: it is down, and nothing it said before counts
	Stamp  Stamp     // of its last message
	Whole  time.Time // when its last complete look began
}

// Tapped is one message that an actor handled while somebody looked.
type Tapped struct {
	Seq           int64   `json:"seq"` // of the tap, from 1
	At            Moment  `json:"at"`
	Actor         string  `json:"actor"`
	Dir           string  `json:"dir"`            // in: told; ask: somebody waits for an answer
	Peer          string  `json:"peer,omitempty"` // who sent it, where it is known
	Type          string  `json:"type"`
	Size          int     `json:"size"` // bytes, as far as it was looked at
	WaitedSeconds float64 `json:"waited_seconds"`
	TookSeconds   float64 `json:"took_seconds"`
	Result        string  `json:"result"`  // ok, crashed
	Summary       string  `json:"summary"` // the head of its contents, secrets masked
}
