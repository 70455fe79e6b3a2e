package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestEveryScreenFitsItsTerminal(t *testing.T) {
	f := newFake()
	f.tables = map[Screen]any{
		Actors:      []messages.ActorStatus{{PID: "decky/web-01", Kind: "decky", ID: "web-01", State: "running", Mailbox: 3}},
		Crashes:     []messages.CrashRecord{{ID: 4, Actor: "decky/web-01", Reason: strings.Repeat("long ", 100)}},
		DeadLetters: []messages.DeadLetter{{Target: "decky/web-01", Type: "messages.RowReply", Why: "full", Count: 2}},
		Audit:       []messages.AuditEntry{{Seq: 1, Verb: "restart", Target: "web-01", Result: "done"}},
	}
	for _, size := range [][2]int{{80, 24}, {40, 10}, {200, 60}, {20, 6}} {
		for _, s := range append(slices.Clone(digits), Detail, Help) {
			m := stage(f)
			m.width, m.height = size[0], size[1]
			m.subject = f.deckies[0]
			run(m, m.visit(s))
			lines := strings.Split(m.Frame(), "\n")
			if len(lines) != size[1] {
				t.Errorf("%s at %v has %d lines", s, size, len(lines))
			}
			for _, l := range lines {
				if w := ansi.StringWidth(l); w > size[0] {
					t.Errorf("%s at %v has a line of %d columns: %q", s, size, w, l)
				}
			}
		}
	}
}

func TestTheListShowsStateByWordAndGlyph(t *testing.T) {
	m := stage(newFake())
	has(t, m, "· running", "~ degraded", "1/2", "10.0.0.1", "fw-1", "3 deckies", "LIVE")
	m.cfg.ASCII = true
	has(t, m, ". running")
}

