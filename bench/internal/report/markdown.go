package report

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stood is a row with the run it comes from.
type stood struct {
	Row
	run Run
}

// Document writes bench/RESULTS.md from what lies in bench/results: every row's newest value that was not measured in
// a hurry, and the longest endurance run.
func Document(bench string) error {
	runs, soaks, err := load(filepath.Join(bench, "results"))
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# What was measured\n\nMade by `make bench` and `make soak` from the files in `results/`; what each row means and how it is\n" +
		"taken is in [README.md](README.md). \"NO\" is a number that was promised and did not hold in that run.\n\n")
	rows := newest(runs)
	if len(rows) > 0 {
		table(&b, rows)
		misses(&b, rows)
	}
	if len(soaks) > 0 {
		longest(soaks).write(&b)
	}
	return os.WriteFile(filepath.Join(bench, "RESULTS.md"), []byte(b.String()), 0o644) //nolint:gosec // a document
}

// newest gives the last value of every row, in the order of the last run that has it.
func newest(runs []Run) []stood {
	var rows []stood
	for _, run := range runs {
		if run.Quick {
			continue
		}
		rows = slices.DeleteFunc(rows, func(s stood) bool { return strings.HasSuffix(s.Key, brokenKey) && measures(run, prefix(s.Key)) })
		for _, r := range run.Rows {
			i := slices.IndexFunc(rows, func(s stood) bool { return s.Key == r.Key })
			switch {
			case i < 0:
				rows = append(rows, stood{r, run})
			case r.Skipped == "" || rows[i].Skipped != "":
				rows[i] = stood{r, run}
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b stood) int { return slices.Index(Order, prefix(a.Key)) - slices.Index(Order, prefix(b.Key)) })
	return rows
}

// measures says whether a run has rows of a measurement: then an older failure of it is history.
func measures(run Run, key string) bool {
	return slices.ContainsFunc(run.Rows, func(r Row) bool { return prefix(r.Key) == key })
}

// Order is that of the measurements in the document.
var Order = []string{"docker", "sim", "file", "cold", "quiet", "flip", "rest", "actor", "storm", "outage", "bus", "crash", "term"}

func prefix(key string) string {
	p, _, _ := strings.Cut(key, "/")
	return p
}

// worthSaying is how much stolen processor time is said with a number. Chosen: what a quiet machine shows stays below.
const worthSaying = 3

func table(b *strings.Builder, rows []stood) {
	latest := rows[0].run
	for _, r := range rows {
		if r.run.Date.After(latest.Date) {
			latest = r.run
		}
	}
	m := latest.Machine
	fmt.Fprintf(b, "%s, %d cores, %s, Linux %s, %s. Commit `%s`, %s.\n", m.CPU, m.Cores, m.Memory, m.Kernel, m.Go, latest.Commit,
		latest.Date.UTC().Format("2006-01-02 15:04 UTC"))
	if m.Docker != "" {
		fmt.Fprintf(b, "Real containers: %s.\n", m.Docker)
	}
	b.WriteString("\n| what | hold | measured | n | holds |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		measured := r.Measured
		if r.Skipped != "" {
			measured = r.Skipped
		}
		if !r.run.Date.Equal(latest.Date) {
			measured += fmt.Sprintf(" (`%s`, %s)", r.run.Commit, r.run.Date.UTC().Format("2006-01-02 15:04"))
		}
		if r.Stolen >= worthSaying {
			measured += fmt.Sprintf("; %.0f %% of the processors stolen", r.Stolen)
		}
		verdict := r.Verdict()
		if verdict == "NO" {
			verdict = "**NO**"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", r.What, r.Hold, measured, count(r.N), verdict)
	}
}

// misses names what did not hold, so that nobody has to search for it.
func misses(b *strings.Builder, rows []stood) {
	b.WriteString("\n")
	none := true
	for _, r := range rows {
		if v := r.Verdict(); v == "NO" || v == "not measured" {
			if none {
				b.WriteString("Not held or not measured:\n\n")
			}
			none = false
			fmt.Fprintf(b, "- %s: %s%s, promised is %s\n", r.What, r.Measured, r.Skipped, r.Hold)
		}
	}
	if none {
		b.WriteString("Every number held.\n")
	}
}

// longest gives the newest of the longest runs: a trial of a minute does not replace an hour.
func longest(soaks []Soak) Soak {
	best := soaks[0]
	for _, s := range soaks {
		if s.Seconds >= 0.99*best.Seconds {
			best = s
		}
	}
	return best
}

func (s Soak) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## Endurance\n\n%.0f minutes on %d real containers (%d deckies), commit `%s`, %s, seed %d.\n\n", s.Seconds/60,
		s.Containers, s.Deckies, s.Commit, s.Date.UTC().Format("2006-01-02 15:04 UTC"), s.Seed)
	s.SoakHalf.write(b)
	if s.Simulated != nil {
		fmt.Fprintf(b, "\nIn the same run another daemon, %.0f minutes on %d simulated containers (%d deckies).\n\n", s.Simulated.Seconds/60,
			s.Simulated.Containers, s.Simulated.Deckies)
		s.Simulated.write(b)
	}
}

func (s SoakHalf) write(b *strings.Builder) {
	total := 0
	for _, n := range s.Operations {
		total += n
	}
	fmt.Fprintf(b, "- %d operations on containers (%s)\n", total, words(s.Operations))
	if len(s.Incidents) > 0 {
		fmt.Fprintf(b, "- meanwhile: %s; %d lives of the daemon\n", words(s.Incidents), s.Lives)
	}
	fmt.Fprintf(b, "- %d transitions committed, %d different ones received, %d lost, %d repeated; violations: %d\n", s.Counts.Committed,
		s.Counts.Distinct, s.Counts.Lost, s.Counts.Duplicates, len(s.Violations))
	fmt.Fprintf(b, "- `observed_at` of an event to its arrival: p50 %.3g ms, p99 %.3g ms, max %.3g ms (commits of one decky are a second apart, so a cause may wait that long)\n", s.Latency.P50, s.Latency.P99, s.Latency.Max)
	fmt.Fprintf(b, "- RSS %.0f KiB at first, %.0f at the end, at most %.0f, %+.0f KiB an hour\n", s.RSS.First, s.RSS.Last,
		s.RSS.Max, s.RSS.SlopePerHour)
	fmt.Fprintf(b, "- open files %.0f at first, %.0f at the end, at most %.0f, %+.1f an hour", s.Files.First, s.Files.Last, s.Files.Max, s.Files.SlopePerHour)
	if s.Threads.Max > 0 {
		fmt.Fprintf(b, "; threads %.0f, %.0f, %.0f", s.Threads.First, s.Threads.Last, s.Threads.Max)
	}
	if s.Goroutines.Max > 0 {
		fmt.Fprintf(b, "; goroutines %.0f, %.0f, %.0f, %+.1f an hour", s.Goroutines.First, s.Goroutines.Last, s.Goroutines.Max, s.Goroutines.SlopePerHour)
	}
	b.WriteString("\n")
	for _, v := range s.Violations {
		fmt.Fprintf(b, "- **violation**: %s\n", v)
	}
}

func words(n map[string]int) string {
	var all []string
	for k, v := range n {
		all = append(all, fmt.Sprintf("%s %d", k, v))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
