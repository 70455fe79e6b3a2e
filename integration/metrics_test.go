package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// get asks the daemon's control socket and gives code and body.
func (s *stage) get(path string) (int, string) {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", s.path("control.sock"))
	}}}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
	must(s.t, err)
	resp, err := client.Do(req)
	must(s.t, err)
	defer resp.Body.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(resp.Body)
	must(s.t, err)
	return resp.StatusCode, string(raw)
}

// sample is one scrape: values by name with labels, as the text has them.
type sample map[string]float64

func (s *stage) scrape() sample {
	s.t.Helper()
	code, text := s.get("/metrics")
	if code != http.StatusOK {
		s.t.Fatalf("/metrics: %d %s", code, text)
	}
	out := sample{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		must(s.t, err)
		out[strings.TrimPrefix(name, "decnet_fleetd_")] = v
	}
	return out
}

// grew complains unless a counter grew by exactly so much between two scrapes.
func grew(before, after sample, name string, by float64) error {
	return unless(after[name]-before[name] == by, "%s went from %v to %v, not by %v", name, before[name], after[name], by)
}

func TestAKilledContainerMovesTheRightCounters(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "metric", 2, "ssh", "http")...)
	var before sample
	eventually(t, soon, func() error { // of both inserts
		before = s.scrape()
		return unless(before[`publish_total{result="acknowledged",sink="bus"}`] == 2 && before["outbox_depth"] == 0, "%v acknowledged",
			before[`publish_total{result="acknowledged",sink="bus"}`])
	})

	e.kill(t, "metric-01-ssh")
	s.reaches("metric-01", "degraded", prompt)

	var after sample
	eventually(t, prompt, func() error {
		after = s.scrape()
		return errors.Join(
			grew(before, after, `transitions_total{state="degraded",transition="state_changed"}`, 1),
			grew(before, after, "detect_to_commit_seconds_count", 1),
			grew(before, after, "commit_to_ack_seconds_count", 1),
			grew(before, after, `publish_total{result="acknowledged",sink="bus"}`, 1),
			grew(before, after, `docker_events_total{type="die"}`, 1),
			grew(before, after, `docker_events_total{type="start"}`, 0),
			unless(after[`deckies{state="degraded"}`] == 1 && after[`deckies{state="running"}`] == 1, "deckies %v and %v",
				after[`deckies{state="degraded"}`], after[`deckies{state="running"}`]),
			unless(after["outbox_depth"] == 0 && after["outbox_oldest_seconds"] == 0, "outbox %v, %v s", after["outbox_depth"], after["outbox_oldest_seconds"]),
		)
	})
	took := after["detect_to_commit_seconds_sum"] - before["detect_to_commit_seconds_sum"]
	if took <= 0 || took > prompt.Seconds() {
		t.Errorf("detected and committed in %v s", took)
	}
	for _, positive := range []string{`db_seconds_count{op="apply"}`, `messages_total{kind="store",type="RowChange"}`, `handler_seconds_count{kind="decky"}`,
		"relist_seconds_count", "lease_held", `source_up{source="docker"}`, `source_up{source="file"}`, `source_up{source="database"}`,
		`watchdog_age_seconds{loop="store"}`, `watchdog_age_seconds{loop="supervisor"}`, "reconcile_seconds_count", "process_resident_memory_bytes", "go_goroutines"} {
		if after[positive] <= 0 {
			t.Errorf("%s is %v", positive, after[positive])
		}
	}
	if age := time.Since(time.Unix(int64(after["process_start_time_seconds"]), 0)); age < 0 || age > 5*time.Minute {
		t.Errorf("the process started %s ago", age)
	}
	if _, text := s.get("/metrics"); strings.Contains(text, "metric-0") {
		t.Error("a decky's name is in the metrics")
	}
}

func TestMetricsShowABusThatIsAway(t *testing.T) {
	e := sharedEngine(t)
	s := play(t, e, e.fleet(t, "metric-bus", 1, "ssh")...)
	s.bus.kill9(t)
	e.kill(t, "metric-bus-01-ssh")
	eventually(t, prompt, func() error {
		m := s.scrape()
		return unless(m["outbox_depth"] == 1 && m["outbox_oldest_seconds"] > 0.5, "outbox %v, oldest %v s", m["outbox_depth"], m["outbox_oldest_seconds"])
	})
	must(t, s.ready(http.StatusServiceUnavailable, `"status":"degraded"`, "bus is down"))
	must(t, s.health())
	s.startBus(s.path("bus.sock"))
	eventually(t, soon, func() error {
		m := s.scrape()
		return errors.Join(unless(m["outbox_depth"] == 0 && m["outbox_oldest_seconds"] == 0, "outbox %v", m["outbox_depth"]),
			unless(m["commit_to_ack_seconds_sum"] > 0.5, "the acknowledgement took %v s", m["commit_to_ack_seconds_sum"]),
			s.ready(http.StatusOK, `"status":"ready"`))
	})
}

func TestReadyzFollowsTheEngineAndHealthzDoesNot(t *testing.T) {
	e := startDockerd(t, true)
	s := play(t, e.engine, e.fleet(t, "ready", 1, "ssh")...)
	eventually(t, prompt, func() error {
		return s.ready(http.StatusOK, `"status":"ready"`, `"passed":true`, `"role":"owner"`, `"reasons":[]`)
	})
	e.kill9(t)
	eventually(t, soon, func() error {
		return s.ready(http.StatusServiceUnavailable, `"status":"degraded"`, `"passed":true`, "docker is down")
	})
	must(t, s.health())
	if up := s.scrape()[`source_up{source="docker"}`]; up != 0 {
		t.Errorf("source_up is %v without an engine", up)
	}
	e.start(t)
	eventually(t, apiBack, func() error { return s.ready(http.StatusOK, `"status":"ready"`) })
	if n := s.scrape()["docker_stream_reconnects_total"]; n < 1 {
		t.Errorf("%v reconnects", n)
	}
}

func (s *stage) ready(code int, words ...string) error {
	got, text := s.get("/readyz")
	err := unless(got == code, "/readyz: %d, not %d", got, code)
	for _, w := range words {
		err = errors.Join(err, unless(strings.Contains(text, w), "/readyz lacks %s", w))
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

func (s *stage) health() error {
	code, text := s.get("/healthz")
	return unless(code == http.StatusOK, "/healthz: %d %s", code, text)
}
