package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// listener is a service manager that writes down what it hears, and when.
type listener struct {
	mu    sync.Mutex
	began time.Time
	words []string
	deaf  error
}

func (l *listener) hear(word string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.deaf == nil {
		l.words = append(l.words, time.Since(l.began).String()+" "+word)
	}
	return l.deaf
}

func (l *listener) Ready(s string) error  { return l.hear("READY " + s) }
func (l *listener) Status(s string) error { return l.hear("STATUS " + s) }
func (l *listener) Watchdog() error       { return l.hear("WATCHDOG") }

// count is how many words begin so.
func (l *listener) count(word string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(l.words), func(w string) bool { return !strings.Contains(w, " "+word) }))
}

func (l *listener) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.words) == 0 {
		return ""
	}
	return l.words[len(l.words)-1]
}

// answers is an actor; a nil answer is none at all.
type answers struct {
	mu sync.Mutex
	a  any
}

func (x *answers) set(a any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.a = a
}

func (x *answers) Ask(ctx context.Context, _ any) (any, error) {
	x.mu.Lock()
	a := x.a
	x.mu.Unlock()
	if a == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return a, nil
}

// scene is a herald with everything it talks to.
type scene struct {
	manager     *listener
	view, store *answers
	root        *answers
	sys         *supervise.System
	mute        atomic.Bool // the reader of events does nothing
	done        atomic.Int64
}

// read is a reader that does something between any two looks, unless it is mute.
func (s *scene) read() int64 {
	if s.mute.Load() {
		return s.done.Load()
	}
	return s.done.Add(1)
}

