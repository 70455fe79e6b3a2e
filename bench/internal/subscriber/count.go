package subscriber

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/wire"
)

// countEvery is how often counts are told. Chosen: fine against the seconds a load lasts.
const countEvery = 50 * time.Millisecond

// Counts is one line of what Count writes.
type Counts struct {
	At     int64   `json:"at"` // nanoseconds since the epoch
	Counts []int64 `json:"counts"`
}

// Count subscribes a topic over so many connections and tells how many of its events each has got, 20 times a second,
// until ctx ends. It decodes nothing but headers, so that it is the bus that is measured.
func Count(ctx context.Context, socket, topic string, connections int, w io.Writer) error {
	counts := make([]atomic.Int64, connections)
	var all sync.WaitGroup
	defer all.Wait()
	for i := range counts {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err != nil {
			return fmt.Errorf("connect to the bus %q: %w", socket, err)
		}
		context.AfterFunc(ctx, func() { _ = c.Close() })
		if _, err := c.Write(wire.Frame{Verb: "SUB", Args: topic}.Append(nil)); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		all.Go(func() { count(c, topic, &counts[i]) })
	}
	return tell(ctx, counts, w)
}

func count(c net.Conn, topic string, n *atomic.Int64) {
	for r := wire.NewReader(c); ; {
		_, args, err := r.Skip()
		if err != nil {
			return
		}
		if args == topic {
			n.Add(1)
		}
	}
}

func tell(ctx context.Context, counts []atomic.Int64, w io.Writer) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for out := json.NewEncoder(w); ; {
		line := Counts{At: time.Now().UnixNano(), Counts: make([]int64, len(counts))}
		for i := range counts {
			line.Counts[i] = counts[i].Load()
		}
		if err := out.Encode(line); err != nil {
			return fmt.Errorf("tell counts: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
