package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// BenchmarkPagesOfTenThousand tells the processor time of a page, which other programs on the machine do not change. The
// first paint of 300 ms has to hold it, the model's answer and the browser's work.
func BenchmarkPagesOfTenThousand(b *testing.B) {
	h := sick()
	h.deckies = nil
	for i := range 10000 {
		h.deckies = append(h.deckies, messages.DeckyStatus{HostUUID: "local", Name: fmt.Sprintf("decky-%05d", i), State: []string{"running", "running", "degraded"}[i%3], IP: "10.0.0.1",
			Expected: []string{"ssh", "http", "smtp"}, Services: []messages.ServiceSeen{{Service: "ssh", State: "running"}}, Up: 3, ChangedAt: ago(time.Minute)})
	}
	for i := range eventsKept {
		h.events = append(h.events, messages.Event{Seq: int64(i), At: ago(time.Duration(i) * time.Second), Type: "state_changed", Target: fmt.Sprintf("decky-%05d", i), From: "running", To: "degraded"})
	}
	p, err := New(Config{Model: h, Now: func() time.Time { return noon }})
	if err != nil {
		b.Fatal(err)
	}
	for _, path := range []string{"/deckies", "/deckies?sort=-state&page=50", "/"} {
		b.Run(path, func(b *testing.B) {
			began := processorTime()
			for b.Loop() {
				p.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
			}
			b.ReportMetric(float64((processorTime()-began).Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
