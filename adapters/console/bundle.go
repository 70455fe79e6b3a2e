package console

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bundle is a support bundle that is being written: a tar.gz whose last file, the manifest, has the sums of all others.
// Nothing but one file at a time is held in memory.
type Bundle struct {
	zip     *gzip.Writer
	tar     *tar.Writer
	now     time.Time
	version string
	files   []bundled
}

// bundled is one file of a bundle, as the manifest has it.
type bundled struct {
	Name   string `json:"name"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	Source string `json:"source"`
	Error  string `json:"error,omitempty"` // why it is not there
}

// MaxBundled bounds a file of a bundle, in bytes; of a larger one the beginning is there. Chosen: a list of 65,536 deckies
// has 40 MiB.
const MaxBundled = 64 << 20

// maxWhy bounds a reason in the manifest.
const maxWhy = 4096

// HostsDir is where a bundle of several hosts has those of each.
const HostsDir = "hosts/"

// NewBundle begins one. now is the time its files get, version that of the program.
func NewBundle(to io.Writer, now time.Time, version string) *Bundle {
	z := gzip.NewWriter(to)
	return &Bundle{zip: z, tar: tar.NewWriter(z), now: now, version: version}
}

// Add adds a file, or where err is set and nothing was got, the reason why it is missing.
func (b *Bundle) Add(name, source string, raw []byte, err error) error {
	e := bundled{Name: name, Source: source}
	if err != nil {
		e.Error = clipped(err.Error(), maxWhy)
	}
	if len(raw) == 0 && e.Error != "" {
		b.files = append(b.files, e)
		return nil
	}
	raw = raw[:min(len(raw), MaxBundled)]
	sum := sha256.Sum256(raw)
	e.Bytes, e.SHA256 = len(raw), hex.EncodeToString(sum[:])
	b.files = append(b.files, e)
	return b.write(name, raw)
}

func (b *Bundle) write(name string, raw []byte) error {
	if err := b.tar.WriteHeader(&tar.Header{Name: "decnet-fleetd/" + name, Mode: 0o600, Size: int64(len(raw)), ModTime: b.now}); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	if _, err := b.tar.Write(raw); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return nil
}

// Close writes the manifest and ends the bundle.
func (b *Bundle) Close() error {
	raw, err := json.MarshalIndent(struct {
		API     string    `json:"api"`
		Kind    string    `json:"kind"`
		Made    time.Time `json:"made"`
		Version string    `json:"version"`
		Files   []bundled `json:"files"`
	}{API, "bundle", b.now.UTC(), b.version, b.files}, "", "  ")
	if err != nil {
		return err
	}
	if err := b.write("manifest.json", append(raw, '\n')); err != nil {
		return err
	}
	if err := b.tar.Close(); err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	return b.zip.Close()
}

// documents are those of a bundle but for the crashes: the file's name and where the API has it.
func documents(cpu time.Duration) [][2]string {
	return [][2]string{
		{"status.json", "/v1/status"}, {"config.json", "/v1/config"}, {"deckies.json", "/v1/deckies"}, {"actors.json", "/v1/actors"},
		{"handlers.json", "/v1/handlers"}, {"events.json", "/v1/events?limit=4096"}, {"deadletters.json", "/v1/deadletters"}, {"pauses.json", "/v1/pauses"},
		{"audit.json", "/v1/audit?limit=1000"}, {"runtime.json", "/v1/runtime"}, {"logs.json", "/v1/logs"}, {"metrics.txt", "/metrics"},
		{"goroutines.json", "/v1/debug/goroutines"}, {"goroutine.pprof", "/v1/debug/pprof/goroutine"}, {"heap.pprof", "/v1/debug/pprof/heap"},
		{"cpu.pprof", fmt.Sprintf("/v1/debug/pprof/cpu?seconds=%d", max(1, int(cpu.Seconds())))}, {"openapi.json", "/v1/openapi.json"},
	}
}

// Get gives the whole answer of the API to a GET.
type Get func(ctx context.Context, path string) ([]byte, error)

// Fill adds everything the API has; the processor is profiled for cpu. What cannot be got is named in the manifest. The error
// is that of the writer or of ctx.
func (b *Bundle) Fill(ctx context.Context, cpu time.Duration, get Get) error {
	for _, doc := range documents(cpu) {
		raw, err := get(ctx, doc[1])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := b.Add(doc[0], "GET "+doc[1], raw, err); err != nil {
			return err
		}
	}
	raw, err := wholeCrashes(ctx, get)
	if err := b.Add("crashes.json", "GET /v1/crashes", raw, err); err != nil {
		return err
	}
	raw, err = inspections(ctx, get)
	return b.Add("inspections.json", "GET /v1/deckies/ID/inspect", raw, err)
}

// maxInspected bounds the deckies that are looked into. Chosen: what one person reads; a host where more ail ails itself.
const maxInspected = 64

// inspections is why deckies are as they are, with their last decisions and messages: of those that are not well, then of
// others.
func inspections(ctx context.Context, get Get) (_ []byte, err error) {
	raw, err := get(ctx, "/v1/deckies")
	if err != nil {
		return nil, err
	}
	var list DeckyList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Items, func(a, b messages.DeckyStatus) int { return cmp.Compare(wellness(a), wellness(b)) })
	all := []json.RawMessage{}
	for _, d := range list.Items[:min(len(list.Items), maxInspected)] {
		one, failed := get(ctx, "/v1/deckies/"+url.PathEscape(d.HostUUID+":"+d.Name)+"/inspect?decisions=64")
		if failed != nil {
			err = failed
			continue
		}
		all = append(all, one)
	}
	whole, failed := json.MarshalIndent(all, "", "  ")
	return whole, errors.Join(err, failed)
}

// wellness puts those first that somebody would ask about.
func wellness(d messages.DeckyStatus) int {
	switch {
	case d.Phase == "quarantined":
		return 0
	case d.Held != nil, d.Restarts > 0:
		return 1
	case d.State != string(messages.Running):
		return 2
	}
	return 3
}

// wholeCrashes is every crash record with its stack: the list has them without. One that cannot be got is missing, and err
// says why.
func wholeCrashes(ctx context.Context, get Get) (_ []byte, err error) {
	raw, err := get(ctx, "/v1/crashes")
	if err != nil {
		return nil, err
	}
	var list CrashList
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, err
	}
	all := make([]json.RawMessage, 0, len(list.Items))
	for _, x := range list.Items {
		one, failed := get(ctx, fmt.Sprintf("/v1/crashes/%d", x.ID))
		if failed != nil {
			err = failed
			continue
		}
		all = append(all, one)
	}
	whole, failed := json.MarshalIndent(all, "", "  ")
	return whole, errors.Join(err, failed)
}

// bundle serves GET /v1/debug/bundle: what the verb makes, without what only the host knows: journal and unit.
func (s *Server) bundle(w http.ResponseWriter, r *http.Request) {
	d, ok := profileTime(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", `attachment; filename="decnet-fleetd-`+s.cfg.Now().UTC().Format("20060102T150405Z")+`.tar.gz"`)
	if r.Method == http.MethodHead {
		return
	}
	b := NewBundle(w, s.cfg.Now(), s.cfg.Version)
	err := b.Fill(r.Context(), d, func(ctx context.Context, path string) ([]byte, error) {
		raw, err := s.own(ctx, path)
		s.allowWriting(w, d+writeWait)
		return raw, err
	})
	if err == nil { // else the reader has gone: what it has is cut, and no tar.gz
		_ = b.Close()
	}
}

// own asks the API in process, as whoever ctx says asks.
func (s *Server) own(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	got := kept{header: http.Header{}, status: http.StatusOK}
	s.mux.ServeHTTP(&got, r)
	if got.status != http.StatusOK {
		var p problem
		_ = json.Unmarshal(got.body.Bytes(), &p) // without one the status has to do
		return nil, errors.New(strconv.Itoa(got.status) + " " + p.Detail)
	}
	return got.body.Bytes(), nil
}

// kept is an answer in memory.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (k *kept) Header() http.Header { return k.header }

// WriteHeader implements http.ResponseWriter.
func (k *kept) WriteHeader(status int) { k.status = status }

// Write implements http.ResponseWriter.
func (k *kept) Write(p []byte) (int, error) { return k.body.Write(p) }
