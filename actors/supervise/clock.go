package supervise

import (
	"sync/atomic"
	"time"
)

// clock counts nanoseconds since the system was made. Reading the real one costs as much as handling a message, so
// messages are stamped with the last reading. It counts on the monotonic reading in time.Now, so that a step of the wall
// clock makes nobody look stuck.
type clock struct {
	now    func() time.Time
	origin time.Time
	last   atomic.Int64
}

// clockStep keeps the processors from fighting over last. Chosen; nothing depends on it.
const clockStep = int64(10 * time.Millisecond)

// exact reads the clock.
func (c *clock) exact() int64 {
	n := int64(c.now().Sub(c.origin))
	if n > c.last.Load()+clockStep {
		c.last.Store(n)
	}
	return n
}

// coarse is the last reading, at most tickEvery old.
func (c *clock) coarse() int64 { return c.last.Load() }

// time turns a reading into a time.
func (c *clock) time(n int64) time.Time { return c.origin.Add(time.Duration(n)) }
