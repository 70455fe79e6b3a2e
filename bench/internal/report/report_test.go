package report

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestQuantileIsASampleThatWasTaken(t *testing.T) {
	samples := make([]time.Duration, 0, 100)
	for i := 100; i >= 1; i-- {
		samples = append(samples, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 50, 0.99: 99, 1: 100} {
		if got := Millis(Quantile(samples, q)); got != want {
			t.Errorf("quantile %v: %v, want %v ms", q, got, want)
		}
	}
	if Quantile(nil, 0.5) != 0 {
		t.Error("no samples, but a quantile")
	}
}

func TestSlopeIsThatWithinTheGroupsAndNotBetweenThem(t *testing.T) {
	var x, y []float64
	var lives []int
	for i := range 60 { // three lives, each of them begins lower than the one before ended, and grows by 2
		x, y, lives = append(x, float64(10*i)), append(y, float64(1000+2*(i%20)-100*(i/20))), append(lives, i/20)
	}
	if got := PooledSlope(x, y, lives); math.Abs(got-0.2) > 1e-9 {
		t.Errorf("slope %v, not 0.2", got)
	}
	if got := PooledSlope(x[:1], y[:1], lives[:1]); got != 0 {
		t.Errorf("a single value has the slope %v", got)
	}
}

// The document must not hide a number that did not hold, nor prefer one that was taken in a hurry.
func TestDocumentShowsTheNewestOfEveryRow(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "results"), 0o700); err != nil {
		t.Fatal(err)
	}
	day := func(d int) time.Time { return time.Date(2026, 11, d, 0, 0, 0, 0, time.UTC) }
	for _, run := range []Run{
		{Date: day(1), Commit: "aaa", Rows: []Row{{Key: "cold/1", What: "cold", Hold: "≤ 1 s", Measured: "2 s"}, {Key: "sim/row", What: "sim", Hold: "≤ 1 ms", Measured: "9 ms"}}},
		{Date: day(2), Commit: "bbb", Rows: []Row{{Key: "sim/row", What: "sim", Hold: "≤ 1 ms", Measured: "0.5 ms", OK: true}}},
		{Date: day(3), Commit: "ccc", Quick: true, Rows: []Row{{Key: "cold/1", What: "cold", Measured: "hurried", OK: true}}},
		{Date: day(4), Commit: "ddd", Rows: []Row{{Key: "sim/row", What: "sim", Hold: "≤ 1 ms", Skipped: "no simulator"}}},
	} {
		if _, err := run.Save(filepath.Join(dir, "results")); err != nil {
			t.Fatal(err)
		}
	}
	if err := Document(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| cold | ≤ 1 s | 2 s (`aaa`, 2026-11-01 00:00) |  | **NO** |", "| sim | ≤ 1 ms | 0.5 ms |  | yes |", "- cold: 2 s, promised is ≤ 1 s"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "hurried") || strings.Contains(string(text), "no simulator") {
		t.Errorf("a worse value was preferred:\n%s", text)
	}
}

func TestWhatBrokeOffDoesNotHold(t *testing.T) {
	rows := []Row{{Key: "term/1", Hold: "≤ 1 s", Measured: "20 ms", OK: true}, {Key: "term/2", Measured: "7"}}
	got := BrokeOff(rows, "term", "the end", errors.New("exit code -1\nand its log"))
	if len(got) != 3 || got[0].Verdict() != "NO" || got[1].Verdict() != "" || got[2].Verdict() != "NO" || got[2].Measured != "exit code -1" || !rows[0].OK {
		t.Errorf("%+v", got)
	}
	broken := Run{Date: time.Unix(1, 0), Rows: got}
	if left := newest([]Run{broken}); len(left) != 3 {
		t.Errorf("the document hides it: %+v", left)
	}
	again := Run{Date: time.Unix(2, 0), Rows: rows}
	if left := newest([]Run{broken, again}); len(left) != 2 || left[0].Verdict() != "yes" {
		t.Errorf("measured again, but %+v", left)
	}
}

func TestStolenTimeIsAShareOfAll(t *testing.T) {
	if got := (Ticks{All: 300, Stolen: 40}).StolenSince(Ticks{All: 100, Stolen: 10}); got != 15 {
		t.Errorf("%g %%, want 15", got)
	}
	if now := TicksNow(); now.All <= 0 || now.Stolen < 0 || now.Stolen > now.All {
		t.Errorf("%+v", now)
	}
}
