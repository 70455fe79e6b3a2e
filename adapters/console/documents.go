package console

import (
	"github.com/decnet/decnet-fleetd/messages"
)

// WhoReply answers GET /v1/whoami.
type WhoReply struct {
	Envelope
	UID  int64  `json:"uid"`
	User string `json:"user,omitempty"`
	Role string `json:"role"`
}

// ActorList answers GET /v1/actors.
type ActorList struct {
	Envelope
	Items   []messages.ActorStatus `json:"items"`
	Seq     int64                  `json:"seq"`
	Sampled bool                   `json:"sampled"` // rates and handler times are known
}

// ActorReply answers GET /v1/actors/{pid}.
type ActorReply struct {
	Envelope
	Actor   messages.ActorStatus   `json:"actor"`
	Crashes []messages.CrashRecord `json:"crashes"` // newest first
}

// HandlerList answers GET /v1/handlers.
type HandlerList struct {
	Envelope
	Items []messages.HandlerTime `json:"items"`
	Seq   int64                  `json:"seq"`
}

// CrashList answers GET /v1/crashes.
type CrashList struct {
	Envelope
	Items []messages.CrashRecord `json:"items"`
	Seq   int64                  `json:"seq"`
}

// CrashReply answers GET /v1/crashes/{id}.
type CrashReply struct {
	Envelope
	messages.CrashRecord
}

// DeadLetterList answers GET /v1/deadletters.
type DeadLetterList struct {
	Envelope
	Items []messages.DeadLetter `json:"items"`
	Seq   int64                 `json:"seq"`
	Total int64                 `json:"total"` // since the start, those of forgotten groups too
}

// PauseList answers GET /v1/pauses.
type PauseList struct {
	Envelope
	Items []messages.Pause `json:"items"`
	Seq   int64            `json:"seq"`
}

// AuditList answers GET /v1/audit.
type AuditList struct {
	Envelope
	Items []messages.AuditEntry `json:"items"`
	Seq   int64                 `json:"seq"`
}

// ConfigList answers GET /v1/config.
type ConfigList struct {
	Envelope
	Items []messages.Setting `json:"items"`
}

// InspectionReply answers GET /v1/deckies/{id}/inspect.
type InspectionReply struct {
	Envelope
	messages.Inspection
}

// DecisionList answers GET /v1/deckies/{id}/decisions.
type DecisionList struct {
	Envelope
	Items []messages.Decision `json:"items"`
	Seq   int64               `json:"seq"`
}

// MessageList answers GET /v1/deckies/{id}/messages.
type MessageList struct {
	Envelope
	Items []messages.HandledMessage `json:"items"` // newest first
	Seq   int64                     `json:"seq"`
}

// ActionRequest is the body of an action. Targets and Filter are for /v1/actions/{verb} only.
type ActionRequest struct {
	DryRun  bool     `json:"dry_run,omitempty"`
	Reason  string   `json:"reason,omitempty"`
	Wait    Wait     `json:"wait,omitempty"`    // true, seconds, or "30s": until it is done, at most 60 s
	Targets []string `json:"targets,omitempty"` // names of deckies, kind/id of actors; "*" is the host
	Filter  string   `json:"filter,omitempty"`  // instead of targets
	Actors  bool     `json:"actors,omitempty"`  // targets or filter are about actors
}

// ActionReply answers an action: one item for each target.
type ActionReply struct {
	Envelope
	Verb   string                  `json:"verb"`
	DryRun bool                    `json:"dry_run"`
	Items  []messages.ActionResult `json:"items"`
}

// TapRequest is the body of POST /v1/taps.
type TapRequest struct {
	Actor   string  `json:"actor"`                 // kind/id, or a pattern of it
	Match   string  `json:"match,omitempty"`       // a filter on type, actor, result, size, took_seconds, summary
	Count   int64   `json:"count,omitempty"`       // it ends after so many messages; 0 means 100, at most 10,000
	Seconds float64 `json:"for_seconds,omitempty"` // it ends after so long; 0 means 60, at most 600
}

// TapReply is one tap.
type TapReply struct {
	Envelope
	TapStatus
}

// TapList answers GET /v1/taps.
type TapList struct {
	Envelope
	Items []TapStatus `json:"items"`
}

// TapStatus is an open tap.
type TapStatus struct {
	ID      string          `json:"id"`
	Actor   string          `json:"actor"`
	Match   string          `json:"match,omitempty"`
	Count   int64           `json:"count"`
	Seconds float64         `json:"for_seconds"`
	By      string          `json:"by"`
	Since   messages.Moment `json:"since"`
	Seen    int64           `json:"seen"`
	Dropped int64           `json:"dropped"`
}

// LogLine is one line of the log.
type LogLine struct {
	Seq   int64           `json:"seq"`
	At    messages.Moment `json:"at"`
	Level string          `json:"level"`
	Actor string          `json:"actor,omitempty"`
	Line  string          `json:"line"` // the whole line as JSON, cut where it is long
}

// LogList answers GET /v1/logs.
type LogList struct {
	Envelope
	Items   []LogLine `json:"items"` // oldest first
	Seq     int64     `json:"seq"`   // of the newest line there is
	Dropped int64     `json:"dropped"`
}

// GoroutineGroup is goroutines that stand at the same place.
type GoroutineGroup struct {
	Actor string `json:"actor"` // "" where none is known
	Name  string `json:"name,omitempty"`
	Count int    `json:"count"`
	Top   string `json:"top"` // the function they are in
	Stack string `json:"stack"`
}

// GoroutineList answers GET /v1/debug/goroutines.
type GoroutineList struct {
	Envelope
	Items []GoroutineGroup `json:"items"`
	Total int              `json:"total"`
}

// RuntimeReply answers GET /v1/runtime.
type RuntimeReply struct {
	Envelope
	GoVersion        string  `json:"go_version"`
	Processors       int     `json:"processors"`
	Goroutines       uint64  `json:"goroutines"`
	HeapBytes        uint64  `json:"heap_bytes"`      // live and dead objects
	HeapGoalBytes    uint64  `json:"heap_goal_bytes"` // where the next collection ends
	MemoryBytes      uint64  `json:"memory_bytes"`    // mapped by the runtime
	RSSBytes         uint64  `json:"rss_bytes"`       // 0: not known
	GCCycles         uint64  `json:"gc_cycles"`
	GCCPUSeconds     float64 `json:"gc_cpu_seconds"`
	CPUSeconds       float64 `json:"cpu_seconds"`           // of user code
	PauseP99Seconds  float64 `json:"gc_pause_p99_seconds"`  // of the life of the process
	SchedP99Seconds  float64 `json:"sched_p99_seconds"`     // how long goroutines waited for a processor
	AllocatedBytes   uint64  `json:"allocated_bytes_total"` // since the start
	AllocatedObjects uint64  `json:"allocated_objects_total"`
}
