// Package report is what the measuring programs leave behind: a table for the terminal, a JSON file for each run under
// bench/results, and bench/RESULTS.md, made from the newest value of every row.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Row is one number to hold and what was measured.
type Row struct {
	Key      string             `json:"key"` // of the measurement that made it, then what tells it from its sisters
	What     string             `json:"what"`
	Hold     string             `json:"hold"` // "" where nothing is promised
	Measured string             `json:"measured"`
	OK       bool               `json:"ok"`
	Skipped  string             `json:"skipped,omitempty"` // why it was not measured
	N        int                `json:"n,omitempty"`       // samples
	Values   map[string]float64 `json:"values,omitempty"`  // the numbers behind it; units are in their names
	Stolen   float64            `json:"stolen,omitempty"`  // percentage of the processors that the hypervisor gave to others meanwhile
}

// Verdict is the last column.
func (r Row) Verdict() string {
	switch {
	case r.Skipped != "":
		return "not measured"
	case r.Hold == "":
		return ""
	case r.OK:
		return "yes"
	}
	return "NO"
}

// brokenKey marks the row that says that a measurement broke off.
const brokenKey = "/broke-off"

// BrokeOff is what is left of a measurement that could not be made to its end: nothing in it holds, and a row says why.
func BrokeOff(rows []Row, key, what string, err error) []Row {
	left := slices.Clone(rows)
	for i := range left {
		if left[i].OK && left[i].Hold != "" {
			left[i].OK, left[i].Measured = false, left[i].Measured+" (broke off)"
		}
	}
	why, _, _ := strings.Cut(err.Error(), "\n")
	return append(left, Row{Key: key + brokenKey, What: what, Hold: "measured to the end", Measured: why})
}

// Machine is what a number depends on besides the product.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Docker string `json:"docker,omitempty"`
}

// Run is one run of a measuring program.
type Run struct {
	Date    time.Time `json:"date"`
	Commit  string    `json:"commit"` // with -dirty where the tree differed from it
	Machine Machine   `json:"machine"`
	Quick   bool      `json:"quick"`
	Took    string    `json:"took"`
	Rows    []Row     `json:"rows"`
}

// Table prints rows for people.
func Table(w io.Writer, rows []Row) error {
	lines := []string{"what\thold\tmeasured\tn\tok"}
	for _, r := range rows {
		measured := r.Measured
		if r.Skipped != "" {
			measured = r.Skipped
		}
		lines = append(lines, strings.Join([]string{r.What, r.Hold, measured, count(r.N), r.Verdict()}, "\t"))
	}
	t := tabwriter.NewWriter(w, 2, 0, 2, ' ', 0)
	if _, err := io.WriteString(t, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	return t.Flush()
}

func count(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// Save writes the run as <date>-<commit>.json below dir and gives the path.
func (r Run) Save(dir string) (string, error) {
	path := filepath.Join(dir, r.Date.UTC().Format("20060102-150405")+"-"+r.Commit+".json")
	return path, WriteJSON(path, r)
}

// WriteJSON writes a value for people and programs.
func WriteJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %q: %w", path, err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644) //nolint:gosec // a document
}

// load reads all runs below dir, the oldest first. A file that is none of ours is an error: results are not to rot.
func load(dir string) ([]Run, []Soak, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, nil, err
	}
	var runs []Run
	var soaks []Soak
	for _, path := range paths {
		text, err := os.ReadFile(path) //nolint:gosec // of our own directory
		if err != nil {
			return nil, nil, err
		}
		if strings.HasPrefix(filepath.Base(path), "soak-") {
			var s Soak
			err = json.Unmarshal(text, &s)
			soaks = append(soaks, s)
		} else {
			var r Run
			err = json.Unmarshal(text, &r)
			runs = append(runs, r)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read %q: %w", path, err)
		}
	}
	slices.SortFunc(runs, func(a, b Run) int { return a.Date.Compare(b.Date) })
	slices.SortFunc(soaks, func(a, b Soak) int { return a.Date.Compare(b.Date) })
	if len(runs)+len(soaks) == 0 {
		return nil, nil, errors.New("no results in " + dir)
	}
	return runs, soaks, nil
}
