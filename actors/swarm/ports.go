package swarm

import (
	"context"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Table is a worker's own database.
type Table interface {
	// Origin tells it from an earlier one of the same host.
	Origin(ctx context.Context) (string, error)
	// Shippable gives at most limit transitions with ids above after, ascending, with their rows as they are now.
	Shippable(ctx context.Context, after int64, limit int) ([]messages.Shipped, error)
	// Slice gives all rows, unless something above after waits to be shipped.
	Slice(ctx context.Context, after int64) (rows []messages.ShippedRow, caughtUp bool, err error)
	// Depth counts what waits.
	Depth(ctx context.Context) (int64, error)
}

// Hub takes what a worker ships. Its error matches messages.ErrShipNever where shipping again is of no use, and
// messages.ErrHubAway where there is no connection.
type Hub interface {
	Ship(ctx context.Context, b messages.ShipBatch) (messages.ShipAck, error)
}

// Mirrors writes at the hub.
type Mirrors interface {
	// Mirror writes all deliveries in one transaction under the lease token, or none. held is how long others could not
	// write.
	Mirror(ctx context.Context, token int64, deliveries []messages.Delivery) (out []messages.Delivered, held time.Duration, err error)
}

// MirrorReader reads the rows of all hosts but our own.
type MirrorReader interface {
	MirrorRead(ctx context.Context) (messages.MirrorRead, error)
}

// Teller takes messages for another actor; false means that it was not taken.
type Teller interface{ Tell(msg any) bool }
