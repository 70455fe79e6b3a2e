package docker

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/messages"
)

// body30000 is the list of 7,500 deckies with three services as docker compose makes them.
func body30000(b *testing.B) []byte {
	b.Helper()
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	if err := sim.Add(dockersim.Fleet{Deckies: 7500}); err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	sim.Handler().ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/containers/json?all=1", http.NoBody))
	return w.Body.Bytes()
}

// BenchmarkDecode30000 is what one list costs: the first, and one like the one before.
func BenchmarkDecode30000(b *testing.B) {
	body := body30000(b)
	l := newLister()
	first, err := l.decode(bytes.NewReader(body), nil)
	if err != nil || len(first) != 30000 {
		b.Fatal(len(first), err)
	}
	for name, hint := range map[string][]messages.Container{"first": nil, "again": first} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if name == "first" {
					l = newLister()
				}
				if _, err := l.decode(bytes.NewReader(body), hint); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkStream is what one event costs.
func BenchmarkStream(b *testing.B) {
	var r reader
	one := []byte(said("die", "b7f5a709f500e51d384929c80e20093b85bb9de2221e3862f2fb2722c8bab35d"))
	r.scan.reset(&endless{again: string(bytes.Repeat(one, 1000))}, maxEvent)
	d := newDirt()
	b.SetBytes(int64(len(one)))
	b.ReportAllocs()
	for b.Loop() {
		e, err := r.next()
		if err != nil {
			b.Fatal(err)
		}
		d.event(e)
	}
}

// BenchmarkEventToReading is what is added between an engine's event and the reading that an actor gets, on a socket,
// with 30,000 containers there: percentiles of the time since the event's own time.
func BenchmarkEventToReading(b *testing.B) {
	sim, socket := simulate(b, 7500)
	r, err := New(Config{Host: "unix://" + socket, Now: time.Now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	readings := make(chan messages.RuntimeRead, 1)
	ctx, running := b.Context(), make(chan struct{})
	go func() {
		defer close(running)
		r.Observe(ctx, func(f func()) { go f() }, nil, func(m messages.Reading) {
			if m, ok := m.(messages.RuntimeRead); ok {
				readings <- m
			}
		})
	}()
	b.Cleanup(func() {
		for open := true; open; {
			select {
			case <-readings:
			case <-running:
				open = false
			}
		}
	})
	<-readings
	var took []time.Duration
	n := 0
	for b.Loop() {
		n++
		if err := sim.Flip(dockersim.DeckyName(n%7500+1) + "-ssh"); err != nil {
			b.Fatal(err)
		}
		for m := range readings {
			if !m.EventAt.IsZero() {
				took = append(took, time.Since(m.EventAt))
				break
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1e3, "p99-ms")
}
