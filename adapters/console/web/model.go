package web

import (
	"context"
	"errors"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Model is what the pages show and what their buttons do. The context carries who asks: a Model refuses what that person
// may not see or do. Its errors are *Problem, or wrap ErrNotOffered where the daemon does not know the question.
type Model interface {
	Who(ctx context.Context) (Who, error)
	Status(ctx context.Context) (messages.Status, error)
	Deckies(ctx context.Context, filter string) ([]messages.DeckyStatus, error)
	Inspect(ctx context.Context, id string) (messages.Inspection, error) // id is {host}:{name}
	Events(ctx context.Context, q EventQuery) (EventPage, error)
	Actors(ctx context.Context, filter string) ([]messages.ActorStatus, error)
	Crashes(ctx context.Context, actor string) ([]messages.CrashRecord, error) // "" for all
	Crash(ctx context.Context, id string) (messages.CrashRecord, error)
	DeadLetters(ctx context.Context, group string) (DeadLetters, error) // group: "", target, type, why
	Audit(ctx context.Context, filter string) ([]messages.AuditEntry, error)
	Process
	Controls
	Cluster
}

// Process is what is known of the process as a whole.
type Process interface {
	Runtime(ctx context.Context) (Runtime, error)
	Handlers(ctx context.Context) ([]HandlerTime, error)
	Goroutines(ctx context.Context) ([]Goroutines, error)
	Settings(ctx context.Context) ([]Setting, error)
	Logs(ctx context.Context, actor string) ([]LogLine, error) // oldest first; "" for all
}

// Controls change something. Each is on record with who asked and why.
type Controls interface {
	Act(ctx context.Context, o Order) ([]messages.ActionResult, error)
	Reconcile(ctx context.Context, dryRun bool) (messages.PassReport, error)
	Approve(ctx context.Context, hash, reason string, dryRun bool) ([]string, error) // the names of the set
	// Tap hands over messages as actors handle them until the count or the time is over, and says how many it lost. The
	// first it hands over is the zero Tapped: the tap is open.
	Tap(ctx context.Context, t TapWanted, each func(Tapped) error) (dropped int64, err error)
}

// ErrNotOffered means that the daemon has no such part of the API. It may be older than these pages.
var ErrNotOffered = errors.New("web: this daemon does not offer that")

// Problem is a question or an order that was refused.
type Problem struct {
	Status int    `json:"status"` // of HTTP
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

// Error gives the detail.
func (p *Problem) Error() string { return p.Detail }

// Who is who looks at a page.
type Who struct {
	UID  int64  `json:"uid"` // -1: not known
	User string `json:"user"`
	Role string `json:"role"` // admin, operator, read-only; "": the daemon knows no roles, and every user of the socket may act
}

// May says whether a role includes what another one may.
func (w Who) May(role string) bool {
	rank := map[string]int{"read-only": 1, "operator": 2, "admin": 3}
	return w.Role == "" || rank[w.Role] >= rank[role]
}

// Name is the user, or the number where there is no name.
func (w Who) Name() string {
	switch {
	case w.User != "":
		return w.User
	case w.UID >= 0:
		return "uid " + itoa(w.UID)
	}
	return "you"
}

// EventQuery selects events. The zero value is the newest 256.
type EventQuery struct {
	Since     int64 // events after this seq; 0 or less: the newest
	Limit     int
	Type      string
	Target    string // a pattern
	NotBefore time.Time
	Names     map[string]bool // of deckies; nil: all. A daemon that is asked over the API gives all
}

// EventPage is events, oldest first.
type EventPage struct {
	Items []messages.Event `json:"items"`
	Seq   int64            `json:"seq"` // of the newest event there is
	Gap   bool             `json:"gap"`
}

// DeadLetters are messages nobody took, newest first.
type DeadLetters struct {
	Items []messages.DeadLetter `json:"items"`
	Total int64                 `json:"total"` // since the start; more than the items have where some were forgotten
}

// Order is one control verb for some targets.
type Order struct {
	Verb    string
	Targets []string // names of deckies, kind/id of actors; "*" is the host
	Actors  bool
	Reason  string
	DryRun  bool
	Key     string // the same order sent twice is carried out once
}

// TapWanted is a look at what actors handle. Zeros mean the bounds of the daemon.
type TapWanted struct {
	Actor   string  `json:"actor"` // kind/id, or a pattern
	Match   string  `json:"match,omitempty"`
	Count   int64   `json:"count,omitempty"`
	Seconds float64 `json:"for_seconds,omitempty"`
}

// Tapped is one message that an actor handled.
type Tapped struct {
	Seq           int64           `json:"seq"`
	At            messages.Moment `json:"at"`
	Actor         string          `json:"actor"`
	Dir           string          `json:"dir"`
	Peer          string          `json:"peer"`
	Type          string          `json:"type"`
	Size          int             `json:"size"`
	WaitedSeconds float64         `json:"waited_seconds"`
	TookSeconds   float64         `json:"took_seconds"`
	Result        string          `json:"result"`
	Summary       string          `json:"summary"`
}

// Runtime is the process as its runtime counts it. Zeros are not known.
type Runtime struct {
	GoVersion       string  `json:"go_version"`
	Processors      int     `json:"processors"`
	Goroutines      uint64  `json:"goroutines"`
	HeapBytes       uint64  `json:"heap_bytes"`
	HeapGoalBytes   uint64  `json:"heap_goal_bytes"`
	MemoryBytes     uint64  `json:"memory_bytes"`
	RSSBytes        uint64  `json:"rss_bytes"`
	GCCycles        uint64  `json:"gc_cycles"`
	GCCPUSeconds    float64 `json:"gc_cpu_seconds"`
	CPUSeconds      float64 `json:"cpu_seconds"`
	PauseP99Seconds float64 `json:"gc_pause_p99_seconds"`
	SchedP99Seconds float64 `json:"sched_p99_seconds"`
}

// HandlerTime is how long handlers of one kind of actor take for one type of message.
type HandlerTime struct {
	Kind       string  `json:"kind"`
	Type       string  `json:"type"`
	Count      int64   `json:"count"`
	P50Seconds float64 `json:"p50_seconds"`
	P99Seconds float64 `json:"p99_seconds"`
}

// Goroutines stand at the same place.
type Goroutines struct {
	Actor string `json:"actor"`
	Name  string `json:"name"`
	Count int    `json:"count"`
	Top   string `json:"top"`
	Stack string `json:"stack"`
}

// Setting is one setting in force, secrets masked.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// LogLine is one line of the daemon's log.
type LogLine struct {
	Seq   int64           `json:"seq"`
	At    messages.Moment `json:"at"`
	Level string          `json:"level"`
	Actor string          `json:"actor"`
	Line  string          `json:"line"` // as JSON
}
