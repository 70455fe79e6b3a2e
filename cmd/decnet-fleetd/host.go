package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/user"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/actors/publisher"
	"github.com/decnet/decnet-fleetd/actors/store"
	"github.com/decnet/decnet-fleetd/actors/view"
	"github.com/decnet/decnet-fleetd/adapters/bus"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/database"
	"github.com/decnet/decnet-fleetd/adapters/deckyconfig"
	"github.com/decnet/decnet-fleetd/adapters/docker"
	"github.com/decnet/decnet-fleetd/adapters/metrics"
	"github.com/decnet/decnet-fleetd/adapters/statefile"
	"github.com/decnet/decnet-fleetd/messages"
)

// prepare makes the adapters the settings ask for. It connects to nothing.
func prepare(s config.Settings, feed view.Feed, log zerolog.Logger) (parts, error) {
	p := parts{hostUUID: s.HostUUID, instance: newID(), stateDir: s.StateDir, bootID: bootID(), interval: s.Interval, log: log,
		feed: feed, settings: s.Origins, role: s.Role, replay: s.BusReplay, shadow: s.Shadow, dryRun: s.Shadow, ignoreStop: s.IgnoreBusStop, takeover: s.Takeover, stop: func(string) {}}
	var err error
	if p.db, err = openDatabase(s, p); err != nil {
		return p, configFault(err)
	}
	if p.file, err = statefile.NewWatcher(statefile.Config{Path: s.StateFile, Now: time.Now, AllowedOwners: decnetUID()}); err != nil {
		return p, configFault(err)
	}
	if err := p.observe(s); err != nil {
		return p, err
	}
	if s.Bus != config.BusOff {
		p.dialer = &bus.Dialer{Where: busLocator(s.BusSocket), Instance: p.instance, Now: time.Now}
	}
	return p, nil
}

// observe makes the observer of the engine, and the metrics that show what it and all others do.
func (p *parts) observe(s config.Settings) error {
	p.stats, p.board, p.answerTimes, p.crew = &publisher.Stats{}, &view.Board{}, &answerTimes{}, &crew{}
	var m *metrics.Metrics
	engine, err := docker.New(docker.Config{Host: s.DockerHost, CertPath: os.Getenv("DOCKER_CERT_PATH"), Now: time.Now, Jitter: mathrand.Float64,
		OnRelist: func(took time.Duration) { m.Relisted(took) }})
	if err != nil {
		return configFault(err)
	}
	p.docker = engine
	p.reads = func() int64 { return work(engine.Stats()) }
	p.counters = func() map[string]int64 { return adapterCounters(p.db, engine, p.stats.Counts()) }
	m, err = metrics.New(metrics.Config{Version: version, Revision: cmp.Or(commit, builtFrom()), Started: time.Now(), Now: time.Now, Status: p.board.Status,
		Sources: func() map[string]time.Time {
			times := p.answerTimes.times()
			times["docker"] = engine.Stats().Answered
			return times
		},
		Engine: func() metrics.Engine {
			st := engine.Stats()
			return metrics.Engine{Events: st.Types, Reconnects: max(0, st.Connects-1)}
		},
		Bus: func() metrics.Bus {
			c := p.stats.Counts()
			return metrics.Bus{Sent: c.Sent, Acked: c.Acked, Lost: c.Lost, Resent: c.Resent, Replayed: c.Replayed, Parked: c.Parked}
		},
		Coalesced: p.db.Coalesced, Crews: p.crew.list})
	p.metrics = m
	return err
}

// shadowProbe is how often a shadow looks for changes of the table: that much later it may see what the reference did.
// Source: a look at 10,000 rows takes 4 ms, below one percent of a core.
const shadowProbe = 500 * time.Millisecond

// work is everything a reader of events does, failing included: it grows as long as the reader lives.
func work(s docker.Stats) int64 { return s.Connects + s.Events + s.Relists + s.Looks + s.Failures }

