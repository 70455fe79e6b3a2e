// Package subscriber is the consumer on the bus that the measurements believe: a process of its own, with a connection
// and a decoder of its own. It writes down every event with the moment it was read, and takes a new connection when
// the server goes.
package subscriber

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/wire"
)

// ReadyTopic marks the entry a subscriber writes when the server has proved that it fans out to it.
const ReadyTopic = "bench.ready"

// redial is how often a server that is away is tried. Chosen: far below anything that is measured.
const redial = 2 * time.Millisecond

// Entry is one line of the record.
type Entry struct {
	At    int64           `json:"at"` // when the frame was read, nanoseconds since the epoch
	Topic string          `json:"topic"`
	Event json.RawMessage `json:"event,omitempty"` // the body of the frame: DECNET's envelope
}

// Run writes an entry for every event on the bus to w, one JSON object a line, until ctx ends. Whoever reads w sees
// each line as soon as the bus is quiet. The error is that of w.
func Run(ctx context.Context, socket string, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	for ctx.Err() == nil {
		c, err := dial(ctx, socket)
		if err != nil {
			return nil //nolint:nilerr // ctx ended
		}
		err = listen(ctx, socket, c, out)
		_ = c.Close() // the server went, or we go
		if err != nil {
			return err
		}
	}
	return nil
}

func dial(ctx context.Context, socket string) (net.Conn, error) {
	tick := time.NewTicker(redial)
	defer tick.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if err == nil {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// listen subscribes to everything and records until the connection ends.
func listen(ctx context.Context, socket string, c net.Conn, out *bufio.Writer) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	hello := wire.Frame{Verb: "HELLO", Args: "bench"}.Append(nil)
	if _, err := c.Write(wire.Frame{Verb: "SUB", Args: ">"}.Append(hello)); err != nil {
		return nil // the server went at once; the next connection will do
	}
	probed, heard := context.WithCancel(ctx)
	defer heard()
	go prove(probed, socket)
	r := wire.NewReader(c)
	for {
		f, err := r.Read()
		if err != nil {
			return out.Flush()
		}
		switch {
		case f.Args != probeTopic():
			err = record(out, time.Now(), f)
		case probed.Err() == nil:
			heard()
			err = record(out, time.Now(), wire.Frame{Args: ReadyTopic})
		} // a late probe is nothing to write down, but what came before it may wait for its flush
		if err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func probeTopic() string { return "bench.probe." + strconv.Itoa(os.Getpid()) }

// prove publishes over a second connection until the first one has heard it: the bus acknowledges no subscription.
func prove(ctx context.Context, socket string) {
	c, err := dial(ctx, socket)
	if err != nil {
		return
	}
	defer c.Close() //nolint:errcheck // nothing waits in it
	probe := wire.Frame{Verb: "PUB", Args: probeTopic(), Body: []byte(`{"payload":{},"type":"bench"}`)}.Append(nil)
	tick := time.NewTicker(redial)
	defer tick.Stop()
	for {
		if _, err := c.Write(probe); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// record writes an entry by hand: encoding/json would cost more than the bus.
func record(out *bufio.Writer, at time.Time, f wire.Frame) error {
	b := append(out.AvailableBuffer(), `{"at":`...)
	b = strconv.AppendInt(b, at.UnixNano(), 10)
	b = append(b, `,"topic":`...)
	b = append(b, quote(f.Args)...)
	switch {
	case len(f.Body) == 0:
	case bytes.IndexByte(f.Body, '\n') < 0 && json.Valid(f.Body):
		b = append(append(b, `,"event":`...), f.Body...)
	default: // whatever it is, it stays one line
		b = append(append(b, `,"event":`...), quote(string(f.Body))...)
	}
	_, err := out.Write(append(b, '}', '\n'))
	return err
}

// quote makes a JSON string of any bytes.
func quote(s string) []byte {
	b, err := json.Marshal(s)
	if err != nil {
		return []byte(`""`) // a string always encodes
	}
	return b
}
