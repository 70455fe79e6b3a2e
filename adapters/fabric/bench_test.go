package fabric

import (
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/messages"
)

// A worker that comes back with 10,000 transitions, each with its row: from the dial to the last acknowledgement.
func BenchmarkCatchUp(b *testing.B) {
	w := newWorld(b).start()
	id := w.ca.issue(b, "w1")
	w.enrol(host1, "w1", id)
	all := transitions(host1, 1, 10000)
	bytes := 0
	for _, e := range all {
		bytes += len(e.Payload) + sizeOf(e.Row)
	}
	for b.Loop() {
		s := w.dial(w.config(host1, id))
		s.becomes(messages.LinkConnected)
		s.must(messages.ShipBatch{Events: all})
		s.Close()
	}
	b.SetBytes(int64(bytes))
	b.ReportMetric(10000*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
}

// From the kill -9 of a worker to the hub's callback.
func BenchmarkDetectKill(b *testing.B) {
	w := newWorld(b).start()
	id := w.ca.issue(b, "w1")
	w.enrol(host1, "w1", id)
	c := child{Role: "worker", Listen: w.cfg.Listen, Files: id.Files, Host: host1}
	var took []time.Duration
	for i := 1; b.Loop(); i++ {
		kill := c.spawn(b)
		w.until("up", func() bool { return len(w.events) == 2*i-1 })
		from := time.Now()
		kill()
		w.until("down", func() bool { return len(w.events) == 2*i })
		took = append(took, time.Since(from))
	}
	b.ReportMetric(float64(slices.Max(took).Microseconds())/1000, "worst-ms")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
}

// From a cut that no side is told of to what each side does about it, and from its end to the connection.
func BenchmarkSilentCut(b *testing.B) {
	w := newWorld(b).start()
	id := w.ca.issue(b, "w1")
	w.enrol(host1, "w1", id)
	p := newPipe(b, w.cfg.Listen)
	cfg := w.config(host1, id)
	cfg.Hub = "tls://" + p.address()
	s := w.dial(cfg)
	var worker, hub, back time.Duration
	for i := 1; b.Loop(); i++ {
		s.becomes(messages.LinkConnected)
		w.until("up", func() bool { return len(w.events) == 2*i-1 })
		from := time.Now()
		p.cut(true)
		s.becomes(messages.LinkAway)
		worker = max(worker, time.Since(from))
		w.until("down", func() bool { return len(w.events) == 2*i })
		hub = max(hub, time.Since(from))
		from = time.Now()
		p.cut(false)
		w.until("back", func() bool { return len(w.events) == 2*i+1 })
		back = max(back, time.Since(from))
	}
	b.ReportMetric(worker.Seconds(), "worker-worst-s")
	b.ReportMetric(hub.Seconds(), "hub-worst-s")
	b.ReportMetric(back.Seconds(), "back-worst-s")
}

// What an idle worker costs on the wire: a beat a second, both sides' pings, TLS, and 52 bytes of IPv4 and TCP headers a
// segment.
func BenchmarkIdleWire(b *testing.B) {
	w := newWorld(b).start()
	id := w.ca.issue(b, "w1")
	w.enrol(host1, "w1", id)
	p := newPipe(b, w.cfg.Listen)
	cfg := w.config(host1, id)
	cfg.Hub = "tls://" + p.address()
	s := w.dial(cfg)
	s.becomes(messages.LinkConnected)
	const seconds = 30
	for b.Loop() {
		in0, out0, seg0 := p.traffic()
		for n := range uint64(seconds) {
			if err := s.Beat(messages.Beat{N: n, At: messages.Moment{Time: time.Now()}, Deckies: 500}); err != nil {
				b.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		in, out, seg := p.traffic()
		b.ReportMetric(float64(in-in0)/seconds, "up-B/s")
		b.ReportMetric(float64(out-out0)/seconds, "down-B/s")
		b.ReportMetric(float64(in-in0+out-out0+52*(seg-seg0))/seconds, "wire-B/s")
	}
}

// A hundred workers, all away, from the hub's socket to the last one's hello.
func BenchmarkHundredWorkersReturn(b *testing.B) {
	w := newWorld(b)
	var ids []identity
	for i := range 100 {
		id := w.ca.issue(b, "w")
		ids = append(ids, id)
		w.enrol(uuidOf(i), "", id)
	}
	w.start()
	for i, id := range ids {
		w.dial(w.config(uuidOf(i), id))
	}
	ups := func() (n int) {
		for _, e := range w.events {
			if e.Up {
				n++
			}
		}
		return n
	}
	w.until("all", func() bool { return ups() == 100 })
	for b.Loop() {
		b.StopTimer()
		w.hub.Close()
		time.Sleep(3 * time.Second)
		w.note(func() { w.events = nil })
		b.StartTimer()
		w.start()
		w.until("all", func() bool { return ups() == 100 })
	}
}

func uuidOf(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-000000000000", n) }

// While one worker catches up with 10,000 transitions, another ships one at a time: how long the second waits.
func BenchmarkCatchUpBesideAnother(b *testing.B) {
	w := newWorld(b).start()
	big, small := w.worker(host1, "w1"), w.worker(host2, "w2")
	all := transitions(host1, 1, 10000)
	var waits []time.Duration
	n := 0
	for b.Loop() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			big.must(messages.ShipBatch{Events: all})
		}()
		for busy := true; busy; {
			n++
			from := time.Now()
			small.must(messages.ShipBatch{Events: transitions(host2, n, 1)})
			waits = append(waits, time.Since(from))
			select {
			case <-done:
				busy = false
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "other-median-ms")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "other-p99-ms")
}

// A hundred idle workers with a beat a second: processor time of hub and workers together, and the hub's memory.
func BenchmarkHundredIdle(b *testing.B) {
	w := newWorld(b)
	var ids []identity
	for i := range 100 {
		ids = append(ids, w.ca.issue(b, "w"))
		w.enrol(uuidOf(i), "", ids[i])
	}
	w.cfg.Reread = 0 // as in earnest; the tests look at the files fifty times a second
	before := heap()
	w.start()
	lanes := heap() - before
	var all []*station
	for i, id := range ids {
		cfg := w.config(uuidOf(i), id)
		cfg.Reread = 0
		all = append(all, w.dial(cfg))
	}
	for _, s := range all {
		s.becomes(messages.LinkConnected)
	}
	const seconds = 20
	for b.Loop() {
		from := processor(b)
		for n := range uint64(seconds) {
			for _, s := range all {
				if err := s.Beat(messages.Beat{N: n, At: messages.Moment{Time: time.Now()}, Deckies: 500}); err != nil {
					b.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		b.ReportMetric(float64(lanes)/100/1024, "hub-KiB/worker")
		b.ReportMetric((processor(b)-from).Seconds()/seconds*100, "%-of-a-core")
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func processor(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A batch of 25 transitions with rows of the size that DECNET's have, as the hub reads it.
func BenchmarkOpenBatch(b *testing.B) {
	events := transitions(host1, 1, 25)
	for i := range events {
		config := `{"services":["ssh","http","smtp"],"distro":"debian","base_image":"debian:bookworm-slim","hostname":"d","archetype":null,"service_config":{},` +
			`"nmap_os":"linux","mutate_interval":30,"last_mutated":1777252484.1234567,"last_login_attempt":0.0,"host_uuid":"` + host1 + `","build_base":"debian:bookworm-slim"}`
		events[i].Row.ConfigJSON = &config
	}
	frame, err := json.Marshal(batchFrame{N: 1, Origin: "o", Events: events})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := openBatch(host1, frame); err != nil {
			b.Fatal(err)
		}
	}
}
