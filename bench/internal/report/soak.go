package report

import "time"

// Soak is the summary of an endurance run. The half with real containers stands for itself, so that summaries of the time before
// there was another can be read.
type Soak struct {
	Date    time.Time `json:"date"`
	Commit  string    `json:"commit"`
	Machine Machine   `json:"machine"`
	Seed    uint64    `json:"seed"`
	SoakHalf
	Simulated *SoakHalf `json:"simulated,omitempty"` // the half with a simulated engine
}

// SoakHalf is what one daemon lived through.
type SoakHalf struct {
	Seconds    float64        `json:"seconds"` // under load, without start and rest
	Deckies    int            `json:"deckies"`
	Containers int            `json:"containers"`
	Operations map[string]int `json:"operations"` // what was done to containers, how often
	Failed     int            `json:"operations_failed"`
	Incidents  map[string]int `json:"incidents"` // what befell the whole host, how often
	Lives      int            `json:"lives"`     // of the daemon
	Counts     SoakCounts     `json:"counts"`
	Violations []string       `json:"violations"`
	RSS        Series         `json:"rss_kib"`
	Files      Series         `json:"open_files"`
	Threads    Series         `json:"threads"`
	Goroutines Series         `json:"goroutines"`
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
	Second     int   `json:"s"` // since the start
	Life       int   `json:"life"`
	RSS        int64 `json:"rss_kib"`
	Files      int   `json:"fds"`
	Threads    int   `json:"threads"`
	Goroutines int   `json:"goroutines"` // 0: it was not said
	Received   int   `json:"received"`
}

// LatencyCounts are milliseconds.
type LatencyCounts struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Series is a number over time. SlopePerHour is that of the straight line nearest to the samples without those of a start,
// which always grows.
type Series struct {
	First        float64 `json:"first"`
	Last         float64 `json:"last"`
	Max          float64 `json:"max"`
	SlopePerHour float64 `json:"slope_per_hour"`
}

// PooledSlope is that of the straight lines nearest to the values of each group, all of the same slope: each group's mean is
// taken out first. Zero where there is nothing to draw a line through.
func PooledSlope(x, y []float64, groups []int) float64 {
	type mean struct{ n, x, y float64 }
	means := map[int]mean{}
	for i, g := range groups {
		m := means[g]
		means[g] = mean{m.n + 1, m.x + x[i], m.y + y[i]}
	}
	var xy, xx float64
	for i, g := range groups {
		m := means[g]
		dx, dy := x[i]-m.x/m.n, y[i]-m.y/m.n
		xy, xx = xy+dx*dy, xx+dx*dx
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}
