package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// standInHub answers for a hub with a worker fw-2 that is up, fw-3 that is stale and fw-9 that is gone.
type standInHub struct {
	standIn
	role string // of the process: hub, worker
}

const standInWorker = "22222222-2222-4222-8222-222222222222"

func (s standInHub) Ask(ctx context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.GetMembers:
		if s.role == "worker" {
			return []messages.Member{{HostUUID: "local", Name: "fw-2", Role: "worker", Status: messages.MemberUp}, {HostUUID: "hub", Name: "master", Role: "hub", Status: messages.MemberUp}}, nil
		}
		return standInMembers(), nil
	case messages.GetOwners:
		return []messages.Owner{{HostUUID: "local", Name: "master", Owner: "4f2a", Token: 3, Beat: longAgo, Ours: true}, {HostUUID: standInWorker, Name: "fw-2", Owner: "77c1", Token: 9, Beat: longAgo}}, nil
	case messages.LeaveCluster:
		if s.role == "worker" {
			return messages.Alive{}, nil
		}
		return nil, messages.ErrNotWorker
	case messages.ForgetHost:
		switch {
		case s.role == "worker":
			return nil, messages.ErrNotHub
		case q.Host == "fw-2":
			return nil, messages.ErrEnrolled
		case q.Host != "fw-9" && q.Host != "99999999-9999-4999-8999-999999999999":
			return nil, messages.ErrNoSuchHost
		}
		return messages.Forgotten{HostUUID: "99999999-9999-4999-8999-999999999999", Deckies: []string{"old-01", "old-02"}, DryRun: q.DryRun}, nil
	}
	return s.standIn.Ask(ctx, question)
}

func standInMembers() []messages.Member {
	soon := messages.Moment{Time: time.Now().Add(12*24*time.Hour + time.Hour)}
	return []messages.Member{
		{HostUUID: standInWorker, Name: "fw-2", Role: "worker", Status: messages.MemberUp, Address: "10.0.0.2:40112", Deckies: 1, Lag: 2, Version: "0.9.0", Skewed: true, Wire: 1, CertExpires: soon,
			LastContact: longAgo, SkewSeconds: -2.5, Health: "degraded", Refused: 3, Dropped: 1},
		{HostUUID: "33333333-3333-4333-8333-333333333333", Name: "fw-3", Role: "worker", Status: messages.MemberStale, Deckies: 4, Version: "1.0.0", CertExpires: longAgo, Why: "a\x1b[31mb"},
		{HostUUID: "99999999-9999-4999-8999-999999999999", Name: "fw-9", Role: "worker", Status: messages.MemberGone, Deckies: 2},
		{HostUUID: "local", Name: "master", Role: "hub", Status: messages.MemberUp, Deckies: 1, Version: "1.0.0", Wire: 1, CertExpires: messages.Moment{Time: time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC)}, Paused: true},
	}
}

// through asks a worker over its own socket: what is tested here is the command line, not who may do what.
func through(socket string) func(context.Context, string, messages.Asker, *http.Request) (*http.Response, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	t := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	return func(ctx context.Context, host string, _ messages.Asker, r *http.Request) (*http.Response, error) {
		if host != standInWorker {
			return nil, console.ErrUnknownMember
		}
		out := r.Clone(ctx)
		out.URL.Scheme, out.URL.Host, out.Host = "http", "localhost", "localhost"
		got, err := t.RoundTrip(out)
		if err != nil && ctx.Err() == nil {
			return nil, errors.Join(console.ErrAway, err)
		}
		return got, err
	}
}

// serveCluster serves hub, its worker fw-2 and that worker's own socket.
func serveCluster(dir string, base func(path, node string, b console.Backend, change func(*console.Config)) error) (map[string]string, error) {
	worker := wellFleet()
	worker.deckies[0].HostUUID, worker.deckies[0].Name, worker.status.HostUUID = standInWorker, "decky-02", standInWorker
	at := map[string]string{"HUB": filepath.Join(dir, "HUB"), "FW2": filepath.Join(dir, "FW2"), "WORKER": filepath.Join(dir, "WORKER")}
	hub := wellFleet()
	for _, x := range []struct {
		name, node string
		backend    console.Backend
		change     func(*console.Config)
	}{
		{"FW2", standInWorker, worker, func(*console.Config) {}},
		{"HUB", "local", standInHub{hub, "hub"}, func(c *console.Config) {
			c.AskMember = through(at["FW2"]) //nolint:bodyclose // who asks closes it
			c.Feed.Append(messages.Event{At: longAgo, Type: "state_changed", Target: "decky-02", From: "running", To: "failed", Topic: "decky." + standInWorker + ":decky-02.state"})
		}},
		{"WORKER", "local", standInHub{wellFleet(), "worker"}, func(*console.Config) {}},
	} {
		if err := base(at[x.name], x.node, x.backend, x.change); err != nil {
			return nil, err
		}
	}
	return at, nil
}

