package console

import (
	"bufio"
	"bytes"
	"context"
	"math"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// profileKinds are the profiles that can be taken.
var profileKinds = []string{"cpu", "trace", "heap", "allocs", "goroutine", "block", "mutex", "threadcreate"}

// Bounds of a profile. Chosen: what a person waits for; the daemon has a watchdog of 30 s that goes on meanwhile.
const (
	profileSeconds = 5
	maxProfile     = 60
)

// profileTime reads how long to measure; without ok it has refused the request.
func profileTime(w http.ResponseWriter, r *http.Request) (d time.Duration, ok bool) {
	text := r.URL.Query().Get("seconds")
	if text == "" {
		return profileSeconds * time.Second, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxProfile {
		refuse(w, http.StatusBadRequest, BadRequest, "seconds is "+strconv.Quote(clipped(text, 64))+", must be from 1 to "+strconv.Itoa(maxProfile), "")
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

func (s *Server) pprof(w http.ResponseWriter, r *http.Request) {
	kind := r.PathValue("kind")
	if !slices.Contains(profileKinds, kind) {
		refuse(w, http.StatusNotFound, NotFound, "there is no profile "+strconv.Quote(clipped(kind, 64)), "they are "+strings.Join(profileKinds, ", "))
		return
	}
	d, ok := profileTime(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if r.Method == http.MethodHead { // a profile costs seconds, and nobody would see it
		return
	}
	select {
	case s.profiler <- struct{}{}:
		defer func() { <-s.profiler }()
	default:
		refuse(w, http.StatusConflict, Conflict, "a profile is being taken", "one at a time: try again when it is done")
		return
	}
	s.allowWriting(w, d+writeWait)
	var raw bytes.Buffer
	if err := s.profile(r.Context(), kind, d, &raw); err != nil {
		refuse(w, http.StatusServiceUnavailable, Unavailable, "the profile cannot be taken: "+err.Error(), "")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+kind+`.pprof"`)
	_, _ = w.Write(raw.Bytes()) // an error means that the reader has gone
}

// profile takes one; it stays in memory until it is whole, so that a slow reader does not lengthen it.
func (s *Server) profile(ctx context.Context, kind string, d time.Duration, to *bytes.Buffer) error {
	begin, end := pprof.StartCPUProfile, pprof.StopCPUProfile
	switch kind {
	case "trace":
		begin, end = trace.Start, trace.Stop
	case "cpu":
	default:
		return pprof.Lookup(kind).WriteTo(to, 0)
	}
	if err := begin(to); err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	end()
	return ctx.Err()
}

// goroutines groups the goroutines of the process by actor and stack. It stops the world for a moment.
func (s *Server) goroutines(w http.ResponseWriter, r *http.Request) {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		refuse(w, http.StatusServiceUnavailable, Unavailable, "the goroutines cannot be listed: "+err.Error(), "")
		return
	}
	all := parseGoroutines(&profile)
	list := GoroutineList{Envelope: Envelope{API, "goroutines"}}
	for _, g := range all {
		list.Total += g.Count
	}
	if items, ok := listed(w, r, all); ok {
		list.Items = items
		reply(w, list)
	}
}

// parseGoroutines reads a goroutine profile in text form: blocks of "N @ addresses", a line of labels, and "#" lines with
// the stack.
func parseGoroutines(profile *bytes.Buffer) []GoroutineGroup {
	var out []GoroutineGroup
	lines := bufio.NewScanner(profile)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		n, _, at := strings.Cut(line, " @")
		count, err := strconv.Atoi(n)
		switch {
		case at && err == nil:
			out = append(out, GoroutineGroup{Count: count})
		case len(out) == 0:
		case strings.HasPrefix(line, "# labels: "):
			g := &out[len(out)-1]
			g.Actor, g.Name = label(line, "actor"), label(line, "goroutine")
		case strings.HasPrefix(line, "#\t"):
			g := &out[len(out)-1]
			if g.Top == "" {
				g.Top = function(line)
			}
			g.Stack += strings.TrimPrefix(line, "#\t") + "\n"
		}
	}
	slices.SortStableFunc(out, func(a, b GoroutineGroup) int { return strings.Compare(a.Actor, b.Actor) })
	return out
}

// label reads one of {"actor":"decky/a", "goroutine":"observe"}.
func label(line, key string) string {
	_, after, found := strings.Cut(line, strconv.Quote(key)+":")
	if !found {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(after)
	if err != nil {
		return ""
	}
	text, err := strconv.Unquote(quoted)
	if err != nil {
		return ""
	}
	return text
}

// function is the name in "#\t0x4567\tnet.(*conn).Read+0x45\tfile:1".
func function(line string) string {
	parts := strings.Split(line, "\t")
	if len(parts) < 3 {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimSpace(parts[2]), "+0x")
	return name
}

func (s *Server) runtime(w http.ResponseWriter, _ *http.Request) {
	samples := []metrics.Sample{
		{Name: "/sched/goroutines:goroutines"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/goal:bytes"},
		{Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/user:cpu-seconds"}, {Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/latencies:seconds"},
		{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/allocs:objects"},
	}
	metrics.Read(samples)
	u := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	f := func(i int) float64 {
		if samples[i].Value.Kind() != metrics.KindFloat64 {
			return 0
		}
		return samples[i].Value.Float64()
	}
	reply(w, RuntimeReply{Envelope: Envelope{API, "runtime"}, GoVersion: goVersion(), Processors: runtime.GOMAXPROCS(0), Goroutines: u(0), HeapBytes: u(1),
		HeapGoalBytes: u(2), MemoryBytes: u(3), RSSBytes: rss(), GCCycles: u(4), GCCPUSeconds: f(5), CPUSeconds: f(6),
		PauseP99Seconds: quantile(samples[7].Value, 0.99), SchedP99Seconds: quantile(samples[8].Value, 0.99), AllocatedBytes: u(9), AllocatedObjects: u(10)})
}

func goVersion() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		return b.GoVersion
	}
	return runtime.Version()
}

// quantile of one of the runtime's histograms: the upper end of its bucket, 0 without samples.
func quantile(v metrics.Value, q float64) float64 {
	if v.Kind() != metrics.KindFloat64Histogram {
		return 0
	}
	h := v.Float64Histogram()
	total, n := uint64(0), uint64(0)
	for _, c := range h.Counts {
		total += c
	}
	for i, c := range h.Counts {
		if n += c; total > 0 && float64(n) >= q*float64(total) {
			if end := h.Buckets[i+1]; !math.IsInf(end, 0) {
				return end
			}
			return h.Buckets[i]
		}
	}
	return 0
}

// rss is the memory of the process as the kernel counts it; 0 if it does not say.
func rss() uint64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	parts := strings.Fields(string(raw))
	if len(parts) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize()) //nolint:gosec // a page size is positive
}
