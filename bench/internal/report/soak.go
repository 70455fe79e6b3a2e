package report

import "time"

// Soak is the summary of an endurance run.
type Soak struct {
	Date       time.Time      `json:"date"`
	Commit     string         `json:"commit"`
	Machine    Machine        `json:"machine"`
	Seconds    float64        `json:"seconds"` // under load, without start and rest
	Seed       uint64         `json:"seed"`
	Deckies    int            `json:"deckies"`
	Containers int            `json:"containers"`
	Operations map[string]int `json:"operations"` // what was done to containers, how often
	Failed     int            `json:"operations_failed"`
	Counts     SoakCounts     `json:"counts"`
	Violations []string       `json:"violations"`
	RSS        Series         `json:"rss_kib"`
	Files      Series         `json:"open_files"`
	Threads    Series         `json:"threads"` // the daemon tells nobody how many goroutines it has
	Samples    []Sample       `json:"samples"`
	Latency    LatencyCounts  `json:"observed_to_received_ms"`
	Transition map[string]int `json:"transitions"`      // by kind and state
	Engine     map[string]int `json:"engine_events"`    // that the engine told, by action
	WAL        int64          `json:"wal_bytes_at_end"` // of the database
	Notes      []string       `json:"notes,omitempty"`
}

// SoakCounts say what was committed and what arrived.
type SoakCounts struct {
	Committed  int64 `json:"committed"`  // transitions that the database has
	Received   int64 `json:"received"`   // events that the subscriber wrote down, repetitions included
	Distinct   int64 `json:"distinct"`   // different ones among them
	Duplicates int64 `json:"duplicates"` // repetitions, each the same to the byte
	Lost       int64 `json:"lost"`
}

// Sample is one look at the daemon.
type Sample struct {
	Second   int   `json:"s"` // since the start
	RSS      int64 `json:"rss_kib"`
	Files    int   `json:"fds"`
	Threads  int   `json:"threads"`
	Received int   `json:"received"`
}

// LatencyCounts are milliseconds.
type LatencyCounts struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Series is a number over time. SlopePerHour is that of the straight line nearest to the samples of the second half:
// a start always grows.
type Series struct {
	First        float64 `json:"first"`
	Last         float64 `json:"last"`
	Max          float64 `json:"max"`
	SlopePerHour float64 `json:"slope_per_hour"`
}

// NewSeries sums up values that were taken at seconds.
func NewSeries(seconds, values []float64) Series {
	var s Series
	for i, v := range values {
		if i == 0 {
			s.First = v
		}
		s.Last, s.Max = v, max(s.Max, v)
	}
	half := len(values) / 2
	s.SlopePerHour = slope(seconds[half:], values[half:]) * time.Hour.Seconds()
	return s
}

// slope is that of the least squares.
func slope(x, y []float64) float64 {
	var mx, my, xy, xx float64
	for i := range x {
		mx += x[i] / float64(len(x))
		my += y[i] / float64(len(x))
	}
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
