package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// ledger is an audit in memory.
type ledger struct {
	mu  sync.Mutex
	all []messages.AuditEntry
}

func (l *ledger) Record(e messages.AuditEntry) (messages.AuditEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq, e.Time, e.UID, e.User = int64(len(l.all)+1), longAgo, 0, "alice"
	l.all = append([]messages.AuditEntry{e}, l.all...)
	return e, nil
}

func (l *ledger) Entries() []messages.AuditEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]messages.AuditEntry(nil), l.all...)
}

// shortTaps show two messages and end.
type shortTaps struct{}

func (shortTaps) Open(want func(string) bool, match func(messages.Tapped) bool, _ int64, _ time.Duration) (console.Tap, error) {
	t := &shortTap{done: make(chan struct{})}
	for _, m := range []messages.Tapped{
		{At: longAgo, Actor: "decky/decky-01", Dir: "in", Type: "messages.RuntimeObserved", Size: 120, TookSeconds: 0.00002, WaitedSeconds: 0.001, Result: "ok", Summary: "x\x1b[31m"},
		{At: longAgo, Actor: "decky/decky-01", Dir: "ask", Type: "messages.PassMark", Size: 8, TookSeconds: 0.5, Result: "crashed", Summary: "y"},
	} {
		if want(m.Actor) && match(m) {
			t.all = append(t.all, m)
		}
	}
	t.stop = sync.OnceFunc(func() { close(t.done) })
	return t, nil
}

type shortTap struct {
	all  []messages.Tapped
	done chan struct{}
	stop func()
}

func (t *shortTap) Next(context.Context) (messages.Tapped, error) {
	if len(t.all) == 0 {
		return messages.Tapped{}, io.EOF
	}
	m := t.all[0]
	t.all = t.all[1:]
	return m, nil
}

func (t *shortTap) Dropped() int64        { return 2 }
func (t *shortTap) Done() <-chan struct{} { return t.done }
func (t *shortTap) Stop()                 { t.stop() }

func (s standIn) furnish(c *console.Config) {
	c.Audit, c.Taps, c.Logs = &ledger{}, shortTaps{}, console.NewLogRing(0, func() time.Time { return longAgo.Time })
	for _, line := range []string{`{"level":"info","actor":"store/store","message":"one"}`, `{"level":"warn","actor":"decky/decky-01","message":"two\u001b[31m` + "\x1b" + `"}`} {
		_, _ = c.Logs.Write([]byte(line)) // it never fails
	}
}

// inspected answers what the console asks beyond status and deckies.
func (s standIn) inspected(question any) (any, bool, error) {
	actor := messages.ActorStatus{PID: "decky/decky-01", Kind: "decky", ID: "decky-01", State: "running", Mailbox: 1, HighWater: 4, OldestSeconds: 0.002, In: 9,
		Done: 8, Restarts: 2, InPerSecond: 3.14, DonePerSecond: 2.5, P99Seconds: 0.009, UpSeconds: 3700}
	crash := messages.CrashRecord{ID: 17, At: longAgo, Actor: "decky/decky-01", Incarnation: 2, Reason: "index out of range [3]", Message: "messages.RuntimeObserved {Known:true}",
		Stack: "goroutine 7 [running]:\nmain.f()\n\t/src/f.go:1", State: "declared present"}
	switch q := question.(type) {
	case messages.GetActors:
		return messages.ActorList{Sampled: true, Items: []messages.ActorStatus{actor,
			{PID: "store/store", Kind: "store", ID: "store", Group: "delivery", State: "running", Stuck: true, InHandlerSeconds: 12, Mailbox: 40}}}, true, nil
	case messages.GetCrashes:
		if q.ID != 0 && q.ID != 17 || q.Actor != "" && q.Actor != crash.Actor {
			return []messages.CrashRecord{}, true, nil
		}
		return []messages.CrashRecord{crash}, true, nil
	case messages.GetDeadLetters:
		return messages.DeadLetterList{Total: 7, Items: []messages.DeadLetter{{At: longAgo, Target: "decky/a", Type: "messages.RowReply", Why: "full", Count: 3},
			{At: longAgo, Target: "decky/b", Type: "messages.RowReply", Why: "full", Count: 4}}}, true, nil
	case messages.GetInspection:
		a, err := s.why(q.Name, actor, crash)
		return a, true, err
	case messages.GetConfig:
		return []messages.Setting{{Key: "database", Value: "mysql://u:***@h/d", Source: "env"}}, true, nil
	case messages.GetHandlerTimes:
		return []messages.HandlerTime{}, true, nil
	case messages.GetPauses:
		return []messages.Pause{}, true, nil
	case messages.Act:
		return acted(q), true, nil
	}
	return nil, false, nil
}

func (s standIn) why(name string, actor messages.ActorStatus, crash messages.CrashRecord) (messages.Inspection, error) {
	if name != "decky-01" {
		return messages.Inspection{}, messages.ErrUnknownTarget
	}
	d := s.deckies[0]
	d.Reason = "converged"
	return messages.Inspection{Decky: d, Actor: actor, Crashes: []messages.CrashRecord{crash}, StaleFor: 12,
		Facts: []messages.FactSeen{{Source: "declared", Presence: "present", SeenAt: longAgo, AgeSeconds: 2, Epoch: 1, Seq: 7, Detail: "services ssh"},
			{Source: "recorded", Presence: "unknown"}},
		Decisions: []messages.Decision{{At: longAgo, Reason: "paused by an operator", State: "failed", Cause: "docker:die", Times: 3,
			Held: &messages.Held{What: "state_changed", Why: "paused by alice: drill"}}},
		Paused: &messages.Pause{Target: "decky-01", By: "alice", Reason: "drill", Since: longAgo}}, nil
}

func acted(q messages.Act) []messages.ActionResult {
	var out []messages.ActionResult
	for _, name := range q.Targets {
		r := messages.ActionResult{Name: name, Before: "running", After: "paused", Result: actDone}
		switch {
		case name == "nobody":
			r = messages.ActionResult{Name: name, Result: actNotFound}
		case name == "slow":
			r.Result, r.Detail = actTimedOut, "ordered, and not done yet"
		case name == "stubborn":
			r.Result, r.Detail = actRefused, "it is not in quarantine"
		case q.DryRun:
			r.Result = actWouldBe
		}
		out = append(out, r)
	}
	return out
}
