package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stage is one host as DECNET sets it up: state file, database, bus, engine, and the daemon under test among them.
type stage struct {
	t       *testing.T
	dir     string
	engine  *engine
	db      *database
	bus     *process
	sub     *subscriber
	daemon  *process
	program string // another build of the product; "" is the one under test
	foreign bool   // others write rows too: an event's previous state need not be the last event's
}

// newStage makes everything but the daemon. The file declares the given deckies; none means there is no file.
func newStage(t *testing.T, e *engine, deckies ...entry) *stage {
	t.Helper()
	return newStageOn(t, &onSQLite, e, deckies...)
}

// newStageOn makes the same on another database engine.
func newStageOn(t *testing.T, d *dbms, e *engine, deckies ...entry) *stage {
	t.Helper()
	fleetd(t) // before anything is started
	s := &stage{t: t, dir: shortDir(t, ""), engine: e, sub: &subscriber{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what was published: %s", s.published())
			return // the next services.sh down takes the directory with its logs
		}
		must(t, os.RemoveAll(s.dir))
	})
	s.db = d.fresh(t, s.dir)
	if len(deckies) > 0 {
		s.declare(deckies...)
	}
	s.startBus(s.path("bus.sock"))
	s.sub.join(t, s.path("bus.sock"))
	return s
}

// play makes a stage, starts the daemon and waits until every declared decky has a running row.
func play(t *testing.T, e *engine, deckies ...entry) *stage {
	t.Helper()
	s := newStage(t, e, deckies...)
	s.start()
	for _, d := range deckies {
		s.reaches(d.Name, "running", soon)
	}
	return s
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

func (s *stage) declare(deckies ...entry) {
	s.t.Helper()
	writeState(s.t, s.path("decnet-state.json"), deckies...)
}

// flags are the daemon's; nothing of the machine's own DECNET is found through them.
func (s *stage) flags() []string {
	return []string{
		"--install-dir", s.dir, "--state-file", s.path("decnet-state.json"), "--database", s.db.url(),
		"--docker-host", s.engine.host, "--bus-socket", s.path("bus.sock"), "--state-dir", s.path("state"),
		"--control-socket", s.path("control.sock"), "--log-format", "json",
	}
}

// start starts the daemon; it ends with the test, and must end well.
func (s *stage) start(more ...string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(s.path("state"), 0o700))
	before := s.starts()
	p := startProgram(s.t, s.path("daemon.log"), s.binary(), append(append([]string{"serve"}, s.flags()...), more...)...)
	s.daemon = p
	eventually(s.t, soon, func() error { // before that a TERM would find no handler
		return unless(s.starts() > before || !p.alive(), "the daemon does not say that it has started")
	})
}

// binary is the program that this host has installed.
func (s *stage) binary() string {
	if s.program != "" {
		return s.program
	}
	return fleetd(s.t)
}

// starts counts how often a daemon of this stage has said that it started.
func (s *stage) starts() int {
	log, err := os.ReadFile(s.path("daemon.log"))
	if err != nil {
		return 0
	}
	return strings.Count(string(log), "decnet-fleetd started")
}

// startDaemon runs the binary under test.
func startDaemon(t *testing.T, log string, args ...string) *process {
	t.Helper()
	return startProgram(t, log, fleetd(t), args...)
}

// startProgram runs a program that becomes the product. At the end of the test it gets TERM and must exit with 0, with no panic
// and no data race in its log.
func startProgram(t *testing.T, log, program string, args ...string) *process {
	t.Helper()
	p := launch(t, log, program, args...)
	t.Cleanup(func() {
		if p.alive() {
			p.end(t)
			if code := p.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("TERM: exit code %d, not 0", code)
			}
		}
		p.scars(t)
		if t.Failed() {
			t.Logf("the end of %s:\n%s", log, p.tail())
		}
	})
	return p
}

// startBus starts a broker on that socket.
func (s *stage) startBus(socket string) {
	s.t.Helper()
	p := launch(s.t, s.path("bus.log"), fleetd(s.t), "bus", "--bus-socket", socket)
	s.t.Cleanup(func() { p.end(s.t); p.scars(s.t) })
	s.bus = p
	eventually(s.t, prompt, func() error {
		if !p.alive() {
			s.t.Fatalf("the bus ended\n%s", p.tail())
		}
		info, err := os.Stat(socket)
		return errors.Join(err, unless(err != nil || info.Mode().Type() == os.ModeSocket, "%s is no socket", socket))
	})
}

