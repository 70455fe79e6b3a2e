package supervise

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that grow by the square root of two: a quantile is at most 41 % too high. It is
// written by actors and read by consoles; a reader may see a sample in one counter and not yet in another.
type histogram struct{ buckets [histogramSize]atomic.Uint32 }

const (
	histogramFirst = 7  // bucket 0 ends at 128 ns: no handler that does anything is faster
	histogramSize  = 59 // the last one ends at 69 s, and takes what is longer: such a handler was replaced long ago
)

func (h *histogram) add(d time.Duration) { h.buckets[bucketOf(d)].Add(1) }

// bucketOf: two buckets for each power of two, told apart by the bit below the highest.
func bucketOf(d time.Duration) int {
	n := uint64(max(d, 0))
	top := bits.Len64(n) // n < 1<<top
	if top <= histogramFirst {
		return 0
	}
	half := int(n>>(top-2)) & 1
	return min(1+2*(top-histogramFirst-1)+half, histogramSize-1)
}

// upper is where a bucket ends.
func upper(bucket int) time.Duration {
	if bucket == 0 {
		return 1 << histogramFirst
	}
	base := time.Duration(1) << (histogramFirst + (bucket-1)/2)
	if (bucket-1)%2 == 0 {
		return base + base/2
	}
	return 2 * base
}

func (h *histogram) count() int64 {
	var n int64
	for i := range h.buckets {
		n += int64(h.buckets[i].Load())
	}
	return n
}

// quantile is the end of the bucket in which the share q of the samples is reached; 0 without samples.
func (h *histogram) quantile(q float64) time.Duration {
	total := h.count()
	if total == 0 {
		return 0
	}
	var n int64
	for i := range h.buckets {
		if n += int64(h.buckets[i].Load()); float64(n) >= q*float64(total) {
			return upper(i)
		}
	}
	return upper(histogramSize - 1)
}
