package main

import (
	"context"
	"io"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/adapters/console"
	"github.com/decnet/decnet-fleetd/messages"
)

// tapper lets the console see what actors handle.
type tapper struct{ sys *supervise.System }

// Open begins to look.
func (t tapper) Open(want func(string) bool, match func(messages.Tapped) bool, count int64, last time.Duration) (console.Tap, error) {
	x, err := t.sys.Tap(supervise.TapSpec{
		Want:  func(r *supervise.Ref) bool { return want(r.Name()) },
		Match: func(s supervise.Tapped) bool { return match(tapped(s)) },
		Count: count, For: last,
	})
	if err != nil {
		return nil, err
	}
	return tap{x}, nil
}

// tap is one that is open.
type tap struct{ *supervise.Tap }

// Next waits for a message.
func (t tap) Next(ctx context.Context) (messages.Tapped, error) {
	select { // what was seen before the end comes before it
	case s := <-t.Out():
		return tapped(s), nil
	default:
	}
	select {
	case s := <-t.Out():
		return tapped(s), nil
	case <-t.Done():
	case <-ctx.Done():
		return messages.Tapped{}, ctx.Err()
	}
	select {
	case s := <-t.Out():
		return tapped(s), nil
	default:
		return messages.Tapped{}, io.EOF
	}
}

func tapped(s supervise.Tapped) messages.Tapped {
	m := messages.Tapped{At: messages.Moment{Time: s.At}, Actor: s.Actor, Dir: "in", Type: s.Type, Size: s.Size, WaitedSeconds: s.Waited.Seconds(),
		TookSeconds: s.Took.Seconds(), Result: "ok", Summary: s.Summary}
	if s.Asked {
		m.Dir = "ask"
	}
	if s.Crashed {
		m.Result = "crashed"
	}
	return m
}
