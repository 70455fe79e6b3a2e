package metrics

import (
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/decnet/decnet-fleetd/messages"
)

// gatherer reads at each scrape what others keep.
type gatherer struct{ m *Metrics }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prefix+name, help, labels, nil)
}

var (
	descBuild      = desc("build_info", "Always 1; the labels say what runs.", "version", "revision", "goversion")
	descDeckies    = desc("deckies", "Deckies of this host by the state of their row.", "state")
	descForeign    = desc("declared_foreign", "Entries of the state file that belong to another host.")
	descInvalid    = desc("declared_invalid", "Faults of the state file: rejected entries, or the file itself.")
	descHeld       = desc("deletes_held", "Rows whose deletion waits: for the guard, an approval or the end of an operation.")
	descDepth      = desc("outbox_depth", "Transitions that the bus has not acknowledged.")
	descOldest     = desc("outbox_oldest_seconds", "Age of the oldest of them; 0 without any.")
	descPublish    = desc("publish_total", "Events by sink and by what became of them; resent and replayed ones are copies of others.", "sink", "result")
	descCoalesced  = desc("publish_coalesced_total", "Transitions that a full outbox merged into a later one of the same decky.")
	descUp         = desc("source_up", "1 while what a source says is known.", "source")
	descAge        = desc("source_age_seconds", "Time since a source last answered; one that never did is left out.", "source")
	descEvents     = desc("docker_events_total", "Container events read from the engine.", "type")
	descReconnects = desc("docker_stream_reconnects_total", "Event streams of the engine that were opened after the first.")
	descDrift      = desc("relist_drift_found_total", "Changes that a complete list found and no event had announced.")
	descMailbox    = desc("mailbox_depth_max", "Messages waiting in the fullest mailbox of a kind of actor.", "kind")
	descDead       = desc("dead_letters_total", "Messages that nobody took: the mailbox was full, or the actor in quarantine or stopped.", "kind")
	descQuarantine = desc("actors_quarantined", "Actors that crashed too often and wait for the next try.")
	descStuck      = desc("actors_stuck", "Actors that have been in one handler for more than 5 s.")
	descWatchdog   = desc("watchdog_age_seconds", "Time since a loop last answered a round trip.", "loop")
	descLease      = desc("lease_held", "1 while this process owns the rows of its host.")
)

// Describe implements prometheus.Collector.
func (g gatherer) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBuild, descDeckies, descForeign, descInvalid, descHeld, descDepth, descOldest, descPublish,
		descCoalesced, descUp, descAge, descEvents, descReconnects, descDrift, descMailbox, descDead, descQuarantine, descStuck,
		descWatchdog, descLease} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (g gatherer) Collect(to chan<- prometheus.Metric) {
	s := sheet{to}
	s.gauge(descBuild, 1, g.m.cfg.Version, g.m.cfg.Revision, runtime.Version())
	if g.m.cfg.Status != nil {
		if st, known := g.m.cfg.Status(); known {
			g.status(s, st)
		}
	}
	g.sources(s)
	if g.m.cfg.Engine != nil {
		e := g.m.cfg.Engine()
		for word, n := range e.Events {
			s.count(descEvents, n, word)
		}
		s.count(descReconnects, e.Reconnects)
	}
	if g.m.cfg.Bus != nil {
		g.bus(s, g.m.cfg.Bus())
	}
	if g.m.cfg.Coalesced != nil {
		s.count(descCoalesced, g.m.cfg.Coalesced())
	}
	if g.m.cfg.Crews != nil {
		g.crews(s, g.m.cfg.Crews())
	}
	now := g.m.cfg.Now()
	g.m.beats.each(func(loop string, at time.Time) { s.gauge(descWatchdog, now.Sub(at).Seconds(), loop) })
}

func (g gatherer) status(s sheet, st messages.Status) {
	counts := map[string]int{}
	for state, n := range st.Deckies {
		counts[stateWord(state)] += n
	}
	for _, state := range states {
		s.gauge(descDeckies, float64(counts[state]), state)
	}
	s.gauge(descForeign, float64(st.Foreign))
	s.gauge(descInvalid, float64(len(st.Rejected)))
	held := 0
	for _, h := range st.Held {
		if h.What == "delete" {
			held++
		}
	}
	s.gauge(descHeld, float64(held))
	s.gauge(descDepth, float64(st.OutboxDepth))
	age := 0.0
	if at := g.m.flights.oldest(); st.OutboxDepth > 0 && !at.IsZero() {
		age = g.m.cfg.Now().Sub(at).Seconds()
	}
	s.gauge(descOldest, age)
	s.count(descDrift, st.Counters["relist_drift_found"])
	lease := slices.ContainsFunc(st.Components, func(c messages.ComponentStatus) bool { return c.Component == "lease" && c.State == "ok" })
	s.gauge(descLease, truth(lease))
	for _, c := range st.Components {
		if name, is := sourceOf[c.Component]; is {
			s.gauge(descUp, truth(c.State == "ok" || c.State == "degraded"), name)
		}
	}
}

// sourceOf names the sources as the labels have them, by the component of the status.
var sourceOf = map[string]string{"file": "file", "database": "database", "docker": "docker"}

func (g gatherer) sources(s sheet) {
	if g.m.cfg.Sources == nil {
		return
	}
	now := g.m.cfg.Now()
	for name, at := range g.m.cfg.Sources() {
		if !at.IsZero() {
			s.gauge(descAge, max(0, now.Sub(at).Seconds()), name)
		}
	}
}

func (g gatherer) bus(s sheet, b Bus) {
	for result, n := range map[string]int64{"sent": b.Sent, "acknowledged": b.Acked, "lost": b.Lost, "resent": b.Resent,
		"replayed": b.Replayed, "parked": b.Parked} {
		s.count(descPublish, n, "bus", result)
	}
}

func (g gatherer) crews(s sheet, all []Crew) {
	quarantined, stuck := 0, 0
	for _, c := range all {
		s.gauge(descMailbox, float64(c.DepthMax), c.Kind)
		s.count(descDead, c.Dropped, c.Kind)
		quarantined, stuck = quarantined+c.Quarantined, stuck+c.Stuck
	}
	s.gauge(descQuarantine, float64(quarantined))
	s.gauge(descStuck, float64(stuck))
}

// sheet is where a scrape is written to.
type sheet struct{ to chan<- prometheus.Metric }

func (s sheet) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sheet) count(d *prometheus.Desc, n int64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
