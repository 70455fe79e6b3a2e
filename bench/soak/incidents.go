package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/integration/skew"
)

// incident is something that happens to the whole host, again and again.
type incident struct {
	name         string
	first, every time.Duration
	do           func(context.Context) error
}

// wholeIncidents is how long a run must be for the times below. A shorter one has everything in the same order, but sooner and
// shorter, so that nothing is left out.
const wholeIncidents = 30 * time.Minute

// incidents are what befalls the host. The times are those of an hour: the bus is away 10 minutes of it in three parts, the
// database is locked for 30 s, and none falls together with another all the time.
func (h *half) incidents() []incident {
	return append(h.world.incidents(),
		incident{"own kill -9", 5*time.Minute + 30*time.Second, 10 * time.Minute, h.daemonDies},
		incident{"bus away", 7 * time.Minute, 20 * time.Minute, h.busAway},
		incident{"database locked", 12 * time.Minute, time.Hour, h.databaseLocked},
		incident{"clock jumps", 3*time.Minute + 20*time.Second, 6 * time.Minute, h.clockJumps},
	)
}

// paced is a time of the incidents in this run.
func (h *half) paced(d time.Duration) time.Duration { return time.Duration(h.pace * float64(d)) }

// befall makes the incidents happen until ctx ends, each in its own rhythm. What was begun is ended.
func (h *half) befall(ctx context.Context) (map[string]int, error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	happened, failed := map[string]int{}, error(nil)
	for _, i := range h.incidents() {
		all.Go(func() {
			next := time.NewTimer(h.paced(i.first))
			defer next.Stop()
			for {
				select {
				case <-ctx.Done():
					return
				case <-next.C:
				}
				next.Reset(h.paced(i.every))
				err := i.do(ctx)
				mu.Lock()
				happened[i.name]++
				if err != nil {
					failed = errors.Join(failed, fmt.Errorf("%s: %w", i.name, err))
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return happened, failed
}

// daemonDies kills the product; its successor comes at once, as systemd would start it.
func (h *half) daemonDies(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.host.Daemon.Kill9(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	h.life++
	return h.serve()
}

// serve starts the product with the clock that jumps.
func (h *half) serve() error {
	return h.host.Serve("/usr/bin/env", skew.Env+"="+h.host.Path("clock"))
}

// busAway kills the bus, and starts it again on the same socket.
func (h *half) busAway(ctx context.Context) error {
	whole := context.WithoutCancel(ctx)
	if err := h.host.Bus.Kill9(whole); err != nil {
		return err
	}
	pause(ctx, h.paced(200*time.Second))
	if err := os.Remove(h.host.Path("bus.sock")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return h.host.StartBus(whole, "bus.sock")
}

// databaseLocked writes for 30 s as somebody does who forgot to commit.
func (h *half) databaseLocked(ctx context.Context) error {
	db, err := sql.Open("sqlite", "file:"+h.host.Path("decnet.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	tx, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	pause(ctx, h.paced(30*time.Second))
	return tx.Rollback()
}

// clockJumps sets the product's wall clock ten years ahead, ten years back, a night ahead and right again.
func (h *half) clockJumps(ctx context.Context) error {
	const year, night = 365 * 24 * time.Hour, 8 * time.Hour
	for _, by := range []time.Duration{10 * year, -10 * year, night, -night, 0} {
		if err := skew.Set(h.host.Path("clock"), by); err != nil {
			return err
		}
		pause(ctx, h.paced(12*time.Second))
	}
	return skew.Set(h.host.Path("clock"), 0)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// slopes are those of the lives together: every life begins small, so that a line through all of them says nothing. The first
// two minutes of a life are its start.
func slopes(samples []report.Sample, of func(report.Sample) float64) report.Series {
	const start = 120
	began := map[int]int{}
	var x, y []float64
	var lives []int
	var whole report.Series
	for i, p := range samples {
		v := of(p)
		if i == 0 {
			whole.First = v
		}
		whole.Last, whole.Max = v, math.Max(whole.Max, v)
		if _, ok := began[p.Life]; !ok {
			began[p.Life] = p.Second
		}
		if p.Second-began[p.Life] >= start {
			x, y, lives = append(x, float64(p.Second)), append(y, v), append(lives, p.Life)
		}
	}
	whole.SlopePerHour = report.PooledSlope(x, y, lives) * time.Hour.Seconds()
	return whole
}

// goroutines asks the daemon how many it has; 0: it does not answer.
func goroutines(ctx context.Context, h *stage.Host) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	n, err := h.Goroutines(ctx)
	if err != nil {
		return 0
	}
	return n
}