func herd(t *testing.T, feed time.Duration, story func(s *scene)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &scene{manager: &listener{began: time.Now()}, view: &answers{a: messages.Status{Role: "starting"}}, store: &answers{a: messages.StatementAge{Deadline: 10 * time.Second}}, root: &answers{a: true}}
		sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: func() float64 { return 0.5 }, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		s.sys = sys
		ping := func(ctx context.Context) error {
			_, err := s.root.Ask(ctx, nil)
			return err
		}
		sys.Spawn(supervise.Spec{Kind: "herald", ID: "systemd", New: func() supervise.Receiver {
			return &herald{to: s.manager, ping: ping, view: s.view, store: s.store, feed: feed, reads: s.read}
		}})
		story(s)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

// pass lets time pass and everything settle.
func pass(d time.Duration) {
	time.Sleep(d) // of the bubble: nobody waits
	synctest.Wait()
}

func owner(deckies int) messages.Status {
	return messages.Status{Role: "owner", Deckies: map[string]int{"running": deckies}, Components: []messages.ComponentStatus{
		{Component: "bus", State: "ok"}, {Component: "database", State: "ok"}, {Component: "docker", State: "ok"}}}
}

func TestReadyIsSaidOnceAndOnlyAfterTheFirstPass(t *testing.T) {
	herd(t, 0, func(s *scene) {
		pass(5 * time.Second)
		if s.manager.count("READY") != 0 {
			t.Fatalf("ready while starting: %v", s.manager.words)
		}
		s.view.set(owner(2))
		pass(2 * lookStarting)
		if got := s.manager.last(); !strings.HasSuffix(got, " READY 2 deckies; docker ok, database ok, bus ok") {
			t.Fatalf("heard %q", got)
		}
		s.view.set(messages.Status{Role: "starting"})
		pass(time.Minute)
		s.view.set(owner(3))
		pass(time.Minute)
		if n := s.manager.count("READY"); n != 1 {
			t.Errorf("ready %d times: %v", n, s.manager.words)
		}
	})
}

func TestTheStatusIsToldOnChangeAndOnceASecondAtMost(t *testing.T) {
	herd(t, 0, func(s *scene) {
		for n := range 100 {
			s.view.set(owner(n))
			pass(100 * time.Millisecond)
		}
		if n := s.manager.count("STATUS"); n < 8 || n > 10 {
			t.Errorf("%d lines in ten seconds of changes", n)
		}
		pass(2 * time.Second)
		if got := s.manager.last(); !strings.HasSuffix(got, "STATUS 99 deckies; docker ok, database ok, bus ok") {
			t.Errorf("the last change was not told: %q", got)
		}
		before := s.manager.count("STATUS")
		pass(time.Hour)
		if n := s.manager.count("STATUS"); n != before {
			t.Errorf("%d lines without a change", n-before)
		}
		if n := s.manager.count("WATCHDOG"); n != 0 {
			t.Errorf("fed %d times although nobody watches", n)
		}
	})
}

func TestTheStartIsNotToldFasterEither(t *testing.T) {
	herd(t, 0, func(s *scene) {
		for n := range 50 {
			s.view.set(messages.Status{Role: "starting", Deckies: map[string]int{"running": n}})
			pass(100 * time.Millisecond)
		}
		if n := s.manager.count("STATUS"); n < 4 || n > 6 {
			t.Errorf("%d lines in five seconds: %v", n, s.manager.words)
		}
	})
}

func TestTheWatchdogIsFedOnlyIfAllAnswer(t *testing.T) {
	for claim, silence := range map[string]func(s *scene){
		"the root supervisor is silent": func(s *scene) { s.root.set(nil) },
		"the view is silent":            func(s *scene) { s.view.set(nil) },
		"the store is silent":           func(s *scene) { s.store.set(nil) },
		"the store answers nonsense":    func(s *scene) { s.store.set("?") },
		"a statement hangs":             func(s *scene) { s.store.set(messages.StatementAge{Age: 31 * time.Second, Deadline: 10 * time.Second}) },
	} {
		t.Run(claim, func(t *testing.T) {
			herd(t, 10*time.Second, func(s *scene) {
				pass(65 * time.Second)
				if n := s.manager.count("WATCHDOG"); n != 7 {
					t.Fatalf("fed %d times in 65 s", n)
				}
				silence(s)
				pass(time.Minute)
				if n := s.manager.count("WATCHDOG"); n != 7 {
					t.Errorf("fed %d times in spite of it", n-7)
				}
				s.root.set(true)
				s.view.set(owner(1))
				s.store.set(messages.StatementAge{Age: 29 * time.Second, Deadline: 10 * time.Second}) // waiting for a lock is no fault
				pass(21 * time.Second)
				if n := s.manager.count("WATCHDOG"); n < 8 {
					t.Error("not fed again")
				}
			})
		})
	}
}

func TestTheWatchdogIsNotFedForADeadReaderOfEvents(t *testing.T) {
	herd(t, 10*time.Second, func(s *scene) {
		pass(65 * time.Second)
		s.mute.Store(true)
		pass(time.Minute)
		if n := s.manager.count("WATCHDOG"); n < 13 {
			t.Fatalf("fed %d times: a reader may be silent for a minute", n)
		}
		pass(10 * time.Second)
		before := s.manager.count("WATCHDOG")
		pass(time.Minute)
		if n := s.manager.count("WATCHDOG"); n != before {
			t.Errorf("fed %d times although the reader is dead", n-before)
		}
		s.mute.Store(false)
		pass(21 * time.Second)
		if n := s.manager.count("WATCHDOG"); n <= before {
			t.Error("not fed again")
		}
	})
}

func TestAManagerThatWasDeafIsToldAgain(t *testing.T) {
	herd(t, 0, func(s *scene) {
		s.manager.deaf = errors.New("connection refused")
		s.view.set(owner(1))
		pass(10 * time.Second)
		s.manager.mu.Lock()
		s.manager.deaf = nil
		s.manager.mu.Unlock()
		pass(time.Second)
		if n := s.manager.count("READY"); n != 1 {
			t.Errorf("ready %d times", n)
		}
	})
}

func TestWhatReadyMeans(t *testing.T) {
	with := func(role, component, state string) messages.Status {
		return messages.Status{Role: role, Components: []messages.ComponentStatus{{Component: component, State: state}}}
	}
	for claim, c := range map[string]struct {
		status messages.Status
		want   bool
	}{
		"the owner whose pass is over":                      {with("owner", "docker", "ok"), true},
		"the owner without Docker":                          {with("owner", "docker", "down"), true},
		"a standby":                                         {with("standby", "docker", "ok"), true},
		"a pass has not been made":                          {with("starting", "docker", "ok"), false},
		"Docker is down and the others have not been asked": {with("starting", "docker", "down"), false},
		"the database cannot be read":                       {with("starting", "database", "down"), true},
		"the database cannot be written":                    {with("starting", "store", "degraded"), true},
		"nothing is known":                                  {messages.Status{}, false},
	} {
		if got := isReady(c.status); got != c.want {
			t.Errorf("%s: %v", claim, got)
		}
	}
}

func TestTheLineOfStatus(t *testing.T) {
	held := owner(0)
	held.Deckies = map[string]int{"running": 40, "failed": 2}
	held.Held = []messages.DeckyHeld{{Name: "d1"}}
	down := owner(1)
	down.Components[2].State = "down"
	down.Components = append(down.Components, messages.ComponentStatus{Component: "file", State: "degraded"},
		messages.ComponentStatus{Component: "lease", State: "ok"})
	for want, s := range map[string]messages.Status{
		"42 deckies, 1 held; docker ok, database ok, bus ok":           held,
		"1 decky; docker down, database ok, bus ok, file degraded":     down,
		"starting: 0 deckies; docker unknown, database down, bus off":  {Role: "starting", Components: []messages.ComponentStatus{{Component: "database", State: "down"}}},
		"standby: 0 deckies; docker unknown, database unknown, bus ok": {Role: "standby", Components: []messages.ComponentStatus{{Component: "bus", State: "ok"}}},
	} {
		if got := unitStatus(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