func openDatabase(s config.Settings, p parts) (*database.DB, error) {
	probe := time.Duration(0) // as usual
	if s.Shadow {
		probe = shadowProbe
	}
	return database.Open(database.Config{ReadOnly: s.Shadow, Probe: probe, URL: s.Database, HostUUID: s.HostUUID, Instance: p.instance, BootID: p.bootID, StateDir: s.StateDir,
		Digest: deckyconfig.Digest, Rehome: deckyconfig.Rehome, Now: time.Now, Own: s.Role == config.RoleWorker,
		Queue: s.Bus != config.BusOff || s.Role == config.RoleWorker, Installs: []string{s.InstallDir}, Audit: s.Interval})
}

func adapterCounters(db *database.DB, engine *docker.Runtime, bus publisher.Counts) map[string]int64 {
	st := engine.Stats()
	return map[string]int64{"docker_events": st.Events, "docker_relists": st.Relists, "docker_looks": st.Looks,
		"docker_stream_reconnects": max(0, st.Connects-1), "docker_list_microseconds": st.ListTime.Microseconds(),
		"containers": st.Containers, "publish_coalesced": db.Coalesced(),
		"published": bus.Sent, "acknowledged": bus.Acked, "resent": bus.Resent, "replayed": bus.Replayed, "parked": bus.Parked,
		"bus_links": bus.Links, "wal_bytes": db.WALSize()}
}

// firstCheck looks at the database once before anything starts: what waiting cannot mend is a fault of the
// configuration, everything else is a reason to go on and try again.
func firstCheck(ctx context.Context, db *database.DB, createFleet bool, log zerolog.Logger) error {
	err := db.Init(ctx, createFleet)
	if err == nil {
		err = db.Check(ctx)
	}
	if database.Damaged(err) {
		err = anew(ctx, db, createFleet, err, log)
	}
	if err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if database.Retryable(err) {
		log.Warn().Err(err).Msg("database is not ready: starting degraded")
		return nil
	}
	if sql := database.Statements(err); len(sql) > 0 {
		err = fmt.Errorf("%w; statements for whoever may run them:\n%s;", err, strings.Join(sql, ";\n"))
	}
	return configFault(err)
}

// anew sets a damaged database aside and makes another, where it is a worker's own; DECNET's is never moved.
func anew(ctx context.Context, db *database.DB, createFleet bool, damage error, log zerolog.Logger) error {
	aside, err := db.SetAside()
	if err != nil {
		return damage
	}
	log.Error().Err(damage).Str("file", aside).Msg("our own database was damaged: it is set aside, and another is made")
	if err := db.Init(ctx, createFleet); err != nil {
		return err
	}
	return db.Check(ctx)
}

// heldLease remembers the token of the lease, so that it can be given up at the end, and makes our tables before the
// first look in case the database was not there at the start.
type heldLease struct {
	store.Leases
	init  func(ctx context.Context) error
	token atomic.Int64
}

// Look makes sure of our tables once.
func (h *heldLease) Look(ctx context.Context) (messages.Lease, error) {
	l, err := h.Leases.Look(ctx)
	if err == nil || h.init == nil {
		return l, err
	}
	if ierr := h.init(ctx); ierr != nil {
		return l, errors.Join(err, ierr)
	}
	return h.Leases.Look(ctx)
}

// Take remembers the token.
func (h *heldLease) Take(ctx context.Context, seen messages.Lease) (messages.Lease, error) {
	l, err := h.Leases.Take(ctx, seen)
	if err == nil {
		h.token.Store(l.Token)
	}
	return l, err
}

// giveUp lets a successor begin at once. It fails where another owns the lease by now, and then it is not ours to give.
func (h *heldLease) giveUp(ctx context.Context) {
	if t := h.token.Load(); t != 0 {
		_ = h.Release(ctx, t) // a lease that stands still is taken after five seconds anyway
	}
}

// bootID tells boots of this machine apart.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}

// decnetUID is DECNET's own user, where there is one: the state file may belong to it.
func decnetUID() []uint32 {
	u, err := user.Lookup("decnet")
	if err != nil {
		return nil
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil
	}
	return []uint32{uint32(id)}
}
