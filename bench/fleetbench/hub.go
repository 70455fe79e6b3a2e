package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/pki"
	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// hubBench measures a hub with simulated workers: at rest, under a stream of transitions, and when one worker catches up.
func hubBench(ctx context.Context, b *bench) ([]report.Row, error) {
	n, size, during := b.pick(100, 10), b.pick(500, 100), time.Duration(b.pick(90, 8))*time.Second
	rate := b.pick(10000, 1000)
	what := fmt.Sprintf("hub, %d workers, %d deckies: ", n, n*size)
	idle := report.Row{Key: "hub/steady", What: what + "CPU, nothing but beats", Hold: "≤ 5 % of a core"}
	rss := report.Row{Key: "hub/rss", What: what + "RSS"}
	stream := report.Row{Key: "hub/stream", What: what + fmt.Sprintf("%d transitions/s for 10 s, committed", rate), Hold: "with the stream"}
	drained := report.Row{Key: "hub/drained", What: what + "bus drained after the stream", Hold: "≤ 30 s"}
	caught := report.Row{Key: "hub/catchup", What: what + "10,000 transitions of one worker that was cut off", Hold: "≤ 10 s"}
	err := b.on(ctx, func(h *stage.Host) error {
		feed, err := hubStage(ctx, h, n, "-deckies", fmt.Sprint(size), "-rest", during.String(), "-rate", fmt.Sprint(rate))
		if err != nil {
			return err
		}
		if _, err := reached(ctx, feed, "listed"); err != nil {
			return err
		}
		if _, err := drain(ctx, h); err != nil { // what the first listings brought is announced
			return err
		}
		began := time.Now()
		cpu, err := stage.CPUOf(h.Daemon.PID())
		if err != nil {
			return err
		}
		if _, err := reached(ctx, feed, "rested"); err != nil {
			return err
		}
		after, err := stage.CPUOf(h.Daemon.PID())
		if err != nil {
			return err
		}
		m, err := stage.MemoryOf(h.Daemon.PID())
		if err != nil {
			return err
		}
		share := (after - cpu).Seconds() / time.Since(began).Seconds()
		idle.OK, idle.Measured, idle.Values = share <= 0.05, fmt.Sprintf("%.2f %% of a core", 100*share), map[string]float64{"percent": 100 * share}
		rss.OK, rss.Measured, rss.Values = true, fmt.Sprintf("%.1f MiB", float64(m.RSS)/1024), map[string]float64{"rss_mib": float64(m.RSS) / 1024}
		p, err := reached(ctx, feed, "burst")
		if err != nil {
			return err
		}
		late := p.Seconds - 10
		stream.OK, stream.Measured = late <= 1, fmt.Sprintf("%d in %.1f s: %.0f a second", p.Shipped, p.Seconds, float64(p.Shipped)/p.Seconds)
		stream.Values = map[string]float64{"seconds": p.Seconds, "shipped": float64(p.Shipped)}
		took, err := drain(ctx, h)
		if err != nil {
			return err
		}
		drained.OK, drained.Measured, drained.Values = took <= 30*time.Second, report.Short(took), map[string]float64{"seconds": took.Seconds()}
		if p, err = reached(ctx, feed, "caught up"); err != nil {
			return err
		}
		caught.OK, caught.Measured, caught.Values = p.Seconds <= 10, fmt.Sprintf("%.1f s", p.Seconds), map[string]float64{"seconds": p.Seconds}
		return nil
	})
	return []report.Row{idle, rss, stream, drained, caught}, err
}

// hubStage starts a hub with its bus and the workers, enrolled.
func hubStage(ctx context.Context, h *stage.Host, n int, crowd ...string) (*stage.Feed[phase], error) {
	ca, err := pki.New()
	if err != nil {
		return nil, err
	}
	if _, err := ca.Issue(h.Path("master"), "decnet-master"); err != nil {
		return nil, err
	}
	var hosts []stage.Enrolled
	for i := range n {
		fp, err := ca.Issue(h.Path(fmt.Sprintf("workers/%d", i)), fmt.Sprintf("w%d", i))
		if err != nil {
			return nil, err
		}
		hosts = append(hosts, stage.Enrolled{UUID: hostOf(i), Name: fmt.Sprintf("w%d", i), Fingerprint: fp})
	}
	if err := h.Enrol(ctx, hosts); err != nil {
		return nil, err
	}
	if err := h.StartSim(ctx, 10); err != nil {
		return nil, err
	}
	if err := h.StartBus(ctx, "bus.sock"); err != nil {
		return nil, err
	}
	if _, _, err := h.Count("decky.*.state", 1); err != nil {
		return nil, err
	}
	if err := h.Declare(stage.Fleet(1, 10, stage.Services()...)); err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.ServeWith("--role", "hub", "--swarm-listen", fmt.Sprintf("127.0.0.1:%d", port), "--master-dir", h.Path("master")); err != nil {
		return nil, err
	}
	if err := h.Answers(ctx); err != nil {
		return nil, err
	}
	r, err := h.Role(append([]string{"workers", "-hub", fmt.Sprintf("tls://127.0.0.1:%d", port), "-dir", h.Path("workers"), "-workers", fmt.Sprint(n)}, crowd...)...)
	if err != nil {
		return nil, err
	}
	return stage.Follow(r, func(line []byte) (p phase, err error) { return p, json.Unmarshal(line, &p) }), nil
}

// hubPatience bounds a phase. Chosen: three times what the longest may take.
const hubPatience = 3 * time.Minute

func reached(ctx context.Context, feed *stage.Feed[phase], name string) (phase, error) {
	return feed.Await(ctx, 0, hubPatience, func(p phase) bool { return p.Phase == name })
}

// drain waits until every transition is out of the outbox.
func drain(ctx context.Context, h *stage.Host) (time.Duration, error) {
	began := time.Now()
	err := stage.Until(ctx, hubPatience, func() error {
		n, err := h.Waiting(ctx)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d transitions wait for the bus", n)
		}
		return err
	})
	return time.Since(began), err
}

func freePort(ctx context.Context) (int, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // it listens on TCP
	return port, l.Close()
}
