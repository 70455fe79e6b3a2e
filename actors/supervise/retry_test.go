package supervise

import (
	"testing"
	"time"
)

func TestRetriesDoubleUpToTheirMostAndAreSpreadOverTheUpperHalf(t *testing.T) {
	for n, whole := range map[int]time.Duration{0: 100 * time.Millisecond, 3: 800 * time.Millisecond, 6: 5 * time.Second, 1000: 5 * time.Second} {
		if got := Retry(n, 0, RetryFirst, RetryMost); got != whole/2 {
			t.Errorf("the least wait after %d failures is %v, not %v", n, got, whole/2)
		}
		if got := Retry(n, 0.5, RetryFirst, RetryMost); got != whole*3/4 {
			t.Errorf("the middle wait after %d failures is %v, not %v", n, got, whole*3/4)
		}
	}
}
