package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

func screen(format string) (*app, *bytes.Buffer, *bytes.Buffer) {
	var out, err bytes.Buffer
	return &app{out: &out, err: &err, output: format, given: map[string]string{}}, &out, &err
}

func TestColoursAreForTerminalsOfPeopleWhoWantThem(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	l := listing{head: []string{"NAME", "STATE"}, rows: [][]string{{"running", "failed"}}}
	tests := map[string]struct {
		tty, noColor bool
		env          string
		want         bool
	}{
		"a pipe":                    {false, false, "", false},
		"a terminal":                {true, false, "", true},
		"a terminal, --no-color":    {true, true, "", false},
		"a terminal, with NO_COLOR": {true, false, "1", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("NO_COLOR", tt.env)
			a, out, _ := screen("table")
			a.outTTY, a.noColor = tt.tty, tt.noColor
			if err := a.show(l); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(out.String(), "\x1b[31mfailed\x1b[0m"); got != tt.want {
				t.Errorf("%q: coloured %v, want %v", out.String(), got, tt.want)
			}
		})
	}
}

func TestTimesAreExactForScriptsAndRelativeForPeople(t *testing.T) {
	a, _, _ := screen("table")
	if got := a.when(longAgo); got != "2026-01-02T03:04:05Z" {
		t.Errorf("for a script %q", got)
	}
	a.outTTY = true
	if got := a.when(messages.Moment{Time: time.Now().Add(-90 * time.Second)}); got != "1m30s" {
		t.Errorf("for a person %q", got)
	}
	if got := a.when(messages.Moment{}); got != "-" {
		t.Errorf("never is %q", got)
	}
}

func TestDurationsHaveTheirTwoLargestUnits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Hour - time.Second: "59m59s", 25 * time.Hour: "1d1h", 3*time.Hour + time.Minute: "3h1m",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestPassPrintsDECNETsLineFirst(t *testing.T) {
	a, out, warnings := screen("table")
	report := messages.PassReport{
		Inserted: 1, Deleted: 2, StateUpdated: 3, DryRun: true, Unpublished: 4,
		Plan:   []messages.PlanItem{{Name: "d\x1b", Action: "insert", Declared: "present", Recorded: "absent", Observed: "present", Reason: "new"}},
		Held:   []messages.DeckyHeld{{Name: "e", Held: messages.Held{What: "delete", Why: "no witness"}}},
		Faults: []messages.Fault{{Where: "docker", What: "does not answer"}},
	}
	err := a.showPass(report, true)
	if explain(t.Context(), err).exit != exitFindings {
		t.Errorf("error %v, want findings", err)
	}
	want := "reconcile: inserted=1 deleted=2 state_updated=3\n" +
		"NAME   ACTION       JSON     DB      DOCKER   REASON\n" +
		"d\\x1b  insert       present  absent  present  new\n" +
		"e      held delete  -        -       -        no witness\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	if got := warnings.String(); !strings.Contains(got, "docker: does not answer") || !strings.Contains(got, "4 events") {
		t.Errorf("warnings %q", got)
	}
}

func TestPassWithNothingToSayIsOneLineAndAFailedOneExits1(t *testing.T) {
	tests := map[string]struct {
		report   messages.PassReport
		detailed bool
		exit     int
	}{
		"nothing to do":           {messages.PassReport{}, true, exitOK},
		"done":                    {messages.PassReport{Inserted: 1}, false, exitOK},
		"done, and asked":         {messages.PassReport{Inserted: 1}, true, exitFindings},
		"config alone, and asked": {messages.PassReport{Changed: 1}, true, exitFindings},
		"held, and asked":         {messages.PassReport{Held: []messages.DeckyHeld{{Name: "x"}}}, true, exitFindings},
		"an invalid file":         {messages.PassReport{FileInvalid: true}, true, exitError},
		"a failing database":      {messages.PassReport{DatabaseDown: true, Inserted: 1}, true, exitError},
	}
	for name, tt := range tests {
		a, out, _ := screen("table")
		exit := exitOK
		if err := a.showPass(tt.report, tt.detailed); err != nil {
			exit = explain(t.Context(), err).exit
		}
		if exit != tt.exit || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, want %d; %q", name, exit, tt.exit, out)
		}
	}
}

func TestPassAsJSONIsOneDocument(t *testing.T) {
	a, out, _ := screen("json")
	if err := a.showPass(messages.PassReport{}, false); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.HasPrefix(got, `{"api":"v1","kind":"reconcile","inserted":0`) || strings.Contains(got, "null") {
		t.Errorf("got %s", got)
	}
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	stopped := func(s os.Signal) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(interrupted{s})
		return ctx
	}
	tests := map[string]struct {
		ctx  context.Context
		err  error
		exit int
		code string
	}{
		"anything":             {t.Context(), errors.New("x"), 1, "error"},
		"no daemon":            {t.Context(), &console.Error{Code: console.NotReachable}, 3, "not_reachable"},
		"no permission":        {t.Context(), &console.Error{Code: console.Permission}, 4, "permission"},
		"not found":            {t.Context(), fmt.Errorf("a: %w", &console.Error{Code: console.NotFound}), 5, "not_found"},
		"too slow":             {t.Context(), &console.Error{Code: console.Timeout}, 7, "timeout"},
		"refused":              {t.Context(), &console.Error{Code: console.Conflict}, 8, "conflict"},
		"the daemon is broken": {t.Context(), &console.Error{Code: console.Internal}, 1, "internal"},
		"a bad setting":        {t.Context(), &config.Invalid{}, 78, "config"},
		"a missing table":      {t.Context(), fmt.Errorf("a: %w", messages.ErrSchema), 78, "config"},
		"given up":             {t.Context(), withExit(exitGaveUp, errors.New("x")), 70, "gave_up"},
		"interrupted":          {stopped(os.Interrupt), context.Canceled, 130, "interrupted"},
		"terminated":           {stopped(syscall.SIGTERM), context.Canceled, 1, "interrupted"},
		"failed as it stopped": {stopped(os.Interrupt), errors.New("x"), 1, "error"},
	}
	for name, tt := range tests {
		if f := explain(tt.ctx, tt.err); f.exit != tt.exit || f.code != tt.code {
			t.Errorf("%s: exit %d %s, want %d %s", name, f.exit, f.code, tt.exit, tt.code)
		}
	}
}

func TestErrorsOfManyLinesStayEscapedAndReadable(t *testing.T) {
	a, _, out := screen("table")
	a.report(&failure{exit: 78, code: "config", err: errors.New("a\x1b\nCREATE TABLE x"), hint: "do"}, false)
	if want := "decnet-fleetd: a\\x1b\n  CREATE TABLE x\n  hint: do\n"; out.String() != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

func TestThePausedAreNotListedAsRunning(t *testing.T) {
	for want, d := range map[string]messages.DeckyStatus{
		"paused": {State: "running", Paused: true}, "quarantined": {State: "running", Phase: "quarantined", Paused: true}, "running": {State: "running", Phase: "quiet"}, "held": {Held: &messages.Held{What: "insert"}}, "-": {},
	} {
		if got := shownState(d); got != want {
			t.Errorf("%+v is shown as %s, want %s", d, got, want)
		}
	}
}
