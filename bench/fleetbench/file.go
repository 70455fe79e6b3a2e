package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

// standing is how many deckies with containers stand in the file beside those that come and go.
const standing = 100

// fileLatency: DECNET rewrites the file; how long until the row is there, changed or gone.
func fileLatency(ctx context.Context, b *bench) ([]report.Row, error) {
	rows, err := b.watched(ctx)
	if err != nil {
		return nil, err
	}
	blind, err := b.blind(ctx)
	return append(rows, blind), err
}

// watched measures with inotify at work.
func (b *bench) watched(ctx context.Context) ([]report.Row, error) {
	var inserts, configs, deletes []time.Duration
	err := b.on(ctx, func(h *stage.Host) error {
		deckies, err := filed(ctx, h)
		if err != nil {
			return err
		}
		if deckies, inserts, err = insert(ctx, h, deckies, b.pick(300, 20)); err != nil {
			return err
		}
		if configs, err = reconfigure(ctx, h, deckies, 100*time.Millisecond); err != nil {
			return err
		}
		deletes, err = remove(ctx, h, deckies)
		return err
	})
	if err != nil {
		return nil, err
	}
	const what = "file change → row committed, "
	last := judged(report.Row{Key: "file/delete", What: what + "delete", Hold: "≤ 2.3 s"}, deletes, 0, 0)
	last.OK = report.Quantile(deletes, 1) <= 2300*time.Millisecond
	return []report.Row{
		judged(report.Row{Key: "file/insert", What: what + "insert", Hold: "p99 ≤ 200 ms"}, inserts, 0, 200*time.Millisecond),
		judged(report.Row{Key: "file/config", What: what + "config", Hold: "p99 ≤ 200 ms"}, configs, 0, 200*time.Millisecond),
		last,
	}, nil
}

// filed brings up a daemon, through a wrapper where one is given, and gives what the file declares.
func filed(ctx context.Context, h *stage.Host, wrapper ...string) ([]stage.Decky, error) {
	if err := simulated(ctx, h, standing); err != nil {
		return nil, err
	}
	if err := errors.Join(h.Witness(true, sharp), h.Serve(wrapper...)); err != nil {
		return nil, err
	}
	deckies := stage.Fleet(1, standing, stage.Services()...)
	return deckies, rowsRun(ctx, h, deckies)
}

// insert adds one decky at a time, without containers: its row is torn_down from the start.
func insert(ctx context.Context, h *stage.Host, deckies []stage.Decky, n int) ([]stage.Decky, []time.Duration, error) {
	var samples []time.Duration
	for range n {
		deckies = append(deckies, stage.Fleet(len(deckies)+1, 1, stage.Services()...)...)
		took, err := change(ctx, h, deckies, deckies[len(deckies)-1].Name)
		if err != nil {
			return nil, nil, err
		}
		samples = append(samples, took)
		if err := pause(ctx, time.Duration(rand.IntN(100))*time.Millisecond); err != nil {
			return nil, nil, err
		}
	}
	return deckies, samples, nil
}

// reconfigure gives one decky after the other another host name.
func reconfigure(ctx context.Context, h *stage.Host, deckies []stage.Decky, gap time.Duration) ([]time.Duration, error) {
	var samples []time.Duration
	for i := range deckies[standing:] {
		d := &deckies[standing+i]
		d.Hostname += "-b"
		took, err := change(ctx, h, deckies, d.Name)
		if err != nil {
			return nil, err
		}
		samples = append(samples, took)
		if err := pause(ctx, time.Duration(rand.Int64N(int64(gap)))); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// change writes the file and waits for the row of one decky.
func change(ctx context.Context, h *stage.Host, deckies []stage.Decky, name string) (time.Duration, error) {
	mark := h.Seen.Len()
	at, err := h.DeclareAt(deckies)
	if err != nil {
		return 0, err
	}
	s, err := h.Seen.Await(ctx, mark, lateAfter, func(s witness.Sight) bool { return s.Name == name })
	if err != nil {
		return 0, fmt.Errorf("row of %s: %w\n%s", name, err, h.Daemon.Tail())
	}
	return time.Duration(s.At - at), nil
}

// remove takes one decky after the other out of the file without waiting for the one before: each takes its two seconds.
func remove(ctx context.Context, h *stage.Host, deckies []stage.Decky) ([]time.Duration, error) {
	mark := h.Seen.Len()
	began := map[string]int64{}
	for len(deckies) > standing {
		name := deckies[len(deckies)-1].Name
		deckies = slices.Clone(deckies[:len(deckies)-1])
		at, err := h.DeclareAt(deckies)
		if err != nil {
			return nil, err
		}
		began[name] = at
		if err := pause(ctx, 75*time.Millisecond+time.Duration(rand.IntN(50))*time.Millisecond); err != nil {
			return nil, err
		}
	}
	var samples []time.Duration
	for name, at := range began {
		s, err := h.Seen.Await(ctx, mark, lateAfter, became(name, ""))
		if err != nil {
			return nil, fmt.Errorf("row of %s is not gone: %w\n%s", name, err, h.Daemon.Tail())
		}
		samples = append(samples, time.Duration(s.At-at))
	}
	return samples, nil
}

// blinded runs a program where inotify has no instance left, in a user namespace of its own: nobody else is touched.
var blinded = []string{"unshare", "--user", "--map-root-user", "sh", "-c",
	`echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"`, "sh"}

// blind measures with the backstop alone.
func (b *bench) blind(ctx context.Context) (report.Row, error) {
	row := report.Row{Key: "file/blind", What: "file change → row committed, config, inotify blind", Hold: "≤ 2 s"}
	if err := exec.CommandContext(ctx, blinded[0], append(blinded[1:], "true")...).Run(); err != nil {
		row.Skipped = "no user namespace in which inotify could be taken away: " + err.Error()
		return row, nil //nolint:nilerr // the row says it
	}
	var samples []time.Duration
	err := b.on(ctx, func(h *stage.Host) error {
		deckies, err := filed(ctx, h, blinded...)
		if err != nil {
			return err
		}
		deckies = append(deckies, stage.Fleet(standing+1, b.pick(30, 4), stage.Services()...)...)
		if _, err := change(ctx, h, deckies, deckies[standing].Name); err != nil {
			return err
		}
		if err := pause(ctx, again); err != nil {
			return err
		}
		samples, err = reconfigure(ctx, h, deckies, 2*time.Second)
		return err
	})
	row = judged(row, samples, 0, 0)
	row.OK = err == nil && report.Quantile(samples, 1) <= 2*time.Second
	return row, err
}