// kill9 kills the daemon; its lease and its flock go with it, or are its successor's problem.
func (s *stage) kill9() {
	s.t.Helper()
	s.daemon.kill9(s.t)
}

// reaches waits until row and last event of a decky agree on a state.
func (s *stage) reaches(name, state string, within time.Duration) {
	s.t.Helper()
	eventually(s.t, within, func() error {
		if s.daemon != nil && !s.daemon.alive() {
			s.t.Fatalf("the daemon ended\n%s", s.daemon.tail())
		}
		if err := s.db.state(s.t, name, state); err != nil {
			return err
		}
		last := s.sub.last(s.t, name).payload
		return unless(last.State == state && last.Transition != "deleted", "last event of %s: %q %q, not %q",
			name, last.Transition, last.State, state)
	})
}

// vanishes waits until the row is gone and its deletion announced.
func (s *stage) vanishes(name string, within time.Duration) {
	s.t.Helper()
	eventually(s.t, within, func() error {
		last := s.sub.last(s.t, name).payload
		return errors.Join(s.db.state(s.t, name, ""), unless(last.Transition == "deleted" && last.State == "torn_down",
			"last event of %s: %q %q", name, last.Transition, last.State))
	})
}

// quiet fails if a decky's row or story changes within the time.
func (s *stage) quiet(name string, during time.Duration) {
	s.t.Helper()
	before, _ := s.db.row(s.t, name)
	told := s.sub.story(s.t, name)
	throughout(s.t, during, func() error {
		now, _ := s.db.row(s.t, name)
		story := s.sub.story(s.t, name)
		return errors.Join(unless(now == before, "row of %s changed from %v to %v", name, before, now),
			unless(slices.Equal(story, told), "%s: %v, before %v", name, story, told))
	})
}

// consistent checks what must hold of every story at any time of rest: revisions without a gap, each state following
// the one before, the last event equal to the row.
func (s *stage) consistent(names ...string) {
	s.t.Helper()
	for _, name := range names {
		must(s.t, s.follows(name))
		last := s.sub.last(s.t, name).payload
		if r, there := s.db.row(s.t, name); there && r.State != last.State {
			s.t.Errorf("%s: the row shows %q, the last event %q", name, r.State, last.State)
		}
	}
}

func (s *stage) follows(name string) error {
	s.t.Helper()
	var before payload
	for i, e := range s.sub.states(s.t, name) {
		p := e.payload
		if err := wellFormed(e); err != nil {
			return err
		}
		if i > 0 && p.Rev != before.Rev+1 {
			return fmt.Errorf("%s: revision %d after %d\n%s", name, p.Rev, before.Rev, s.published())
		}
		if i > 0 && p.Transition == "state_changed" && !s.foreign && *p.PreviousState != before.State {
			return fmt.Errorf("%s: from %q, but the event before said %q", name, *p.PreviousState, before.State)
		}
		before = p
	}
	return nil
}

// wellFormed checks one event against the contract with DECNET's consumers.
func wellFormed(e event) error {
	p := e.payload
	return errors.Join(
		unless(e.topic == "decky."+p.HostUUID+":"+p.Name+".state", "topic %q of %s", e.topic, e.raw),
		unless(p.Source == "fleet", "source of %s", e.raw),
		unless((p.Transition == "state_changed") == (p.PreviousState != nil), "previous_state of %s", e.raw),
		unless(p.PreviousState == nil || *p.PreviousState != p.State, "no change: %s", e.raw),
		unless(len(p.EventID) == 32, "event_id of %s", e.raw),
	)
}

// published is everything the subscriber heard of deckies, for failures.
func (s *stage) published() string {
	text := ""
	for _, e := range s.sub.all(s.t) {
		if e.kind == "state" {
			text += "\n" + e.at.Format("15:04:05.000") + " " + string(e.raw)
		}
	}
	return text
}

// command runs another verb of the binary to its end and gives stdout and the exit code.
func (s *stage) command(verb ...string) (string, int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), soon)
	defer cancel()
	return output(ctx, s.t, fleetd(s.t), append(verb, s.flags()...)...)
}

// terminate sends TERM and gives how long the daemon took to exit with 0.
func (s *stage) terminate() time.Duration {
	s.t.Helper()
	began := time.Now()
	s.daemon.signal(s.t, syscall.SIGTERM)
	if code := s.daemon.exit(s.t, soon); code != 0 {
		s.t.Fatalf("TERM: exit code %d\n%s", code, s.daemon.tail())
	}
	return time.Since(began)
}
