package supervise

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func benchSystem(b *testing.B) *System {
	sys, err := New(Config{Now: time.Now, Jitter: func() float64 { return 0.5 }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := sys.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return sys
}

// BenchmarkTell measures a message from Tell to the end of its handler. Target: several million a second.
func BenchmarkTell(b *testing.B) {
	for _, actors := range []int{1, 100} {
		b.Run(fmt.Sprint(actors, "actors"), func(b *testing.B) {
			sys := benchSystem(b)
			var done atomic.Int64
			refs := make([]*Ref, actors)
			for i := range refs {
				refs[i] = sys.Spawn(Spec{Kind: "x", ID: fmt.Sprint(i), Mailbox: 4096, New: code(func(_ *Ctx, msg any) {
					if msg == any(boom{}) {
						done.Add(1)
					}
				})})
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				for !refs[i%actors].Tell(boom{}) {
					runtime.Gosched()
				}
			}
			for done.Load() < int64(b.N) {
				runtime.Gosched()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkAsk measures a round trip.
func BenchmarkAsk(b *testing.B) {
	sys := benchSystem(b)
	r := sys.Spawn(Spec{Kind: "x", ID: "a", New: answerer()})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Ask(b.Context(), echo{1}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSpawn measures an actor from Spawn until it runs and has handled a message, and what it weighs idle. Target:
// 2 KiB an actor.
func BenchmarkSpawn(b *testing.B) {
	sys := benchSystem(b)
	refs := make([]*Ref, b.N)
	before := heap()
	b.ReportAllocs()
	b.ResetTimer()
	for i := range refs {
		refs[i] = sys.Spawn(Spec{Kind: "decky", ID: "decky-" + fmt.Sprint(i), New: bomber(nil)})
		refs[i].Tell("x")
	}
	for _, r := range refs {
		for r.Stats().Done < 1 {
			runtime.Gosched()
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(heap()-before)/float64(b.N), "B/actor")
	runtime.KeepAlive(refs)
}

// BenchmarkLook measures the search for stuck actors among 10,000 idle ones, which runs every tickEvery.
func BenchmarkLook(b *testing.B) {
	sys := benchSystem(b)
	v := &supervisor{sys: sys, kids: map[*Ref]struct{}{}, shutting: true} // shutting: it sets no timer
	for i := range 10_000 {
		v.kids[sys.ref(Spec{Kind: "decky", ID: fmt.Sprint(i)})] = struct{}{}
	}
	for b.Loop() {
		v.look()
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkNobodyLooks measures what the console costs while nobody looks at it: one load of a pointer a message. Target:
// 2 % of a message from Tell to the end of its handler, of which BenchmarkTell measures the cheapest there is.
func BenchmarkNobodyLooks(b *testing.B) {
	sys := benchSystem(b)
	r := sys.ref(Spec{Kind: "x", ID: "a"})
	open := 0
	for b.Loop() {
		if r.eyes.Load() != nil {
			open++
		}
	}
	if open != 0 {
		b.Fatal("somebody looks")
	}
	const message = 150 // ns: BenchmarkTell on the machine of bench/RESULTS.md
	b.ReportMetric(100*float64(b.Elapsed().Nanoseconds())/float64(b.N)/message, "%-of-a-message")
}
