package fabric

import (
	"context"

	"github.com/decnet/decnet-fleetd/messages"
)

type askerKey struct{}

// AskerOf says for whom the hub asks. It is there in every request that a worker's handler gets, and in no other.
func AskerOf(ctx context.Context) (messages.Asker, bool) {
	a, ok := ctx.Value(askerKey{}).(messages.Asker)
	return a, ok
}

func withAsker(ctx context.Context, a messages.Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, a)
}
