package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// asides are what the host says of the unit. They are left out, with the reason, where the tool or the right is missing.
var asides = [][]string{
	{"journal.txt", "journalctl", "--unit", "decnet-fleetd.service", "--since", "-2h", "--no-pager", "--lines", "20000"},
	{"unit.txt", "systemctl", "cat", "decnet-fleetd.service", "--no-pager"},
	{"security.txt", "systemd-analyze", "security", "decnet-fleetd.service", "--no-pager"},
}

func (a *app) debugVerb() *cobra.Command {
	var file string
	var cpu time.Duration
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Collect what is needed to find a fault, in one file",
		Long: "Collect status, settings (secrets masked), deckies, actors, events, crashes with their stacks, dead letters, audit, log, goroutines,\n" +
			"profiles, the journal of the last two hours and the unit into a tar.gz with a manifest of checksums. What cannot be had is named in the\n" +
			"manifest with the reason; the bundle is made all the same, also where no daemon answers.\n\n" +
			"At a hub, --node NAME has that host make the bundle, without its journal and unit; --node all puts a bundle of every host that answers\n" +
			"into one file, under hosts/, and names in hosts.json (and here) those that do not, with the reason. Unpack it to replay one.",
		Example:     "  decnet-fleetd debug bundle\n  decnet-fleetd debug bundle --duration 5s --file /tmp/fleetd.tar.gz\n  decnet-fleetd debug bundle --node all",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{heeds: heedsClient, everyNode: "may be asked"},
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			if cpu < time.Second || cpu > time.Minute {
				return usage(fmt.Errorf("--duration is %v", cpu), "it is from 1s to 1m")
			}
			if file == "" {
				file = "decnet-fleetd-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
			}
			return a.bundle(ctx, file, a.filling(client, cpu))
		}),
	}
	c.Flags().StringVar(&file, "file", "", "where to (default decnet-fleetd-TIME.tar.gz)")
	c.Flags().DurationVar(&cpu, "duration", 30*time.Second, "how long the processor is profiled")
	return parent("debug", "Find faults", "Collect what is needed to find a fault, or look at what was collected.", c, a.replayVerb())
}

func (a *app) bundle(ctx context.Context, file string, fill func(context.Context, io.Writer) error) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	err = fill(ctx, f)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		_ = os.Remove(file) // half a bundle helps nobody
		return err
	}
	return a.print([]byte(file + "\n"))
}

func (a *app) fill(ctx context.Context, client *console.Client, cpu time.Duration, to io.Writer) error {
	b := console.NewBundle(to, time.Now(), version)
	err := b.Fill(ctx, cpu, func(ctx context.Context, path string) ([]byte, error) {
		var raw bytes.Buffer
		_, err := client.Download(ctx, path, cpu, &raw)
		return raw.Bytes(), err
	})
	if err != nil {
		return err
	}
	for _, x := range asides {
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		//nolint:gosec // the commands are the constants above
		out, err := exec.CommandContext(limited, x[1], x[2:]...).CombinedOutput()
		cancel()
		if err := b.Add(x[0], x[1], redactText(out), err); err != nil {
			return err
		}
	}
	return b.Close()
}
