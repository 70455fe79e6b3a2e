package subscriber

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/wire"
)

// Load is what Publish sends.
type Load struct {
	Socket, Topic string
	Rate          int           // frames a second; 0 means as fast as the server takes them
	For           time.Duration // how long
	Size          int           // of a frame on the wire, header and length included
}

// slice is how long a burst of a paced load stands for.
const slice = time.Millisecond

// Publish sends a load over one connection and says how many frames that were and how long it took.
func Publish(ctx context.Context, l Load) (frames int64, took time.Duration, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", l.Socket)
	if err != nil {
		return 0, 0, fmt.Errorf("connect to the bus %q: %w", l.Socket, err)
	}
	defer c.Close() //nolint:errcheck // everything is written
	frame := padded(l.Topic, l.Size)
	burst := 64 // chosen: one write costs little for each of them
	began := time.Now()
	for {
		if l.Rate > 0 {
			due := int64(time.Since(began)/slice) * int64(l.Rate) / int64(time.Second/slice)
			burst = int(due - frames)
		}
		if burst == 0 {
			time.Sleep(slice / 4)
			continue
		}
		if _, err := c.Write(repeat(frame, burst)); err != nil {
			return frames, time.Since(began), fmt.Errorf("publish: %w", err)
		}
		frames += int64(burst)
		if took = time.Since(began); took >= l.For || ctx.Err() != nil {
			return frames, took, nil
		}
	}
}

// padded makes a PUB frame of a size, with an envelope as DECNET's clients send it.
func padded(topic string, size int) []byte {
	const head, tail = `{"payload":{"pad":"`, `"},"type":"load"}`
	bare := len(wire.Frame{Verb: "PUB", Args: topic, Body: []byte(head + tail)}.Append(nil))
	pad := make([]byte, max(0, size-bare))
	for i := range pad {
		pad[i] = 'x'
	}
	return wire.Frame{Verb: "PUB", Args: topic, Body: append(append([]byte(head), pad...), tail...)}.Append(nil)
}

func repeat(frame []byte, n int) []byte {
	b := make([]byte, 0, n*len(frame))
	for range n {
		b = append(b, frame...)
	}
	return b
}
