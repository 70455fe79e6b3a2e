package swarm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// box takes what actors are told.
type box struct {
	mu  sync.Mutex
	all []any
}

func (b *box) Tell(msg any) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, msg)
	return true
}

func of[T any](b *box) (out []T) {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.all {
		if v, is := m.(T); is {
			out = append(out, v)
		}
	}
	return out
}

// inLab runs a story with fake time.
func inLab(t *testing.T, story func(t *testing.T, sys *supervise.System)) {
	t.Helper()
	inLabAt(t, time.Now, story)
}

// inLabAt is for a story in which the actors' clock is another one.
func inLabAt(t *testing.T, now func() time.Time, story func(t *testing.T, sys *supervise.System)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		sys, err := supervise.New(supervise.Config{Now: now, Jitter: func() float64 { return 0.5 }})
		if err != nil {
			t.Fatal(err)
		}
		story(t, sys)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := sys.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func pass(d time.Duration) {
	time.Sleep(d) // in the bubble: no real time
	synctest.Wait()
}

// table is a worker's database in memory.
type table struct {
	mu     sync.Mutex
	events []messages.Shipped
	rows   []messages.ShippedRow
	fail   error
}

func (x *table) Origin(context.Context) (string, error) { return "o1", nil }

func (x *table) Shippable(_ context.Context, after int64, limit int) ([]messages.Shipped, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []messages.Shipped
	for _, e := range x.events {
		if e.ID > after && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, x.fail
}

func (x *table) Slice(_ context.Context, after int64) ([]messages.ShippedRow, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.events {
		if e.ID > after {
			return nil, false, nil
		}
	}
	return slices.Clone(x.rows), true, nil
}

func (x *table) Depth(context.Context) (int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return int64(len(x.events)), nil
}

func (x *table) add(names ...string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range names {
		x.events = append(x.events, messages.Shipped{ID: int64(len(x.events) + 1), EventID: n, Name: n})
	}
}

// far is a hub that notes what it takes.
type far struct {
	mu    sync.Mutex
	took  []string // event ids, and "list of n" for listings
	calls int
	say   func(messages.ShipBatch) (messages.ShipAck, error)
}

func (f *far) Ship(_ context.Context, b messages.ShipBatch) (messages.ShipAck, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	var ack messages.ShipAck
	if f.say != nil {
		var err error
		if ack, err = f.say(b); err != nil {
			return ack, err
		}
	}
	for _, e := range b.Events {
		f.took = append(f.took, e.EventID)
	}
	if b.Slice != nil {
		f.took = append(f.took, "listing")
	}
	return ack, nil
}

func (f *far) list() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.took)
}

func (f *far) set(say func(messages.ShipBatch) (messages.ShipAck, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.say = say
}

var errBusy = errors.New("busy")
