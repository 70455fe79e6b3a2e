package supervise

import "time"

// Waits before a dependency that failed is tried again: the first and the longest. Chosen: the same for every
// dependency that names none of its own.
const (
	RetryFirst = 100 * time.Millisecond
	RetryMost  = 5 * time.Second
)

// Retry is the wait before another try after n in a row have failed before, n from 0: from first, doubling up to most,
// with full jitter over its upper half. jitter is in [0,1).
func Retry(n int, jitter float64, first, most time.Duration) time.Duration {
	d := min(first<<min(n, 16), most)
	return d/2 + time.Duration(jitter*float64(d/2))
}
