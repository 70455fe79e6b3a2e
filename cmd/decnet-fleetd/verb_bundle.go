package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/decnet/decnet-fleetd/adapters/console"
)

// bundle is a support bundle that is being written: a tar.gz whose last file, the manifest, has the sums of all others.
type bundle struct {
	tar   *tar.Writer
	now   time.Time
	files []bundled
}

// bundled is one file of a bundle, as the manifest has it.
type bundled struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	Source string `json:"source"`
	Error  string `json:"error,omitempty"` // why it is not there
}

// maxBundled bounds one file. Chosen: a list of 65,536 deckies has 40 MiB.
const maxBundled = 64 << 20

func (b *bundle) add(name, source string, raw []byte, err error) error {
	e := bundled{Name: name, Source: source}
	if err != nil {
		e.Error = clip(err.Error(), maxLine)
	}
	if len(raw) == 0 && e.Error != "" {
		b.files = append(b.files, e)
		return nil
	}
	raw = raw[:min(len(raw), maxBundled)]
	sum := sha256.Sum256(raw)
	e.Bytes, e.SHA256 = len(raw), hex.EncodeToString(sum[:])
	b.files = append(b.files, e)
	return b.write(name, raw)
}

func (b *bundle) write(name string, raw []byte) error {
	if err := b.tar.WriteHeader(&tar.Header{Name: "decnet-fleetd/" + name, Mode: 0o600, Size: int64(len(raw)), ModTime: b.now}); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	if _, err := b.tar.Write(raw); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

func (b *bundle) manifest() error {
	raw, err := json.MarshalIndent(struct {
		API     string    `json:"api"`
		Kind    string    `json:"kind"`
		Made    time.Time `json:"made"`
		Version string    `json:"version"`
		Files   []bundled `json:"files"`
	}{console.API, "bundle", b.now.UTC(), version, b.files}, "", "  ")
	if err != nil {
		return err
	}
	return b.write("manifest.json", append(raw, '\n'))
}

func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}

// wanted are the documents of a bundle: the file's name and where the API has it.
func wanted(cpu time.Duration) [][2]string {
	return [][2]string{
		{"status.json", "/v1/status"}, {"config.json", "/v1/config"}, {"deckies.json", "/v1/deckies"}, {"actors.json", "/v1/actors"},
		{"handlers.json", "/v1/handlers"}, {"events.json", "/v1/events?limit=4096"}, {"deadletters.json", "/v1/deadletters"}, {"pauses.json", "/v1/pauses"},
		{"audit.json", "/v1/audit?limit=1000"}, {"runtime.json", "/v1/runtime"}, {"logs.json", "/v1/logs"}, {"metrics.txt", "/metrics"},
		{"goroutines.json", "/v1/debug/goroutines"}, {"goroutine.pprof", "/v1/debug/pprof/goroutine"}, {"heap.pprof", "/v1/debug/pprof/heap"},
		{"cpu.pprof", fmt.Sprintf("/v1/debug/pprof/cpu?seconds=%d", max(1, int(cpu.Seconds())))}, {"openapi.json", "/v1/openapi.json"},
	}
}

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
			"manifest with the reason; the bundle is made all the same, also where no daemon answers.",
		Example:     "  decnet-fleetd debug bundle\n  decnet-fleetd debug bundle --duration 5s --file /tmp/fleetd.tar.gz",
		Args:        cobra.NoArgs,
		Annotations: heeding(heedsClient),
		RunE: a.asking(func(ctx context.Context, client *console.Client, _ []string) error {
			if cpu < time.Second || cpu > time.Minute {
				return usage(fmt.Errorf("--duration is %v", cpu), "it is from 1s to 1m")
			}
			if file == "" {
				file = "decnet-fleetd-" + time.Now().UTC().Format("20060102T150405Z") + ".tar.gz"
			}
			return a.bundle(ctx, client, cpu, file)
		}),
	}
	c.Flags().StringVar(&file, "file", "", "where to (default decnet-fleetd-TIME.tar.gz)")
	c.Flags().DurationVar(&cpu, "duration", 30*time.Second, "how long the processor is profiled")
	return parent("debug", "Find faults", "Collect what is needed to find a fault.", c)
}

func (a *app) bundle(ctx context.Context, client *console.Client, cpu time.Duration, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	err = a.fill(ctx, client, cpu, f)
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
	z := gzip.NewWriter(to)
	b := &bundle{tar: tar.NewWriter(z), now: time.Now()}
	for _, w := range wanted(cpu) {
		var raw bytes.Buffer
		_, err := client.Download(ctx, w[1], cpu, &raw)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := b.add(w[0], "GET "+w[1], raw.Bytes(), err); err != nil {
			return err
		}
	}
	if err := addCrashes(ctx, client, b); err != nil {
		return err
	}
	for _, x := range asides {
		limited, cancel := context.WithTimeout(ctx, 20*time.Second)
		//nolint:gosec // the commands are the constants above
		out, err := exec.CommandContext(limited, x[1], x[2:]...).CombinedOutput()
		cancel()
		if err := b.add(x[0], x[1], redactText(out), err); err != nil {
			return err
		}
	}
	if err := b.manifest(); err != nil {
		return err
	}
	if err := b.tar.Close(); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return z.Close()
}

// addCrashes adds every crash record whole: the list has them without their stacks.
func addCrashes(ctx context.Context, client *console.Client, b *bundle) error {
	list, err := client.Crashes(ctx, "", console.Selection{})
	var all []console.CrashReply
	for _, x := range list.Items {
		whole, cerr := client.Crash(ctx, x.ID)
		if cerr != nil {
			err = cerr
			break
		}
		all = append(all, whole)
	}
	raw, merr := json.MarshalIndent(all, "", "  ")
	if merr != nil {
		return merr
	}
	if len(all) == 0 && err != nil {
		raw = nil
	}
	return b.add("crashes.json", "GET /v1/crashes", raw, err)
}
