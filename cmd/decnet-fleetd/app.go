package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// app is one run of the program: its streams and what the command line says of all verbs.
type app struct {
	in             io.Reader
	inTTY          bool
	out, err       io.Writer
	outTTY, errTTY bool
	given          map[string]string // settings given as flags
	output         string            // table, wide, json, jsonl, name
	json           bool              // --json
	noColor        bool
	quiet          bool
	timeout        time.Duration
	node           string // --node
	began          bool   // the command line was understood
}

// run executes a command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	f := explain(ctx, err)
	if !a.began && f.exit == exitError {
		f = &failure{exit: exitUsage, code: exitWords[exitUsage], err: err, hint: "decnet-fleetd --help lists the verbs, and each verb's --help its flags"}
	}
	if f.err != nil {
		a.report(f, a.wantsJSON(args))
	}
	return f.exit
}

// wantsJSON also looks at a command line that could not be read to its end.
func (a *app) wantsJSON(args []string) bool {
	if a.json || a.output == "json" || a.output == "jsonl" {
		return true
	}
	for i, s := range args {
		if s == "--json" || slices.Contains([]string{"-ojson", "-o=json", "--output=json"}, s) ||
			s == "json" && i > 0 && (args[i-1] == "-o" || args[i-1] == "--output") {
			return true
		}
	}
	return false
}

// report writes a failure to stderr.
func (a *app) report(f *failure, asJSON bool) {
	if asJSON {
		type body struct {
			Code    string `json:"code"`
			Message string `json:"message"`
			Hint    string `json:"hint"`
		}
		raw, err := json.Marshal(map[string]body{"error": {f.code, f.Error(), f.hint}})
		if err == nil {
			_, _ = fmt.Fprintf(a.err, "%s\n", escapeJSON(raw)) // stderr is the last place to tell
			return
		}
	}
	_, _ = fmt.Fprintf(a.err, "decnet-fleetd: %s\n", indent(f.Error()))
	if f.hint != "" {
		_, _ = fmt.Fprintf(a.err, "  hint: %s\n", indent(f.hint))
	}
}

// indent escapes each line of a text and sets those after the first off.
func indent(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = escapeUpTo(strings.ReplaceAll(lines[i], "\t", "  "), maxLine)
	}
	return strings.Join(lines, "\n  ")
}

// warn tells a person something that changes neither output nor exit code.
func (a *app) warn(text string) {
	if !a.quiet {
		_, _ = fmt.Fprintf(a.err, "warning: %s\n", indent(text)) // stderr is the last place to tell
	}
}

// client talks to the daemon. timeout 0 means that of the command line.
func (a *app) client() (*console.Client, error) {
	s, _, err := a.settings(true)
	if err != nil {
		return nil, err
	}
	c := console.NewClient(s.ControlSocket, a.timeout)
	c.Via("cli")
	c.At(a.node)
	return c, nil
}
