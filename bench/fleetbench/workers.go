package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/fabric"
	"github.com/decnet/decnet-fleetd/messages"
)

// crowd is a number of simulated workers in one process. They speak to the hub as real ones do; what they ship is made up.
type crowd struct {
	ctx     context.Context //nolint:containedctx // the process's own
	size    int             // deckies of each
	workers []*simWorker
	out     *json.Encoder
}

type simWorker struct {
	host string
	link *fabric.Worker
	id   int64
}

// phase is what the crowd tells of a phase that is over.
type phase struct {
	Phase   string  `json:"phase"`
	Seconds float64 `json:"seconds"`
	Shipped int64   `json:"shipped"`
}

// hostOf is the uuid of the i-th worker.
func hostOf(i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", 0xbe000000+i, i) }

func runWorkers(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("workers", flag.ContinueOnError)
	hub := f.String("hub", "", "tls://host:port")
	dir := f.String("dir", "", "a directory with one of certificates for each worker")
	n := f.Int("workers", 100, "how many")
	c := &crowd{ctx: ctx, out: json.NewEncoder(os.Stdout)}
	f.IntVar(&c.size, "deckies", 500, "deckies of each")
	rest := f.Duration("rest", 20*time.Second, "how long nothing but beats is sent")
	burst := f.Duration("burst", 10*time.Second, "how long transitions are sent")
	rate := f.Int("rate", 10000, "transitions a second, of all together")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	if err := c.connect(*hub, *dir, *n); err != nil { //nolint:contextcheck // the links end with the process
		return err
	}
	return quiet(ctx, c.phases(*rest, *burst, *rate))
}

func (c *crowd) connect(hub, dir string, n int) error {
	for i := range n {
		at := filepath.Join(dir, fmt.Sprint(i))
		w := &simWorker{host: hostOf(i)}
		var err error
		w.link, err = fabric.Dial(fabric.WorkerConfig{Hub: hub, HostUUID: w.host, Version: "bench", Now: time.Now, Jitter: mathrand.Float64,
			Files: fabric.Files{CA: filepath.Join(at, "ca.crt"), Cert: filepath.Join(at, "worker.crt"), Key: filepath.Join(at, "worker.key")}})
		if err != nil {
			return err
		}
		c.workers = append(c.workers, w)
	}
	go func() { // ends with the process
		for n := uint64(1); c.ctx.Err() == nil; n++ {
			for _, w := range c.workers {
				_ = w.link.Beat(messages.Beat{N: n, At: messages.Moment{Time: time.Now()}, Deckies: c.size}) // the next comes in a second
			}
			time.Sleep(time.Second)
		}
	}()
	return nil
}

func (c *crowd) phases(rest, burst time.Duration, rate int) error {
	if err := c.timed("listed", func() (int64, error) { return c.all(c.list) }); err != nil {
		return err
	}
	if err := c.timed("rested", func() (int64, error) { return 0, pause(c.ctx, rest) }); err != nil {
		return err
	}
	each := max(1, rate/len(c.workers))
	if err := c.timed("burst", func() (int64, error) {
		return c.all(func(w *simWorker) (int64, error) { return c.stream(w, each, burst) })
	}); err != nil {
		return err
	}
	if err := pause(c.ctx, rest); err != nil {
		return err
	}
	if err := c.timed("caught up", func() (int64, error) { return c.pile(c.workers[0], 10000) }); err != nil {
		return err
	}
	<-c.ctx.Done()
	return c.ctx.Err()
}

func (c *crowd) timed(name string, do func() (int64, error)) error {
	began := time.Now()
	n, err := do()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return c.out.Encode(phase{name, time.Since(began).Seconds(), n})
}

// all has every worker do something, side by side.
func (c *crowd) all(do func(w *simWorker) (int64, error)) (int64, error) {
	var wg sync.WaitGroup
	var total atomic.Int64
	faults := make(chan error, len(c.workers))
	for _, w := range c.workers {
		wg.Go(func() {
			n, err := do(w)
			total.Add(n)
			if err != nil {
				faults <- err
			}
		})
	}
	wg.Wait()
	close(faults)
	return total.Load(), <-faults
}

// ship tries until the hub has it.
func (c *crowd) ship(w *simWorker, b messages.ShipBatch) error {
	b.Origin = "bench"
	for {
		ack, err := w.link.Ship(c.ctx, b)
		switch {
		case err == nil && len(ack.Refused) > 0:
			return fmt.Errorf("refused: %+v", ack.Refused[0])
		case err == nil || c.ctx.Err() != nil || errors.Is(err, fabric.ErrRefused):
			return err
		}
		if err := pause(c.ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *crowd) list(w *simWorker) (int64, error) {
	s := &messages.Slice{ID: messages.NewEventID(time.Now()), Last: true}
	for i := range c.size {
		s.Rows = append(s.Rows, *simRow(w, i, "running"))
	}
	return int64(c.size), c.ship(w, messages.ShipBatch{Slice: s})
}

// stream ships so many transitions a second, in four batches, each decky in its turn. A batch is due when it is due: whoever had
// to wait for an ack sends what has become due meanwhile at once.
func (c *crowd) stream(w *simWorker, rate int, during time.Duration) (total int64, err error) {
	const batches = 4
	began := time.Now()
	for n := 1; n <= int(during.Seconds()*batches); n++ {
		if err := c.ship(w, messages.ShipBatch{Events: c.made(w, rate/batches)}); err != nil {
			return total, err
		}
		total += int64(rate / batches)
		due := began.Add(time.Duration(n) * time.Second / batches)
		if err := pause(c.ctx, time.Until(due)); err != nil {
			return total, err
		}
	}
	return total, nil
}

// pile ships what piled up at one worker.
func (c *crowd) pile(w *simWorker, n int) (int64, error) {
	const batch = 512
	for left := n; left > 0; left -= batch {
		if err := c.ship(w, messages.ShipBatch{Events: c.made(w, min(left, batch))}); err != nil {
			return 0, err
		}
	}
	return int64(n), nil
}

// made are the next transitions of a worker.
func (c *crowd) made(w *simWorker, n int) []messages.Shipped {
	out := make([]messages.Shipped, 0, n)
	for range n {
		i := int(w.id) % c.size
		round := w.id / int64(c.size)
		w.id++
		was, is := "running", "degraded"
		if round%2 == 1 {
			was, is = is, was
		}
		e := messages.Shipped{ID: w.id, EventID: messages.NewEventID(time.Now()), Name: nameOf(w, i), Rev: round + 2, Row: simRow(w, i, is)}
		t := messages.Transition{HostUUID: w.host, Name: e.Name, State: is, PreviousState: was, Transition: messages.TransitionStateChanged, Source: "fleet", Rev: e.Rev,
			EventID: e.EventID, ObservedAt: messages.Moment{Time: time.Now()}, Cause: "die"}
		raw, err := t.JSON()
		if err != nil {
			panic(err) // plain values
		}
		e.Payload = json.RawMessage(raw)
		out = append(out, e)
	}
	return out
}

func nameOf(w *simWorker, i int) string { return fmt.Sprintf("%s-%04d", w.host[:8], i) }

func simRow(w *simWorker, i int, state string) *messages.ShippedRow {
	name, ip := nameOf(w, i), fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)
	config := fmt.Sprintf(`{"name":%q,"ip":%q,"services":["ssh","http","smtp"],"distro":"debian","base_image":"debian:bookworm-slim","build_base":"debian:bookworm-slim",`+
		`"hostname":%q,"archetype":null,"service_config":{},"nmap_os":"linux","mutate_interval":30,"last_mutated":1777252484.1234567,"last_login_attempt":0.0,"host_uuid":%q}`,
		name, ip, name, w.host)
	return &messages.ShippedRow{Name: name, ServicesJSON: `["ssh","http","smtp"]`, ConfigJSON: &config, IP: &ip, State: state, LastSeen: messages.Moment{Time: time.Now()}}
}
