package tui

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// What the test harness and the library leave behind when a program has ended: a signal handler, commands in flight.
		goleak.IgnoreAnyFunction("github.com/charmbracelet/x/exp/teatest/v2.NewTestModel.func2"),
		goleak.IgnoreAnyFunction("charm.land/bubbletea/v2.(*Program).execBatchMsg"),
		goleak.IgnoreAnyFunction("charm.land/bubbletea/v2.Tick.func1"))
}

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// fake is a daemon that says what it is told to say.
type fake struct {
	status  messages.Status
	deckies []messages.DeckyStatus
	tables  map[Screen]any
	err     error
	events  chan messages.Event
	acts    []order
	results []messages.ActionResult
	others  map[string]*fake
}

func (f *fake) At(host string) Daemon {
	if o := f.others[host]; o != nil {
		return o
	}
	return &fake{err: errors.New("no such host")}
}

func (f *fake) Status(context.Context) (messages.Status, error)         { return f.status, f.err }
func (f *fake) Deckies(context.Context) ([]messages.DeckyStatus, error) { return f.deckies, f.err }
func (f *fake) Table(_ context.Context, what Screen) (any, error) {
	if f.tables[what] == nil {
		return nil, ErrNotOffered
	}
	return f.tables[what], nil
}

func (f *fake) Inspect(_ context.Context, d messages.DeckyStatus) (messages.Inspection, error) {
	return messages.Inspection{Decky: d, Facts: []messages.FactSeen{{Source: "observed", Presence: "present", AgeSeconds: 2, Epoch: 1, Seq: 7}},
		Decisions: []messages.Decision{{Reason: "containers differ from the row", State: "degraded", Action: "update", Times: 3}}}, f.err
}

func (f *fake) Follow(ctx context.Context, _ int64, on func(messages.Event, bool)) error {
	for {
		select {
		case e := <-f.events:
			on(e, false)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (f *fake) Act(_ context.Context, verb string, targets []string, reason string) ([]messages.ActionResult, error) {
	f.acts = append(f.acts, order{verb: verb, targets: targets, reason: reason})
	return f.results, f.err
}

func decky(name, state string, up int) messages.DeckyStatus {
	return messages.DeckyStatus{HostUUID: "local", Name: name, State: state, Expected: []string{"http", "ssh"}, Up: up, IP: "10.0.0.1",
		Phase: "quiet", ChangedAt: messages.Moment{Time: noon.Add(-time.Minute)}, Cause: "docker:die"}
}

func newFake() *fake {
	return &fake{status: messages.Status{HostUUID: "fw-1", Role: "owner", Deckies: map[string]int{"running": 2, "degraded": 1},
		Components: []messages.ComponentStatus{{Component: "docker", State: "down", Detail: "refused"}}},
		deckies: []messages.DeckyStatus{decky("web-01", "running", 2), decky("web-02", "degraded", 1), decky("db-01", "running", 2)},
		events:  make(chan messages.Event, 16), tables: map[Screen]any{}}
}

// stage is a console that has looked once.
func stage(f *fake) *Model {
	m := New(context.Background(), Config{Daemon: f, Escape: harmless, Now: func() time.Time { return noon }, Plain: true, Filter: language})
	m.Update(gotStatus{it: f.status})
	m.Update(gotDeckies{all: f.deckies})
	return m
}

// press sends keys and runs the commands that follow, but not those that wait.
func press(m *Model, keys ...string) {
	for _, k := range keys {
		_, cmd := m.Update(keyOf(k))
		run(m, cmd)
	}
}

func run(m *Model, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil, tea.QuitMsg:
	case tea.BatchMsg:
		for _, c := range msg {
			run(m, c)
		}
	default:
		m.Update(msg)
	}
}

func keyOf(k string) tea.KeyPressMsg {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "down": tea.KeyDown, "backspace": tea.KeyBackspace}
	if code, is := named[k]; is {
		return tea.KeyPressMsg{Code: code}
	}
	if k == "space" {
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	}
	if letter, is := strings.CutPrefix(k, "ctrl+"); is {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
}

// letters types a line.
func letters(s string) []string { return strings.Split(s, "") }

func has(t *testing.T, m *Model, want ...string) {
	t.Helper()
	frame := m.Frame()
	for _, w := range want {
		if !strings.Contains(frame, w) {
			t.Errorf("the screen has no %q:\n%s", w, frame)
		}
	}
}

func lacks(t *testing.T, m *Model, unwanted ...string) {
	t.Helper()
	frame := m.Frame()
	for _, w := range unwanted {
		if strings.Contains(frame, w) {
			t.Errorf("the screen has %q:\n%s", w, frame)
		}
	}
}

// harmless stands for the program's own escaping.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// language is that of the API, as the program has it.
func language(text string, sample any) (func(item any) bool, error) {
	f, err := console.ParseFilter(text)
	if err == nil {
		err = f.Suits(sample)
	}
	return f.Match, err
}
