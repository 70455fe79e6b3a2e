package metrics

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// full is metrics with a value of every kind.
func full(t *testing.T) *Metrics {
	t.Helper()
	m, err := New(Config{Version: "1.0", Revision: "abc", Started: now.Add(-time.Hour), Now: func() time.Time { return now },
		Status: func() (messages.Status, bool) {
			return messages.Status{Deckies: map[string]int{"running": 3, "evil\"} 1\n": 2, "": 1}, Foreign: 1, OutboxDepth: 2,
				Rejected: []messages.Fault{{What: "twin"}}, Counters: map[string]int64{"relist_drift_found": 5},
				Held:       []messages.DeckyHeld{{Name: "d1", Held: messages.Held{What: "delete"}}, {Name: "d2", Held: messages.Held{What: "insert"}}},
				Components: []messages.ComponentStatus{{Component: "docker", State: "down"}, {Component: "file", State: "degraded"}, {Component: "lease", State: "ok"}}}, true
		},
		Sources: func() map[string]time.Time {
			return map[string]time.Time{"docker": now.Add(-9 * time.Second), "file": {}}
		},
		Engine:    func() Engine { return Engine{Events: map[string]int64{"die": 4}, Reconnects: 1} },
		Bus:       func() Bus { return Bus{Sent: 3, Acked: 2} },
		Coalesced: func() int64 { return 7 },
		Crews: func() []Crew {
			return []Crew{{Kind: "decky", DepthMax: 3, Dropped: 2, Quarantined: 1}, {Kind: "store", Stuck: 1}}
		}})
	if err != nil {
		t.Fatal(err)
	}
	m.Committed(messages.Transition{Transition: "state_changed", State: "failed", ObservedAt: messages.Moment{Time: now.Add(-40 * time.Millisecond)}}, now)
	m.Queued(id(1), 1, now.Add(-3*time.Second))
	m.Queued(id(2), 2, now.Add(-2*time.Second))
	m.Echoed(id(2), now)
	m.Reconciled(80 * time.Millisecond)
	m.Relisted(3 * time.Millisecond)
	m.Called("apply", 10*time.Millisecond, true)
	m.Meter("decky").Handled(messages.DeckyGone{})
	m.Meter("decky").Took(time.Microsecond)
	m.Fell("decky/d1", false, false)
	m.Rose("decky", "decky/d1")
	m.Beat("store")
	return m
}

func id(n int) string { return fmt.Sprintf("%032x", n)[16:] + fmt.Sprintf("%016x", n) }

var update = os.Getenv("UPDATE_GOLDEN") != ""

