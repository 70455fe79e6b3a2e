package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/adapters/unixsock"
	"github.com/decnet/decnet-fleetd/messages"
)

// sendTimeout bounds a dial and a write. Source: a server that has not read 200 KiB within two seconds is stalled, and
// nothing is lost by finding that out.
const sendTimeout = 2 * time.Second

// drainFor is how long the second connection is still read when the first has ended, for what the server had already
// sent. Chosen: it is in the socket's buffer by then.
const drainFor = 100 * time.Millisecond

// Pair is a link as its user sees it.
type Pair = interface {
	// Send writes the frames at once. It never takes longer than two seconds; after an error the link is useless.
	Send(frames []messages.Frame) error
	// Moved says whether another socket stands at the path now. A path where nothing stands is not moved: nobody can
	// attach anywhere else, and the old server still relays.
	Moved() bool
	// Close ends the link; the event LinkDown still comes. It may be called more than once.
	Close() error
}

// Dialer makes links to the bus.
type Dialer struct {
	Where    Locator
	Instance string           // tells our heartbeats from those of others; required
	Now      func() time.Time // required
}

// Dial connects twice to the bus: one connection publishes and hears what others say about reconcilers, the other
// subscribes to the echo of what the first publishes, because the server never echoes to the origin. on is called by
// goroutines that spawn started, one event at a time, in order; the last one is LinkDown. It may block.
func (d *Dialer) Dial(ctx context.Context, spawn func(func()), on func(messages.LinkEvent)) (Pair, error) {
	path := d.Where.Socket()
	l := &link{d: d, path: path, id: unixsock.Identify(path), on: on}
	var err error
	if l.echo, err = d.join(ctx, path, messages.StatePattern, messages.HealthTopic); err != nil {
		return nil, err
	}
	if l.pub, err = d.join(ctx, path, messages.ControlTopic, messages.HealthTopic); err != nil {
		return nil, errors.Join(err, l.echo.Close())
	}
	l.readers.Store(2)
	spawn(func() { l.read(l.echo, l.pub, &echoes{l: l}) })
	spawn(func() { l.read(l.pub, l.echo, &others{l: l}) })
	return l, nil
}

// join makes one connection and subscribes it.
func (d *Dialer) join(ctx context.Context, path string, patterns ...string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: sendTimeout}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to bus %q: %w", path, err)
	}
	b, err := AppendFrame(nil, Hello, messages.WorkerName, nil)
	for _, p := range patterns {
		if err == nil {
			b, err = AppendFrame(b, Sub, p, nil)
		}
	}
	if err == nil {
		err = d.write(c, b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribe at bus %q: %w", path, err), c.Close())
	}
	return c, nil
}

func (d *Dialer) write(c net.Conn, b []byte) error {
	if err := c.SetWriteDeadline(d.Now().Add(sendTimeout)); err != nil {
		return err
	}
	_, err := c.Write(b)
	return err
}

type link struct {
	d         *Dialer
	path      string
	id        unixsock.ID
	pub, echo net.Conn

	mu      sync.Mutex // one event at a time
	on      func(messages.LinkEvent)
	why     string // the first reason to end; under mu
	readers atomic.Int32

	buf []byte // of Send
}

// Send implements Pair. It is called by one goroutine at a time.
func (l *link) Send(frames []messages.Frame) error {
	l.buf = l.buf[:0]
	for _, f := range frames {
		var err error
		if l.buf, err = AppendFrame(l.buf, Pub, f.Topic, f.Body); err != nil {
			return fmt.Errorf("publish on %.128q: %w", f.Topic, err)
		}
	}
	crashpoint.At(crashpoint.Publishing)
	if err := l.d.write(l.pub, l.buf); err != nil {
		return fmt.Errorf("write to bus %q: %w", l.path, err)
	}
	crashpoint.At(crashpoint.Published)
	if cap(l.buf) > keepBody*4 {
		l.buf = nil
	}
	return nil
}

// Moved implements Pair.
func (l *link) Moved() bool {
	id := unixsock.Identify(l.path)
	return id != unixsock.ID{} && id != l.id
}

// Close implements Pair.
func (l *link) Close() error {
	l.ends("closed")
	return errors.Join(closing(l.pub), closing(l.echo))
}

// closing passes over a connection that has been closed before.
func closing(c net.Conn) error {
	if err := c.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// ends keeps the first reason.
func (l *link) ends(why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == "" {
		l.why = why
	}
}

func (l *link) tell(e messages.LinkEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.on(e)
}

// hearer takes the events of one connection.
type hearer interface {
	hear(topic, body []byte)
	flush() // nothing more has arrived for now
}

// read handles one connection to its end. The other one then gets a moment to hand over what had arrived; the last to
// end reports that the link is down.
func (l *link) read(c, other net.Conn, h hearer) {
	err := listenTo(c, h)
	h.flush()
	if errors.Is(err, io.EOF) {
		err = errors.New("the bus closed the connection")
	}
	l.ends(err.Error())
	_ = other.SetReadDeadline(l.d.Now().Add(drainFor)) // fails only where it is closed already
	if l.readers.Add(-1) == 0 {
		_ = l.Close() // both have ended; how they close does not matter any more
		l.tell(messages.LinkDown{Why: l.why})
	}
}

func listenTo(c net.Conn, h hearer) error {
	r := NewReader(c)
	for {
		if r.Buffered() == 0 {
			h.flush()
		}
		f, err := r.ReadFrame()
		if err != nil {
			return err
		}
		if f.Verb == Evt {
			h.hear(f.Args, f.Body)
		}
	}
}