// TestClusterScripts runs sessions with a cluster. HUB is the control socket of its hub, FW2 that of the worker fw-2, WORKER that
// of one that knows of a cluster.
func TestClusterScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/cluster", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			at, err := serveCluster(e.WorkDir, func(path, node string, b console.Backend, change func(*console.Config)) error {
				stop, err := serveConsole(path, node, b, change)
				if err == nil {
					e.Defer(stop)
				}
				return err
			})
			for name, path := range at {
				e.Setenv(name, path)
			}
			solo := wellFleet()
			if err := solo.serve(e, filepath.Join(e.WorkDir, "SOLO")); err != nil {
				return err
			}
			e.Setenv("SOLO", filepath.Join(e.WorkDir, "SOLO"))
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}

func serveConsole(path, node string, b console.Backend, change func(*console.Config)) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg := console.Config{Path: path, Backend: b, Feed: console.NewFeed(0, 100), Now: time.Now, Log: zerolog.Nop(), Node: node}
	standIn{}.furnish(&cfg)
	change(&cfg)
	server, err := console.Listen(ctx, cfg)
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(ctx) // what was served is looked at, not how it ended
	}()
	return sync.OnceFunc(func() { cancel(); <-done }), nil
}

func TestFollowingAnotherHostWaitsForItWhenItGoes(t *testing.T) {
	var stops []func()
	t.Cleanup(func() {
		for _, stop := range stops {
			stop()
		}
	})
	at, err := serveCluster(t.TempDir(), func(path, node string, b console.Backend, change func(*console.Config)) error {
		stop, err := serveConsole(path, node, b, func(c *console.Config) {
			change(c)
			c.Feed.Append(messages.Event{At: longAgo, Type: "inserted", Target: "of " + node})
		})
		if err == nil {
			stops = append(stops, stop)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, e lockedBuffer
	ctx, end := context.WithCancel(context.Background())
	defer end()
	a := &app{in: strings.NewReader(""), out: &out, err: &e, given: map[string]string{}}
	code := make(chan int, 1)
	go func() {
		code <- a.run(ctx, []string{"events", "--follow", "--since", "0", "--node", "fw-2", "--control-socket", at["HUB"]})
	}()
	says := func(b *lockedBuffer, what string) {
		t.Helper()
		for began := time.Now(); !strings.Contains(b.String(), what); time.Sleep(time.Millisecond) {
			if time.Since(began) > 20*time.Second {
				t.Fatalf("no %q: %s %s %d", what, out.String(), e.String(), len(code))
			}
		}
	}
	says(&out, "of "+standInWorker)
	stops[0]()
	says(&e, "fw-2 is gone; waiting for it")
	end()
	<-code
}

// lockedBuffer is written by one goroutine and read by another.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestAPersonTypesTheHostThatIsForgotten(t *testing.T) {
	stop := make([]func(), 0, 3)
	t.Cleanup(func() {
		for _, f := range stop {
			f()
		}
	})
	at, err := serveCluster(t.TempDir(), func(path, node string, b console.Backend, change func(*console.Config)) error {
		f, err := serveConsole(path, node, b, change)
		stop = append(stop, f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]int{"y\n": exitRefused, "99999999-9999-4999-8999-999999999999\n": exitOK, "": exitRefused} {
		code, out, said := typed(t, at["HUB"], answer, "cluster", "forget", "fw-9")
		if code != want || !strings.Contains(said, "old-01, old-02") || (code == exitOK) != strings.Contains(out, "deleted") {
			t.Errorf("%q: %d\n%s%s", answer, code, out, said)
		}
	}
	if code, _, said := typed(t, at["HUB"], "n\n", "cluster", "drain", "fw-2"); code != exitRefused || !strings.Contains(said, "drain all of fw-2? [y/N]") {
		t.Errorf("drain: %d %s", code, said)
	}
	if code, out, _ := typed(t, at["HUB"], "y\n", "cluster", "drain", "fw-2"); code != exitOK || !strings.Contains(out, "fw-2") {
		t.Errorf("drain: %d %s", code, out)
	}
}
