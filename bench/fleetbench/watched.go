package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/bench/internal/report"
	"github.com/decnet/decnet-fleetd/bench/internal/stage"
)

// watching is what two open consoles do: the browser's page, which follows the events and loads the list again as often as
// its script does while one event follows the other, and the terminal's list, which follows them and asks every second.
type watching struct {
	http   *http.Client
	events atomic.Int64 // read from both streams
	resets atomic.Int64
	looks  atomic.Int64
	failed atomic.Pointer[error]
	all    sync.WaitGroup
	end    context.CancelFunc
}

// lookAgain is how often both look in a storm. Source: live.js and the refresh of the terminal's console.
const lookAgain = time.Second

func watch(ctx context.Context, socket string) *watching {
	w := &watching{http: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
	ctx, w.end = context.WithCancel(ctx)
	w.all.Go(func() { w.follow(ctx, "text/event-stream") })
	w.all.Go(func() { w.follow(ctx, "application/jsonl") })
	w.all.Go(func() { w.look(ctx, "/deckies") })
	w.all.Go(func() { w.look(ctx, "/v1/status", "/v1/deckies") })
	return w
}

// stop closes the consoles and gives what went wrong with them.
func (w *watching) stop() error {
	w.end()
	w.all.Wait()
	w.http.CloseIdleConnections()
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (w *watching) fail(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		w.failed.CompareAndSwap(nil, &err)
	}
}

func (w *watching) get(ctx context.Context, path, accept string) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	resp, err := w.http.Do(r)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (w *watching) follow(ctx context.Context, accept string) {
	body, err := w.get(ctx, "/v1/stream", accept)
	if err != nil {
		w.fail(ctx, err)
		return
	}
	defer body.Close() //nolint:errcheck // it was only read
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		switch text := strings.TrimPrefix(lines.Text(), "data: "); {
		case strings.HasPrefix(text, `{"kind":"reset"`):
			w.resets.Add(1)
		case strings.HasPrefix(text, "{"):
			w.events.Add(1)
		}
	}
	w.fail(ctx, lines.Err())
}

func (w *watching) look(ctx context.Context, paths ...string) {
	for pause(ctx, lookAgain) == nil {
		for _, path := range paths {
			body, err := w.get(ctx, path, "text/html")
			if err == nil {
				_, err = io.Copy(io.Discard, body)
				_ = body.Close() // it was only read
			}
			w.fail(ctx, err)
			w.looks.Add(1)
		}
	}
}

// watched is what open consoles cost in a storm.
type watched struct {
	alone, open           time.Duration // the daemon's processor time in half a minute, without and with consoles
	before, middle, after int64         // level of the RSS, KiB: before the first storm with consoles, after it, after the last
	events, resets, looks int64
}

// rounds of both kinds take turns: a machine that gets slower in between is slower for both.
const watchedRounds = 3

func watchedStorm(ctx context.Context, b *bench) ([]report.Row, error) {
	during := time.Duration(b.pick(30, 8)) * time.Second
	var s watched
	err := b.on(ctx, func(h *stage.Host) error {
		if err := serving(ctx, h, stormed+bystanders); err != nil {
			return err
		}
		for round := range watchedRounds {
			if err := s.round(ctx, h, during, round); err != nil {
				return err
			}
		}
		return nil
	})
	return s.rows(during), err
}

func (s *watched) round(ctx context.Context, h *stage.Host, during time.Duration, n int) error {
	took, was, err := s.storm(ctx, h, during)
	if s.alone += took; err != nil {
		return err
	}
	if n == 1 {
		s.middle = was
	}
	w := watch(ctx, h.Path("control.sock"))
	took, was, err = s.storm(ctx, h, during)
	if failed := w.stop(); err == nil {
		err = failed
	}
	if n == 0 {
		s.before = was
	}
	s.open += took
	s.events, s.resets, s.looks = s.events+w.events.Load(), s.resets+w.resets.Load(), s.looks+w.looks.Load()
	if err == nil && n == watchedRounds-1 {
		s.after, _, err = level(ctx, h)
	}
	return err
}

// storm lets it rain once, after a calm, and gives the processor time that the daemon had meanwhile, and the level of its
// RSS in the calm.
func (s *watched) storm(ctx context.Context, h *stage.Host, during time.Duration) (took time.Duration, least int64, err error) {
	if least, _, err = level(ctx, h); err != nil {
		return 0, 0, err
	}
	before, err := stage.CPUOf(h.Daemon.PID())
	if err != nil {
		return 0, least, err
	}
	if _, err := h.Engine.Storm(ctx, stormRate, stormed*perDecky, during); err != nil {
		return 0, least, err
	}
	after, err := stage.CPUOf(h.Daemon.PID())
	return after - before, least, err
}

func (s *watched) rows(during time.Duration) []report.Row {
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / (watchedRounds * during).Seconds() }
	more := share(s.open) - share(s.alone)
	what := fmt.Sprintf("storm, %d events/s, %d × %.0f s, a browser and a terminal console open: ", stormRate, watchedRounds, during.Seconds())
	grown := mib(s.after - s.middle)
	return []report.Row{
		{Key: "storm/console", What: what + "processor time of the daemon", Hold: "≤ 5 % of a core more than without", N: int(s.looks), OK: s.open > 0 && more <= 5,
			Measured: fmt.Sprintf("%+.1f %% of a core (%.1f without, %.1f with; %d events read, %d resets, %d looks)", more, share(s.alone), share(s.open), s.events, s.resets, s.looks),
			Values:   map[string]float64{"more_percent": more, "alone_percent": share(s.alone), "open_percent": share(s.open), "resets": float64(s.resets)}},
		{Key: "storm/console-rss", What: what + "level of the RSS before, after the first, after the last", Hold: "does not grow: ≤ 4 MiB from the first to the last", OK: s.after > 0 && grown <= 4,
			Measured: fmt.Sprintf("%.1f, %.1f, %.1f MiB", mib(s.before), mib(s.middle), mib(s.after)),
			Values:   map[string]float64{"before_mib": mib(s.before), "middle_mib": mib(s.middle), "after_mib": mib(s.after)}},
	}
}
