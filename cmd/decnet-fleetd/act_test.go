package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// typed runs a command line of somebody at a terminal who answers with a line.
func typed(t *testing.T, socket, answer string, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	a := &app{in: strings.NewReader(answer), inTTY: true, out: &o, err: &e, given: map[string]string{}}
	code = a.run(t.Context(), append(args, "--control-socket", socket))
	return code, o.String(), e.String()
}

func serveStandIn(t *testing.T, s standIn) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	ctx, cancel := context.WithCancel(context.Background())
	cfg := console.Config{Path: path, Backend: s, Feed: console.NewFeed(0, 0), Now: time.Now, Log: zerolog.Nop(), Node: "local"}
	s.furnish(&cfg)
	server, err := console.Listen(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return path
}

func TestAPersonAtATerminalIsAskedBeforeAnythingChanges(t *testing.T) {
	socket := serveStandIn(t, wellFleet())
	for name, tt := range map[string]struct {
		answer string
		args   []string
		code   int
		asked  string
	}{
		"yes":                  {"y\n", []string{"pause", "decky-01"}, exitOK, "pause decky-01? [y/N]"},
		"no":                   {"n\n", []string{"pause", "decky-01"}, exitRefused, "pause decky-01? [y/N]"},
		"nothing":              {"", []string{"pause", "decky-01"}, exitRefused, "[y/N]"},
		"many":                 {"Y\n", []string{"restart", "a", "b"}, exitOK, "restart 2 of 2? [y/N]"},
		"the host, too easily": {"y\n", []string{"pause", "*"}, exitRefused, "Type all"},
		"the host":             {"all\n", []string{"pause", "*"}, exitOK, "pause the whole host? Type all"},
		"a hostile name":       {"n\n", []string{"kill", "x\x1b[31m"}, exitRefused, `kill x\x1b[31m?`},
		"harmless":             {"", []string{"resync", "a"}, exitOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := typed(t, socket, tt.answer, tt.args...)
			if code != tt.code || !strings.Contains(errs, tt.asked) || (code == exitOK) != strings.Contains(out, "done") || strings.Contains(errs, "\x1b") {
				t.Errorf("exit %d, asked %q, said %q", code, errs, out)
			}
		})
	}
	_, out, _ := typed(t, socket, "", "audit", "-o", "jsonl")
	if n := strings.Count(out, "\n"); n != 4 { // what was asked first, or not confirmed, is not on record
		t.Errorf("%d entries: %s", n, out)
	}
}

func TestEveryVerbExplainsItselfWithAnExample(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" && c.Name() != "completion" {
				if sub.Short == "" || sub.Long == "" || !sub.HasAvailableSubCommands() && sub.Example == "" {
					t.Errorf("%s: short %q, long %q, example %q", sub.CommandPath(), sub.Short, sub.Long, sub.Example)
				}
				walk(sub)
			}
		}
	}
	walk((&app{given: map[string]string{}}).root())
}

func TestAnErrorOfTheDaemonKeepsItsExitCode(t *testing.T) {
	for code, want := range map[console.Code]int{console.Permission: exitPermission, console.NotFound: exitNotFound, console.Conflict: exitRefused, console.Timeout: exitTimeout} {
		if f := explain(t.Context(), errors.Join(&console.Error{Code: code, Message: "x"})); f.exit != want {
			t.Errorf("%s is %d, want %d", code, f.exit, want)
		}
	}
}
