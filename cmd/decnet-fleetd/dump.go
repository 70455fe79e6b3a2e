package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// keptDumps is how many dumps stay. Source: the conventions of the daemon.
const keptDumps = 5

// dump writes what goes on inside to a file, and says where. It asks as little as it can of actors that may be stuck.
func (d *daemon) dump(ctx context.Context, n *node) {
	path, err := writeDump(filepath.Join(d.settings.StateDir, "dumps"), time.Now(), func(w io.Writer) error { return n.describe(ctx, w) })
	if err != nil {
		d.log.Error().Err(err).Msg("dump not written")
		return
	}
	d.log.Info().Str("path", path).Msg("dump written")
}

// writeDump makes one file and removes the oldest. Its name sorts by time.
func writeDump(dir string, now time.Time, write func(io.Writer) error) (string, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "dump-"+now.UTC().Format("20060102T150405.000000")+"Z.txt")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	b := bufio.NewWriter(f)
	if err := errors.Join(write(b), b.Flush(), f.Close()); err != nil {
		return "", err
	}
	return path, thinOut(dir)
}

func thinOut(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "dump-*.txt"))
	if err != nil {
		return err
	}
	slices.Sort(old)
	for _, path := range old[:max(0, len(old)-keptDumps)] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

// describe writes status, actors, crashes and goroutines, in that order: the longest comes last. w keeps its first error
// and says it when it is flushed.
func (n *node) describe(ctx context.Context, w io.Writer) error {
	fmt.Fprintf(w, "decnet-fleetd %s, process %d, %s\n\n== status\n", version, os.Getpid(), time.Now().UTC().Format(time.RFC3339Nano))
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	if s, err := n.view.Ask(ctx, messages.GetStatus{}); err != nil {
		fmt.Fprintf(w, "the view does not answer: %v\n", err)
	} else if err := pretty(w, s); err != nil {
		return err
	}
	n.describeActors(w)
	fmt.Fprintf(w, "\n== goroutines by stack, with the actor they belong to\n")
	if err := pprof.Lookup("goroutine").WriteTo(w, 1); err != nil {
		return err
	}
	fmt.Fprintf(w, "\n== goroutines one by one\n")
	return pprof.Lookup("goroutine").WriteTo(w, 2)
}

func (n *node) describeActors(w io.Writer) {
	fmt.Fprintf(w, "\n== actors\n")
	for _, r := range n.sys.Refs() {
		s := r.Stats()
		fmt.Fprintf(w, "%s %s incarnation=%d mailbox=%d high_water=%d in=%d done=%d lost=%d dropped=%d crashes=%d restarts=%d in_handler_since=%s\n",
			escape(r.Name()), s.State, s.Incarnation, s.Depth, s.HighWater, s.In, s.Done, s.Lost, s.Dropped, s.Crashes, s.Restarts, moment(s.InHandlerSince))
	}
	fmt.Fprintf(w, "\n== crashes\n")
	for _, c := range n.sys.Crashes() {
		fmt.Fprintf(w, "%d %s %s incarnation=%d reason=%s message=%s state=%s\n%s\n", c.ID, moment(c.At), escape(c.Actor), c.Incarnation,
			escape(c.Reason), escape(c.Message), escape(c.State), escapeLines(c.Stack, maxCell))
	}
}

func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func pretty(w io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", escapeJSON(raw))
	return err
}
