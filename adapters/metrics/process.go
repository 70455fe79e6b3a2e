package metrics

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// process is Prometheus's own collector with the start time from us: it reads that from /proc/stat, which the unit's
// ProcSubset=pid hides.
type process struct {
	inner   prometheus.Collector
	started prometheus.Metric
}

const startName = "process_start_time_seconds"

func newProcess(started time.Time) process {
	desc := prometheus.NewDesc(startName, "Start time of the process since unix epoch in seconds.", nil, nil)
	seconds := float64(started.UnixNano()) / 1e9
	return process{inner: collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		started: prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, seconds)}
}

// Describe implements prometheus.Collector.
func (p process) Describe(to chan<- *prometheus.Desc) {
	each(p.inner.Describe, func(d *prometheus.Desc) {
		if !isStart(d) {
			to <- d
		}
	})
	to <- p.started.Desc()
}

// Collect implements prometheus.Collector.
func (p process) Collect(to chan<- prometheus.Metric) {
	each(p.inner.Collect, func(m prometheus.Metric) {
		if !isStart(m.Desc()) {
			to <- m
		}
	})
	to <- p.started
}

// each runs a producer and hands over what it produces.
func each[T any](produce func(chan<- T), take func(T)) {
	from := make(chan T)
	go func() {
		defer close(from)
		produce(from)
	}()
	for x := range from {
		take(x)
	}
}

// isStart goes by the text of a description: it does not give its name away.
func isStart(d *prometheus.Desc) bool { return strings.Contains(d.String(), `"`+startName+`"`) }
