package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/decky"
	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/messages"
)

// weight is the memory of so many actors, in bytes.
type weight struct {
	Heap  uint64 `json:"heap"`
	Stack uint64 `json:"stack"`
}

// actorWeight: what one more decky's actor takes, of 9,000 more: mailbox, timers, everything it knows.
func actorWeight(ctx context.Context, b *bench) ([]report.Row, error) {
	const few, many = 1000, 10000
	row := report.Row{Key: "actor/weight", What: "one decky's actor, heap and stack, (10000 − 1000 deckies) / 9000", Hold: "≤ 4 KiB", N: many - few}
	var weights [2]weight
	err := b.on(ctx, func(h *stage.Host) error {
		for i, n := range []int{few, many} {
			said, err := h.Weigh(ctx, n)
			if err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(said), &weights[i]); err != nil {
				return fmt.Errorf("the actors say %q: %w", said, err)
			}
		}
		return nil
	})
	if err != nil {
		return []report.Row{row}, err
	}
	heap := (float64(weights[1].Heap) - float64(weights[0].Heap)) / (many - few)
	stack := (float64(weights[1].Stack) - float64(weights[0].Stack)) / (many - few)
	row.OK, row.Measured = heap+stack <= 4096, fmt.Sprintf("%.2f KiB (%.0f B heap, %.0f B stack)", (heap+stack)/1024, heap, stack)
	row.Values = map[string]float64{"heap_bytes": heap, "stack_bytes": stack}
	return []report.Row{row}, nil
}

// deaf takes everything.
type deaf struct{}

func (deaf) Tell(any) bool { return true }

// runActors starts so many deckies that agree with everything, says what they weigh and ends.
func runActors(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("actors", flag.ContinueOnError)
	n := f.Int("deckies", 1000, "how many")
	if err := f.Parse(args); err != nil {
		return quiet(ctx, err)
	}
	return quiet(ctx, weigh(ctx, *n, os.Stdout))
}

func weigh(ctx context.Context, n int, w io.Writer) error {
	sys, err := supervise.New(supervise.Config{Now: time.Now, Jitter: rand.Float64, Log: zerolog.Nop()}) //nolint:contextcheck // actors have a life of their own
	if err != nil {
		return err
	}
	cfg := &decky.Config{HostUUID: "local", Fleet: deaf{}, Store: deaf{}, View: deaf{}, NewID: func() string { return "" }, Policy: decky.DefaultPolicy()}
	refs := make([]*supervise.Ref, n)
	before := weighed()
	for i, d := range stage.Fleet(1, n, stage.Services()...) {
		name := strings.Clone(d.Name)
		refs[i] = sys.Spawn(supervise.Spec{Kind: "decky", ID: name, Mailbox: 64, New: func() supervise.Receiver { return decky.New(name, cfg) }}) //nolint:contextcheck // the same
		if !refs[i].Tell(known(d)) {
			return fmt.Errorf("decky %q takes no message", name)
		}
	}
	err = stage.Until(ctx, time.Minute, func() error {
		for _, r := range refs {
			if s := r.Stats(); s.Done < 1 || s.Depth > 0 {
				return fmt.Errorf("%d actors have not come so far", n)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	after := weighed()
	runtime.KeepAlive(refs)
	if err := json.NewEncoder(w).Encode(weight{after.Heap - before.Heap, after.Stack - before.Stack}); err != nil {
		return err
	}
	return sys.Shutdown(ctx)
}

// known is all there is to know of a decky that runs as its file and its row say. Nothing is shared with another decky.
func known(d stage.Decky) messages.FactsTold {
	config, _ := json.Marshal(d)            // of strings and numbers
	services, _ := json.Marshal(d.Services) // the same
	seen := make([]messages.ServiceSeen, 0, len(d.Services))
	for _, s := range d.Services {
		seen = append(seen, messages.ServiceSeen{ID: fmt.Sprintf("%064x", rand.Uint64()), Service: s, State: "running"}) //nolint:gosec // only its length counts
	}
	digest := fmt.Sprintf("%064x", rand.Uint64()) //nolint:gosec // only its length counts
	now := time.Now()
	return messages.FactsTold{
		Runtime: messages.RuntimeObserved{Known: true, Services: seen, Base: "running", Cause: "list"},
		Declared: messages.DeclaredObserved{Presence: messages.Present, ReadAt: now, Entry: messages.Declared{Name: d.Name, IP: d.IP,
			Services: d.Services, ServicesJSON: string(services), ConfigJSON: string(config), Digest: digest}},
		Recorded: messages.RecordedObserved{Presence: messages.Present, ReadAt: now, Row: messages.Recorded{Name: d.Name, HasConfig: true,
			IP: d.IP, Services: d.Services, State: "running", Digest: digest}},
	}
}

// weighed collects the garbage and looks.
func weighed() weight {
	runtime.GC()
	runtime.GC() // what finalizers and pools let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return weight{m.HeapAlloc, m.StackInuse}
}