// TestTheTerminalFiltersInTheLanguageOfAPIAndCommandLine: what is typed selects what `deckies --filter` selects.
func TestTheTerminalFiltersInTheLanguageOfAPIAndCommandLine(t *testing.T) {
	for text, want := range map[string][]string{
		"web": {"web-01", "web-02"}, "!web": {"db-01"}, "state:degraded": {"web-02"}, "!state:degraded": {"web-01", "db-01"}, "state:degraded,failed": {"web-02"},
		"web-* state=running": {"web-01"}, "": {"web-01", "web-02", "db-01"}, "name=web-01": {"web-01"}, "up>=2": {"web-01", "db-01"}, "up>9": nil, `"web-0"`: {"web-01", "web-02"},
	} {
		m := stage(newFake())
		press(m, append([]string{"/"}, append(letters(text), "enter")...)...)
		var got []string
		for _, r := range m.grid().view(m.here(), false) {
			got = append(got, r.id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("/%s shows %v, want %v", text, got, want)
		}
	}
	for text, says := range map[string]string{"colour:red": `there is no field "colour"`, `"web`: "a quote is not closed", "up>x": "is no number"} {
		m := stage(newFake())
		press(m, append([]string{"/"}, append(letters(text), "enter")...)...)
		has(t, m, says)
	}
}

func TestEventsOfADeckyAreItsAndItsActors(t *testing.T) {
	m := stage(newFake())
	for i, target := range []string{"web-01", "decky/web-01", "web-011", "db-01"} {
		m.Update(gotEvent{e: messages.Event{Seq: int64(i + 1), Type: "crash", Target: target}})
	}
	press(m, "e")
	var got []string
	for _, r := range m.grid().view(m.here(), false) {
		got = append(got, r.id)
	}
	if !slices.Equal(got, []string{"decky/web-01", "web-01"}) {
		t.Errorf("%v", got)
	}
}

func TestFaultsOnlyAndSorting(t *testing.T) {
	m := stage(newFake())
	press(m, "ctrl+z")
	has(t, m, "web-02", "faults only")
	lacks(t, m, "web-01 ")
	press(m, "ctrl+z", "N")
	if rows := m.grid().view(m.here(), false); rows[0].id != "db-01" {
		t.Errorf("by name the first is %s", rows[0].id)
	}
	press(m, "N")
	if rows := m.grid().view(m.here(), false); rows[0].id != "web-02" {
		t.Errorf("the other way the first is %s", rows[0].id)
	}
}

func TestTheSortMenuTakesALetterAndNothingElse(t *testing.T) {
	m := stage(newFake())
	press(m, "s")
	has(t, m, "a NAME  b STATE")
	wide := m.width
	m.width = 50
	for i, c := range m.grid().columns { // all of it also where it takes more lines
		has(t, m, string(rune('a'+i))+" "+c.name)
	}
	m.width = wide
	press(m, "b")
	if p := m.here(); p.sort != "STATE" || m.mode != browsing {
		t.Errorf("sorted by %q, mode %d", p.sort, m.mode)
	}
	press(m, "s", "backspace", "s", "Z", "s", "é", "s", "esc")
	if p := m.here(); p.sort != "STATE" || m.mode != browsing {
		t.Errorf("sorted by %q, mode %d", p.sort, m.mode)
	}
}

func TestTheSameKeyQuarantinesAndReleases(t *testing.T) {
	f := newFake()
	f.deckies[0].Phase = "quarantined"
	m := stage(f)
	press(m, "Q")
	has(t, m, "release web-01?")
	press(m, "n", "down", "Q")
	has(t, m, "quarantine web-02?")
}

func TestAPausedDeckyIsNoRunningOneAndTheSameKeyResumesIt(t *testing.T) {
	f := newFake()
	f.deckies[0].Paused = true // its phase does not tell
	m := stage(f)
	has(t, m, "~ paused")
	press(m, "P")
	has(t, m, "resume web-01?")
	press(m, "n", "down", "P")
	has(t, m, "pause web-02?")
}

func TestADeckyIsExplained(t *testing.T) {
	m := stage(newFake())
	press(m, "down", "enter")
	has(t, m, "decky web-02", "DEGRADED", "observed present, 2s ago (epoch 1, seq 7)")
	press(m, "tab")
	has(t, m, "containers differ from the row  => update", "(3 times)")
	press(m, "esc")
	has(t, m, "deckies[3]")
}

func TestHeldSaysUntilWhenAndHowToApprove(t *testing.T) {
	f := newFake()
	f.deckies[0].Held = &messages.Held{What: "delete", Why: "no witness", Hash: "abc123"}
	m := stage(f)
	press(m, "enter")
	has(t, m, "delete: no witness", "decnet-fleetd approve abc123")
}

func TestAVerbIsConfirmedBeforeItIsSent(t *testing.T) {
	f := newFake()
	m := stage(f)
	press(m, "R")
	has(t, m, "restart web-01? y: yes")
	press(m, "n")
	if len(f.acts) != 0 {
		t.Fatalf("sent without a yes: %v", f.acts)
	}
	f.results = []messages.ActionResult{{Name: "web-01", Result: "done"}, {Name: "web-02", Result: "refused", Detail: "not the owner"}}
	press(m, "space", "space", "r", "y")
	if len(f.acts) != 1 || f.acts[0].verb != "resync" || !slices.Equal(f.acts[0].targets, []string{"web-01", "web-02"}) {
		t.Fatalf("sent %v", f.acts)
	}
	has(t, m, "resync: 1 done, 1 not: web-02 refused not the owner")
}

func TestManyTargetsWantATypedAnswer(t *testing.T) {
	f := newFake()
	f.deckies = nil
	for i := range 12 {
		f.deckies = append(f.deckies, decky(fmt.Sprintf("d-%02d", i), "running", 2))
	}
	m := stage(f)
	press(m, slices.Repeat([]string{"space"}, 12)...)
	press(m, "R", "y", "enter")
	if len(f.acts) != 0 {
		t.Fatal("a single y restarted twelve")
	}
	press(m, slices.Repeat([]string{"space"}, 12)...)
	press(m, append([]string{"R"}, append(letters("restart 12"), "enter")...)...)
	if len(f.acts) != 0 && len(f.acts[0].targets) != 12 {
		t.Errorf("sent %v", f.acts)
	}
	if len(f.acts) == 0 {
		t.Error("not sent although it was typed out")
	}
}

func TestAReadOnlyUserOrdersNothing(t *testing.T) {
	f := newFake()
	f.status.YourRole = "read-only"
	m := stage(f)
	press(m, "R", "y")
	if len(f.acts) != 0 {
		t.Error("sent")
	}
	has(t, m, "needs the role operator")
}

func TestCommandsOpenScreens(t *testing.T) {
	m := stage(newFake())
	press(m, append([]string{":"}, append(letters("events"), "enter")...)...)
	if m.screen != Events {
		t.Errorf("at %s", m.screen)
	}
	press(m, append([]string{":"}, append(letters("deckies web-*"), "enter")...)...)
	has(t, m, "deckies[2]")
	press(m, append([]string{":"}, append(letters("frobnicate"), "enter")...)...)
	has(t, m, `there is no "frobnicate"`)
	press(m, "-")
	if m.screen != Events {
		t.Errorf("back at %s", m.screen)
	}
}

func TestAnOlderDaemonIsNoError(t *testing.T) {
	m := stage(newFake())
	press(m, "2")
	has(t, m, ErrNotOffered.Error())
}

func TestALostDaemonIsSaidAndItsReturnToo(t *testing.T) {
	f := newFake()
	m := stage(f)
	m.Update(lostDaemon{err: errors.New("no daemon answers")})
	has(t, m, "LOST", "looking for it", "web-01")
	m.Update(gotStatus{it: f.status})
	has(t, m, "LIVE", "the daemon is back")
}

func TestHostileTextIsDrawnHarmless(t *testing.T) {
	f := newFake()
	f.deckies[0].Name, f.deckies[0].IP, f.deckies[0].Reason = "\x1b[31mred\nline", "\x1b]0;title\a", "a\x1b[2Jb"
	f.status.HostUUID = "h\x1b[1m"
	f.status.Components[0].Detail = "\x1b[0m\r\n"
	m := stage(f)
	m.Update(gotEvent{e: messages.Event{Seq: 1, Target: "\x1bc", Cause: "\x07", To: "running"}})
	m.wide = true
	for _, s := range append(slices.Clone(digits), Detail) {
		m.subject, m.screen = f.deckies[0], s
		for _, raw := range []bool{false, true} {
			if m.raw = raw; strings.ContainsFunc(m.Frame(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }) {
				t.Errorf("%s lets control bytes through: %q", s, m.Frame())
			}
		}
	}
}

func TestEventsAreBounded(t *testing.T) {
	m := stage(newFake())
	for i := range 3 * maxEvents {
		m.happened(gotEvent{e: messages.Event{Seq: int64(i + 1), Target: "web-01"}})
	}
	if n := len(m.events); n > maxEvents || m.events[n-1].Seq != 3*maxEvents {
		t.Errorf("%d events, the last %d", n, m.events[n-1].Seq)
	}
}

func TestAFrozenScreenStays(t *testing.T) {
	m := stage(newFake())
	press(m, "f")
	has(t, m, "FROZEN")
	if cmd := m.urgent(); cmd != nil {
		t.Error("it looks all the same")
	}
}

func TestOncePrintsOneFrame(t *testing.T) {
	f := newFake()
	text, err := Once(context.Background(), Config{Daemon: f, Escape: harmless, Now: func() time.Time { return noon }, ASCII: true}, 80, 24)
	if err != nil || !strings.Contains(text, "web-02") || strings.Count(text, "\n") != 24 || strings.Contains(text, "\x1b") {
		t.Errorf("%v\n%s", err, text)
	}
	f.err = errors.New("no daemon")
	if _, err := Once(context.Background(), Config{Daemon: f, Escape: harmless, Now: time.Now}, 80, 24); err == nil {
		t.Error("no error without a daemon")
	}
}

func TestARealProgramFollowsAndQuits(t *testing.T) {
	f := newFake()
	m := New(t.Context(), Config{Daemon: f, Escape: harmless, Now: time.Now, Plain: true})
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(100, 30))
	f.events <- messages.Event{Seq: 9, Type: "state_changed", Target: "web-02", From: "running", To: "degraded", Cause: "docker:die"}
	teatest.WaitFor(t, tm.Output(), func(out []byte) bool { return strings.Contains(string(out), "docker:die") }, teatest.WithDuration(10*time.Second))
	tm.Send(keyOf("q"))
	tm.WaitFinished(t, teatest.WithFinalTimeout(10*time.Second))
	if _, err := io.ReadAll(tm.FinalOutput(t)); err != nil {
		t.Error(err)
	}
}
