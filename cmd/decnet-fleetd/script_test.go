package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"decnet-fleetd": main})
}

// TestScripts runs sessions at the command line. FLEET is the control socket of a daemon with a small fleet, SICK that of
// one that is not well.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // with -race every process would wait a second before it ends
			for name, b := range map[string]standIn{"FLEET": wellFleet(), "SICK": sickFleet()} {
				path := filepath.Join(e.WorkDir, name)
				if err := b.serve(e, path); err != nil {
					return err
				}
				e.Setenv(name, path)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

// exits N command...: like exec, and the exit code has to be N.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits N command")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = err.Error()
	}
	if want := "exit status " + args[0]; code != want && (args[0] != "0" || err != nil) {
		ts.Fatalf("%v: %s, want %s", args[1:], code, want)
	}
}

// standIn answers for a daemon.
type standIn struct {
	status  messages.Status
	deckies []messages.DeckyStatus
	events  []messages.Event
}

func (s standIn) Ask(_ context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.GetStatus:
		return s.status, nil
	case messages.GetDeckies:
		return s.deckies, nil
	case messages.ApproveDeletes:
		return s.approve(q), nil
	case messages.ReloadSettings:
		return s.reload(), nil
	}
	if a, known, err := s.inspected(question); known {
		return a, err
	}
	return messages.PassReport{Inserted: 2}, nil
}

func (s standIn) serve(e *testscript.Env, path string) error {
	feed := console.NewFeed(0, 100)
	for _, ev := range s.events {
		feed.Append(ev)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cfg := console.Config{Path: path, Backend: s, Feed: feed, Now: time.Now, Log: zerolog.Nop(), Node: "local"}
	s.furnish(&cfg)
	server, err := console.Listen(ctx, cfg)
	if err != nil {
		cancel()
		return err
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	e.Defer(func() {
		cancel()
		if err := <-done; err != nil {
			_, _ = os.Stderr.WriteString(err.Error())
		}
	})
	return nil
}

var longAgo = messages.Moment{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

func wellFleet() standIn {
	return standIn{
		status: messages.Status{
			HostUUID: "local", Version: version, Role: "owner", PID: 42, UptimeSeconds: 3700, Deckies: map[string]int{"running": 1},
			Components: []messages.ComponentStatus{{Component: "docker", State: "ok", Since: longAgo, LatencySeconds: 0.0031}},
		},
		deckies: []messages.DeckyStatus{{
			HostUUID: "local", Name: "decky-01", State: "running", Expected: []string{"ssh"}, Up: 1, IP: "10.0.0.1", Phase: "quiet",
			ChangedAt: longAgo, Rev: 7, Cause: "die",
		}},
		events: []messages.Event{
			{At: longAgo, Type: "inserted", Target: "decky-01", To: "running", Cause: "file"},
			{At: messages.Moment{Time: time.Now()}, Type: "state_changed", Target: "decky-01", From: "running", To: "failed", Cause: "die"},
		},
	}
}

var heldNames = []string{"decky-02", "decky-03", "decky-04", "decky-05"}

func (s standIn) approve(q messages.ApproveDeletes) messages.ApproveReply {
	if len(s.status.Held) == 0 {
		return messages.ApproveReply{}
	}
	return messages.ApproveReply{Held: true, Names: heldNames, Hash: "abc123", Accepted: q.Hash == "abc123", NeedReads: 3, ReleaseAt: longAgo}
}

// reload: the daemon of a sick fleet does not accept what it reads.
func (s standIn) reload() messages.ReloadReport {
	if len(s.status.Held) > 0 {
		return messages.ReloadReport{Rejected: []messages.Fault{{Where: "interval (env FLEETD_INTERVAL)", What: "is never", Remedy: "take it out"}}}
	}
	return messages.ReloadReport{Changed: []messages.SettingChange{{Key: "log-level", From: "info", To: "debug"}},
		Restart: []messages.SettingChange{{Key: "host-uuid", From: "local", To: "h2"}}}
}

// sickFleet also has names that attack a terminal.
func sickFleet() standIn {
	s := wellFleet()
	s.status.Version = "0.0.1"
	s.status.Components[0].State = "down"
	for _, n := range heldNames {
		s.status.Held = append(s.status.Held, messages.DeckyHeld{Name: n, Held: messages.Held{What: "delete", Why: "containers are still there", Hash: "abc123"}})
	}
	s.status.Held = append(s.status.Held, messages.DeckyHeld{Name: "decky-06", Held: messages.Held{What: "state_changed", Why: "a deploy of DECNET is in progress", Until: longAgo}})
	s.deckies[0].Name = "a\x1b[31mb\u202ec\u009bd"
	return s
}