// TestNamesAndTypesAreTheDocumentedOnes: dashboards and alerts are built on them.
func TestNamesAndTypesAreTheDocumentedOnes(t *testing.T) {
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), prefix) {
			continue
		}
		labels := []string{}
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		got = append(got, fmt.Sprintf("%s %s {%s}", f.GetName(), strings.ToLower(f.GetType().String()), strings.Join(labels, ",")))
	}
	const golden = "testdata/names.txt"
	if update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Split(strings.TrimSpace(string(raw)), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Thousands of transitions are committed within a millisecond, and their ids begin alike.
func TestRowsOfOneMomentAreToldApart(t *testing.T) {
	m := full(t)
	var ids []string
	for i := range 2000 {
		ids = append(ids, messages.NewEventID(now))
		m.Queued(ids[i], int64(10+i), now.Add(-time.Second))
	}
	if n := len(m.flights.all); n != 2001 {
		t.Errorf("%d rows wait, not 2001", n)
	}
	for _, id := range ids {
		m.Echoed(id, now)
	}
	if n := len(m.flights.all); n != 1 {
		t.Errorf("%d rows are left, not 1", n)
	}
}

func TestNamesFollowPrometheusConventions(t *testing.T) {
	families, err := full(t).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	families = slices.DeleteFunc(families, func(f family) bool { return !strings.HasPrefix(f.GetName(), prefix) })
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
}

func TestValuesAreWhatWasCounted(t *testing.T) {
	want := `
# HELP decnet_fleetd_deckies Deckies of this host by the state of their row.
# TYPE decnet_fleetd_deckies gauge
decnet_fleetd_deckies{state="degraded"} 0
decnet_fleetd_deckies{state="failed"} 0
decnet_fleetd_deckies{state="other"} 3
decnet_fleetd_deckies{state="pending"} 0
decnet_fleetd_deckies{state="running"} 3
decnet_fleetd_deckies{state="torn_down"} 0
decnet_fleetd_deckies{state="unrecorded"} 0
# HELP decnet_fleetd_deletes_held Rows whose deletion waits: for the guard, an approval or the end of an operation.
# TYPE decnet_fleetd_deletes_held gauge
decnet_fleetd_deletes_held 1
# HELP decnet_fleetd_outbox_oldest_seconds Age of the oldest of them; 0 without any.
# TYPE decnet_fleetd_outbox_oldest_seconds gauge
decnet_fleetd_outbox_oldest_seconds 3
# HELP decnet_fleetd_source_age_seconds Time since a source last answered; one that never did is left out.
# TYPE decnet_fleetd_source_age_seconds gauge
decnet_fleetd_source_age_seconds{source="docker"} 9
# HELP decnet_fleetd_source_up 1 while what a source says is known.
# TYPE decnet_fleetd_source_up gauge
decnet_fleetd_source_up{source="docker"} 0
decnet_fleetd_source_up{source="file"} 1
# HELP decnet_fleetd_actor_restarts_total Actors that were started again: after a crash, a stuck handler, a quarantine, or with their group.
# TYPE decnet_fleetd_actor_restarts_total counter
decnet_fleetd_actor_restarts_total{kind="decky",reason="crash"} 1
# HELP decnet_fleetd_actors_stuck Actors that have been in one handler for more than 5 s.
# TYPE decnet_fleetd_actors_stuck gauge
decnet_fleetd_actors_stuck 1
# HELP decnet_fleetd_messages_total Messages that actors handled.
# TYPE decnet_fleetd_messages_total counter
decnet_fleetd_messages_total{kind="decky",type="DeckyGone"} 1
# HELP decnet_fleetd_transitions_total Committed transitions.
# TYPE decnet_fleetd_transitions_total counter
decnet_fleetd_transitions_total{state="failed",transition="state_changed"} 1
# HELP process_start_time_seconds Start time of the process since unix epoch in seconds.
# TYPE process_start_time_seconds gauge
process_start_time_seconds 1.7803116e+09
`
	names := regexp.MustCompile(`# TYPE (\S+)`).FindAllStringSubmatch(want, -1)
	var only []string
	for _, n := range names {
		only = append(only, n[1])
	}
	if err := testutil.GatherAndCompare(full(t).registry, strings.NewReader(want), only...); err != nil {
		t.Error(err)
	}
}

func TestLatenciesLandInTheirBuckets(t *testing.T) {
	m := full(t)
	for name, c := range map[string]struct {
		h   histogram
		sum float64
	}{"detect": {m.detect, .04}, "ack": {m.ack, 2}, "reconcile": {m.reconcile, .08}, "relist": {m.relist, .003}} {
		if n, sum := read(t, c.h); n != 1 || sum < c.sum*.999 || sum > c.sum*1.001 {
			t.Errorf("%s: %d observations, %v s; want 1, %v", name, n, sum, c.sum)
		}
	}
}

// TestRowsThatNobodyAcknowledgesAreBounded: the bus may be away for a week.
func TestRowsThatNobodyAcknowledgesAreBounded(t *testing.T) {
	m := full(t)
	for n := range 2 * maxFlights {
		m.Queued(id(n+10), int64(n+10), now)
	}
	if len(m.flights.all) != maxFlights {
		t.Errorf("%d rows are kept", len(m.flights.all))
	}
	if got := now.Sub(m.flights.oldest()); got != 3*time.Second {
		t.Errorf("the oldest is %s old: it was thrown away for a younger one", got)
	}
	m.Parked(1)
	if got := now.Sub(m.flights.oldest()); got != 0 {
		t.Errorf("a parked row still counts as the oldest: %s", got)
	}
}

func TestAnEchoOfSomebodyElseIsNoAcknowledgement(t *testing.T) {
	m := full(t)
	for _, forged := range []string{"", "xyz", id(2), id(99), strings.Repeat("z", 32)} {
		m.Echoed(forged, now)
	}
	if n, _ := read(t, m.ack); n != 1 {
		t.Errorf("%d acknowledgements, not the one of the row in flight", n)
	}
}

func TestWhyAnActorWasStartedAgain(t *testing.T) {
	for want, fall := range map[string]func(m *Metrics){
		"crash":      func(m *Metrics) { m.Fell("store/s", false, false) },
		"stuck":      func(m *Metrics) { m.Fell("store/s", true, false); m.Fell("store/s", false, false) }, // replaced, then restarting
		"quarantine": func(m *Metrics) { m.Fell("store/s", false, false); m.Fell("store/s", false, true) },
		"group":      func(*Metrics) {},
	} {
		m := full(t)
		fall(m)
		m.Rose("store", "store/s")
		if got := testutil.ToFloat64(m.restarts.WithLabelValues("store", want)); got != 1 {
			t.Errorf("%s: counted %v", want, got)
		}
		if len(m.falls.why) != 0 {
			t.Errorf("%s: %v is remembered", want, m.falls.why)
		}
	}
}

func TestOneMessageInSixteenIsTimedAndTheFirstIs(t *testing.T) {
	m := full(t).Meter("store")
	var timed []int
	for n := range 40 {
		if m.Timed() {
			timed = append(timed, n)
		}
	}
	if !slices.Equal(timed, []int{0, 16, 32}) {
		t.Errorf("timed %v", timed)
	}
}
