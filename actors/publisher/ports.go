package publisher

import (
	"context"
	"errors"
	"fmt"

	"github.com/decnet/decnet-fleetd/messages"
)

// Outbox is the table of committed transitions. Its calls may block; they are never made in Receive.
type Outbox interface {
	// Pending returns at most limit rows with an id above after that are not parked, ascending.
	Pending(ctx context.Context, after int64, limit int) ([]messages.OutboxRow, error)
	// Depth counts the rows that are not parked.
	Depth(ctx context.Context) (int64, error)
	// Park takes a row out of Pending and Depth, and keeps it with the reason.
	Park(ctx context.Context, id int64, why string) error
}

// Link is a pair of connections to the bus. Its calls may block for two seconds.
type Link = interface {
	// Send writes the frames at once; after an error the link is useless.
	Send(frames []messages.Frame) error
	// Moved says whether another socket stands at the path now; a missing one is not moved.
	Moved() bool
	// Close ends the link.
	Close() error
}

// Dialer makes links.
type Dialer interface {
	// Dial makes the pair of connections. on is called from goroutines that spawn started, one event at a time, in order;
	// it may block, and the last event is LinkDown.
	Dial(ctx context.Context, spawn func(func()), on func(messages.LinkEvent)) (Link, error)
}

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }

// Config is what the publisher needs. All fields but Policy and Stats are required.
type Config struct {
	Outbox Outbox
	Dialer Dialer
	Store  Teller // gets OutboxAcknowledged
	Pulse  Teller // gets HealthHeard, ControlHeard, BusReady
	View   Teller // gets ComponentReported and EventHappened
	// Instance is ours in the heartbeats that serve as probes; the same as the Dialer's.
	Instance string
	Jitter   func() float64 // [0,1)
	Policy   Policy         // zero fields take their defaults
	Stats    *Stats         // counts for the metrics; nil counts for nobody
}

// Validate says what is missing.
func (c Config) Validate() error {
	if c.Outbox == nil || c.Dialer == nil || c.Store == nil || c.Pulse == nil || c.View == nil || c.Jitter == nil {
		return errors.New("publisher: a port is missing")
	}
	for i := range len(c.Instance) {
		if b := c.Instance[i]; b <= ' ' || b >= 0x7f || b == '"' || b == '\\' {
			return fmt.Errorf("publisher: instance %q: printable ASCII without space, quote and backslash is allowed", c.Instance)
		}
	}
	if c.Instance == "" || len(c.Instance) > 128 {
		return errors.New("publisher: instance must have 1 to 128 bytes: it tells our probes from others' heartbeats")
	}
	return c.Policy.validate()
}
