package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/subscriber"
)

// load is one load on the built-in bus: frames of 300 bytes from one publisher.
type load struct {
	subscribers int
	rate        int // published a second; 0 means as many as it takes
	delivered   float64
	hold        string
}

var loads = []load{
	{1, 0, 100_000, "≥ 100,000 delivered/s"},
	{10, 0, 200_000, "≥ 200,000 delivered/s"},
	{1, 30_000, 0, "0 lost"},
	{10, 10_000, 0, "0 lost"},
}

// busLoad measures the bus alone: there is no daemon and no engine.
func busLoad(ctx context.Context, b *bench) ([]report.Row, error) {
	var rows []report.Row
	for _, l := range loads {
		err := b.on(ctx, func(h *stage.Host) error {
			if err := h.StartBus(ctx, "bus.sock"); err != nil {
				return err
			}
			row, err := l.measure(ctx, h, time.Duration(b.pick(10, 2))*time.Second)
			rows = append(rows, row)
			return err
		})
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

const loadTopic = "bench.load.frames"

func (l load) measure(ctx context.Context, h *stage.Host, during time.Duration) (report.Row, error) {
	row := report.Row{Key: fmt.Sprintf("bus/%d-%d", l.subscribers, l.rate), Hold: l.hold,
		What: fmt.Sprintf("built-in bus, 300-byte frames, %d subscribers, flat out", l.subscribers)}
	if l.rate > 0 {
		row.What = fmt.Sprintf("built-in bus, 300-byte frames, %d subscribers, %d published/s", l.subscribers, l.rate)
	}
	counts, err := l.subscribe(ctx, h)
	if err != nil {
		return row, err
	}
	base, mark := total(counts.Since(0)), counts.Len()
	said, err := h.Publish(ctx, "-topic", loadTopic, "-for", during.String(), "-rate", strconv.Itoa(l.rate), "-size", "300")
	if err != nil {
		return row, err
	}
	var sent published
	if err := json.Unmarshal([]byte(said), &sent); err != nil {
		return row, fmt.Errorf("publisher says %q: %w", said, err)
	}
	if err := pause(ctx, time.Second); err != nil { // what is still under way
		return row, err
	}
	lines := counts.Since(mark)
	got := total(lines) - base
	rate := float64(got) / seconds(lines)
	want := sent.Frames * int64(l.subscribers)
	row.N = int(sent.Frames)
	row.Values = map[string]float64{"delivered_per_s": rate, "published_per_s": float64(sent.Frames) / sent.Seconds, "lost": float64(want - got)}
	row.Measured = fmt.Sprintf("%.0f delivered/s of %.0f published/s, %d lost (%.2g %%)", rate, float64(sent.Frames)/sent.Seconds,
		want-got, 100*float64(want-got)/float64(want))
	row.OK = rate >= l.delivered && (l.delivered > 0 || want == got)
	return row, nil
}

// subscribe starts the subscribers and proves by single frames that each is fanned out to.
func (l load) subscribe(ctx context.Context, h *stage.Host) (*stage.Feed[subscriber.Counts], error) {
	_, counts, err := h.Count(loadTopic, l.subscribers)
	if err != nil {
		return nil, err
	}
	err = stage.Until(ctx, time.Minute, func() error {
		if _, err := h.Publish(ctx, "-topic", loadTopic, "-for", "1ms", "-rate", "1000", "-size", "300"); err != nil {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		all := counts.Since(0)
		if len(all) == 0 || slices.Contains(all[len(all)-1].Counts, 0) {
			return fmt.Errorf("not every one of %d subscribers is in force", l.subscribers)
		}
		return nil
	})
	return counts, err
}

// total is what all subscribers together had got at the end.
func total(lines []subscriber.Counts) (n int64) {
	if len(lines) > 0 {
		for _, c := range lines[len(lines)-1].Counts {
			n += c
		}
	}
	return n
}

// seconds is from the last line before the first frame came to the first one after the last.
func seconds(lines []subscriber.Counts) float64 {
	first, last := -1, 0
	for i := 1; i < len(lines); i++ {
		if !slices.Equal(lines[i].Counts, lines[i-1].Counts) {
			if first < 0 {
				first = i - 1
			}
			last = i
		}
	}
	if first < 0 {
		return 1
	}
	return float64(lines[last].At-lines[first].At) / float64(time.Second)
}
