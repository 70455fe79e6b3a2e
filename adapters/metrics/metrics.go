package metrics

import (
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/decnet/decnet-fleetd/messages"
)

// prefix begins every name of ours.
const prefix = "decnet_fleetd_"

// Config is what the metrics are read from. Version, Now and Started are required; a function that is nil leaves its
// metrics out. All functions are called by scrapes, at once from several goroutines, and must not wait for anybody.
type Config struct {
	Version  string
	Revision string    // of the source, "" if unknown
	Started  time.Time // of the process
	Now      func() time.Time
	// Status is the status of the host as last published; false: none was yet.
	Status func() (messages.Status, bool)
	// Sources says when each source last answered, by component; a zero time means never.
	Sources func() map[string]time.Time
	// Engine, Crews and Bus are counters of others.
	Engine func() Engine
	Crews  func() []Crew
	Bus    func() Bus
	// Coalesced counts the transitions that the bound of the outbox merged into later ones.
	Coalesced func() int64
}

// Engine is what the observer of the container engine has counted.
type Engine struct {
	Events     map[string]int64 // by type, a closed set
	Reconnects int64
}

// Crew is all actors of one kind.
type Crew struct {
	Kind        string
	DepthMax    int64 // messages waiting in the fullest mailbox
	Dropped     int64 // messages nobody took, ever
	Quarantined int
	Stuck       int
}

// Bus is what the publisher has counted.
type Bus struct{ Sent, Acked, Lost, Resent, Replayed, Parked int64 }

// Metrics is the registry with everything that is counted as it passes. Its methods are safe from any goroutine.
type Metrics struct {
	cfg      Config
	registry *prometheus.Registry

	detect, ack, reconcile, relist prometheus.Histogram

	transitions, messages, restarts *prometheus.CounterVec
	handler, db                     *prometheus.HistogramVec
	busy                            prometheus.Counter

	flights flights
	falls   falls
	beats   beats
}

// Buckets. Source: around the numbers that are promised, 75 ms, 250 ms, 2 s, with what a fault makes of them above.
var (
	latency  = []float64{.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	handling = []float64{1e-6, 1e-5, 1e-4, 1e-3, 1e-2, .1, 1, 5, 30}
)

// New makes the metrics.
func New(cfg Config) (*Metrics, error) {
	if cfg.Version == "" || cfg.Now == nil || cfg.Started.IsZero() {
		return nil, errors.New("metrics: Version, Now and Started are required")
	}
	m := &Metrics{cfg: cfg, registry: prometheus.NewRegistry()}
	m.instruments()
	for _, c := range []prometheus.Collector{m.detect, m.ack, m.reconcile, m.relist, m.transitions, m.messages, m.restarts,
		m.handler, m.db, m.busy, gatherer{m}, newProcess(cfg.Started), collectors.NewGoCollector()} {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *Metrics) instruments() {
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets})
	}
	m.detect = histogram("detect_to_commit_seconds", "From the moment something happened, as its source tells it, to the committed row.", latency)
	m.ack = histogram("commit_to_ack_seconds", "From the committed row to the bus having fanned the event out.", latency)
	m.reconcile = histogram("reconcile_seconds", "How long a complete pass over everything took: the first one, and those that were asked for.", latency)
	m.relist = histogram("relist_seconds", "How long the engine took for a complete list of containers.", latency)
	m.busy = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "db_busy_total",
		Help: "Calls to the database that ended at somebody else's lock or at their deadline."})
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + name, Help: help}, labels)
	}
	m.transitions = counter("transitions_total", "Committed transitions.", "transition", "state")
	m.messages = counter("messages_total", "Messages that actors handled.", "kind", "type")
	m.restarts = counter("actor_restarts_total", "Actors that were started again: after a crash, a stuck handler, a quarantine, or with their group.", "kind", "reason")
	vec := func(name, help, label string, buckets []float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: prefix + name, Help: help, Buckets: buckets}, []string{label})
	}
	m.handler = vec("handler_seconds", "How long actors took for one message; one in 16 is timed.", "kind", handling)
	m.db = vec("db_seconds", "How long calls to the database took, failed ones included.", "op", latency)
}

// Handler serves a scrape.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}

// maxScrapes bounds the scrapes that run at once. Chosen: two Prometheus servers and a person.
const maxScrapes = 4

// Reconciled notes a complete pass.
func (m *Metrics) Reconciled(took time.Duration) { m.reconcile.Observe(took.Seconds()) }

// Relisted notes a complete list of containers.
func (m *Metrics) Relisted(took time.Duration) { m.relist.Observe(took.Seconds()) }

// Called notes a call to the database. busy: it ended at a lock or a deadline.
func (m *Metrics) Called(op string, took time.Duration, busy bool) {
	m.db.WithLabelValues(op).Observe(took.Seconds())
	if busy {
		m.busy.Inc()
	}
}
