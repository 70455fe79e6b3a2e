package docker

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
)

// Config says which engine to watch and how patiently. The zero value of every field but the functions is a default.
type Config struct {
	// Host is where the engine listens, as DOCKER_HOST has it: unix:///run/docker.sock, tcp://10.0.0.1:2376. "" means
	// Docker's own default.
	Host string
	// CertPath is a directory with ca.pem, cert.pem and key.pem, as DOCKER_CERT_PATH has it; "" means no TLS.
	CertPath string
	// Now is the clock, with its monotonic part. Required.
	Now func() time.Time
	// Jitter gives numbers in [0, 1) that spread retries. Required. It is called from one goroutine at a time.
	Jitter func() float64
	// CallTimeout is the deadline of every call, a list with its body. 0 means 5 s. Source: the engine of a loaded
	// host takes 95 µs a container.
	CallTimeout time.Duration
	// Gather is how long the first event waits for the rest of its burst. 0 means 3 ms. Source: a kill, its die and
	// its destroy come within 1 to 2 ms of each other where they come together at all.
	Gather time.Duration
	// Pause is the most that is waited between the looks of a storm; it waits as long as the last look took. 0 means
	// 20 ms. Source: the bound on what may be added to the latency of an event.
	Pause time.Duration
	// Recheck is when a list that contradicts its event is read again, for those ids; it grows by half each
	// time. 0 means 5 ms. Source: Docker 20.10 tells of a death 8 to 29 ms before its lists do, of a pause 3 to 13 ms.
	Recheck time.Duration
	// RelistMin and RelistMax bound the time between two full lists, which is 100 times what the last one took.
	// 0 means 9 s and 28 s. Source: at most 1 % of the engine's time, and an unannounced change is seen within the
	// 30 s of the reconciler this one replaces.
	RelistMin, RelistMax time.Duration
	// OnRelist is told what each complete list took; nil = nobody. It must not block.
	OnRelist func(took time.Duration)
	// RetryMin and RetryMax bound the time between two attempts to connect; it doubles. 0 means 100 ms and 5 s.
	// Source: a killed engine is back after 0.5 to 60 s.
	RetryMin, RetryMax time.Duration
}

func (c *Config) fill() {
	if c.Host == "" {
		c.Host = client.DefaultDockerHost
	}
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{
		{&c.CallTimeout, 5 * time.Second},
		{&c.Gather, 3 * time.Millisecond},
		{&c.Pause, 20 * time.Millisecond},
		{&c.Recheck, 5 * time.Millisecond},
		{&c.RelistMin, 9 * time.Second},
		{&c.RelistMax, 28 * time.Second},
		{&c.RetryMin, 100 * time.Millisecond},
		{&c.RetryMax, 5 * time.Second},
	} {
		if *d.p <= 0 {
			*d.p = d.v
		}
	}
	c.RelistMax = max(c.RelistMax, c.RelistMin)
	c.RetryMax = max(c.RetryMax, c.RetryMin)
}

// Runtime observes a Docker engine. Its methods may be called from any goroutine; every call of Observe is an
// observer of its own.
type Runtime struct {
	cfg   Config
	dial  func() (engine, error)
	pause func(time.Duration) time.Duration // full jitter: anything up to the backoff
	count counters
}

// New checks the configuration; it does not connect. An error means that no attempt could ever succeed.
func New(cfg Config) (*Runtime, error) {
	if cfg.Now == nil || cfg.Jitter == nil {
		return nil, errors.New("docker: a clock and a source of jitter are required")
	}
	cfg.fill()
	if strings.HasPrefix(cfg.Host, "ssh://") {
		return nil, fmt.Errorf("docker host %q: ssh is not supported (forward the socket: "+
			"ssh -L /run/remote.sock:/var/run/docker.sock, then unix:///run/remote.sock)", cfg.Host)
	}
	e, err := dial(cfg.Host, cfg.CertPath)
	if err != nil {
		return nil, err
	}
	_ = e.Close() // it has no connection yet
	return &Runtime{
		cfg:   cfg,
		dial:  func() (engine, error) { return dial(cfg.Host, cfg.CertPath) },
		pause: func(d time.Duration) time.Duration { return time.Duration(cfg.Jitter() * float64(d)) },
	}, nil
}

// counters are Stats while they move.
type counters struct {
	connects, failures, relists, looks, rechecks, events, overflows atomic.Int64
	listNanos, containers, answered                                 atomic.Int64
	types                                                           [len(wantedArray)]atomic.Int64
}

// Stats counts what observers of this Runtime have done since it was made.
type Stats struct {
	Connects   int64         // event streams that were opened; the first one included
	Failures   int64         // connections that failed or ended
	Relists    int64         // complete full lists
	Looks      int64         // complete lists of marked ids
	Rechecks   int64         // lists that contradicted an event, counted per id
	Events     int64         // events read
	Overflows  int64         // full lists taken because too many ids were marked
	ListTime   time.Duration // what the last full list took
	Containers int64         // in the last full list

	Types    map[string]int64 // events by action, all that are subscribed
	Answered time.Time        // when the last list was complete; zero: none yet
}

// Stats gives the counters as they are now.
func (r *Runtime) Stats() Stats {
	c := &r.count
	s := Stats{
		Connects: c.connects.Load(), Failures: c.failures.Load(), Relists: c.relists.Load(), Looks: c.looks.Load(),
		Rechecks: c.rechecks.Load(), Events: c.events.Load(), Overflows: c.overflows.Load(),
		ListTime: time.Duration(c.listNanos.Load()), Containers: c.containers.Load(),
		Types: make(map[string]int64, len(wanted)),
	}
	for i, word := range wanted {
		s.Types[word] = c.types[i].Load()
	}
	if at := c.answered.Load(); at != 0 {
		s.Answered = time.Unix(0, at)
	}
	return s
}
