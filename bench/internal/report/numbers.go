package report

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Quantile is the smallest sample that at least the share q of all samples do not exceed; 0 without samples. It sorts
// in place.
func Quantile(samples []time.Duration, q float64) time.Duration {
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	rank := int(math.Ceil(q * float64(len(samples))))
	return samples[min(max(rank, 1), len(samples))-1]
}

// Millis is a duration in milliseconds.
func Millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Spread says p50, p99 and the worst of samples.
func Spread(samples []time.Duration) string {
	return fmt.Sprintf("p50 %s, p99 %s, max %s", Short(Quantile(samples, 0.5)), Short(Quantile(samples, 0.99)), Short(Quantile(samples, 1)))
}

// Short writes a duration with three digits.
func Short(d time.Duration) string {
	if d >= time.Second {
		return fmt.Sprintf("%.2f s", d.Seconds())
	}
	return fmt.Sprintf("%.3g ms", Millis(d))
}
