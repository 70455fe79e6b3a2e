package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

func (a *app) pprofVerb() *cobra.Command {
	var file string
	var seconds int
	kinds := []string{"cpu", "trace", "heap", "allocs", "goroutine", "block", "mutex", "threadcreate"}
	c := &cobra.Command{
		Use:   "pprof kind",
		Short: "Take a profile of the daemon",
		Long: "Take a profile of the running daemon and write it into a file: " + strings.Join(kinds, ", ") + ".\n" +
			"Goroutines carry the label actor, so `go tool pprof -tagfocus=actor=decky/decky-01 FILE` shows one actor's work. It needs the role admin.",
		Example:     "  decnet-fleetd pprof cpu --seconds 30\n  decnet-fleetd pprof heap --file /tmp/heap.pprof",
		Args:        cobra.ExactArgs(1),
		ValidArgs:   kinds,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, args []string) error {
			if file == "" {
				file = fmt.Sprintf("decnet-fleetd-%s-%s.pprof", args[0], time.Now().UTC().Format("20060102T150405Z"))
			}
			return a.profile(ctx, client, args[0], seconds, file)
		}),
	}
	c.Flags().StringVar(&file, "file", "", "where to (default decnet-fleetd-KIND-TIME.pprof)")
	c.Flags().IntVar(&seconds, "seconds", 5, "how long to measure: cpu and trace; at most 60")
	return c
}

func (a *app) profile(ctx context.Context, client *console.Client, kind string, seconds int, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	_, err = client.Download(ctx, fmt.Sprintf("/v1/debug/pprof/%s?seconds=%d", kind, seconds), time.Duration(seconds)*time.Second, f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(file) // it is no profile
		return err
	}
	return a.print([]byte(file + "\n"))
}
