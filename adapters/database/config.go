package database

import (
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	// defaultTimeout bounds a statement. Source: three times the slowest batch measured while DECNET wrote beside it.
	defaultTimeout = 5 * time.Second
	// defaultProbe is half of what an operator takes for "at once"; a probe of 10,000 rows costs 4 ms.
	defaultProbe = 2 * time.Second
	// defaultAudit is just below the 30 s in which DECNET's own reconciler would find a foreign edit.
	defaultAudit = 28 * time.Second
	// defaultHold is the longest build seen of a fleet, doubled; DECNET itself gives up on an operation after 1 h.
	defaultHold = 10 * time.Minute
	// defaultOutboxRows and defaultOutboxBytes hold a day without a bus at 10 transitions a second.
	defaultOutboxRows  = 1_000_000
	defaultOutboxBytes = 256 << 20
)

// Config is what a DB needs to know. URL, HostUUID, Digest and Now are required.
type Config struct {
	// URL is sqlite:///abs/path.db, postgres://user:password@host/db or mysql+<driver>://user:password@host/db.
	// User and password are percent-encoded, + stands for a space.
	URL string
	// HostUUID selects the rows that are ours; "local" unless this host is enrolled in a swarm.
	HostUUID string
	// Instance, BootID and StateDir are what a lease we take says about us.
	Instance, BootID, StateDir string
	// Digest identifies the meaning of a decky_config: equal digests mean no drift.
	Digest func(configJSON string) (string, error)
	// Rehome gives the decky_config of another host's row with that host in it; an error where it names a third one or is
	// none. Required by Mirror.
	Rehome func(configJSON, host string) (string, error)
	// Now is the clock of the timestamps in rows. Nothing waits on it.
	Now func() time.Time
	// Queue says whether transitions go to the outbox; false where there is no bus. Revisions count either way.
	Queue bool
	// Own says that the SQLite file is ours alone: Init creates it where it is missing, SetAside may move it.
	Own bool
	// Installs are directories known to be DECNET installs: fleet_deckies is never made in them.
	Installs []string
	// ReadOnly makes connections that cannot write, as far as the engine can see to that; every call that writes fails.
	ReadOnly bool
	// Timeout bounds every statement; 0 means 5 s. A transaction may take four times as long.
	Timeout time.Duration
	// Probe is the time between two cheap looks for foreign writes; 0 means 2 s.
	Probe time.Duration
	// Audit is the time between two complete reads; 0 means 28 s.
	Audit time.Duration
	// Hold is how long an open operation of DECNET holds changes back; 0 means 10 min.
	Hold time.Duration
	// OutboxRows and OutboxBytes are the size from which on the outbox keeps the latest transition of a decky only;
	// 0 means 1,000,000 rows and 256 MiB.
	OutboxRows, OutboxBytes int64
}

// DB is one database and the slice of it that belongs to one host. Its methods are safe from any goroutine.
type DB struct {
	cfg    Config
	at     target
	d      *dialect
	rows   *rowCache
	outbox fill
	// lifecycle remembers that table decky_lifecycle was there: DECNET makes it once and keeps it.
	lifecycle atomic.Bool
	deployed  atomic.Pointer[deployment] // DECNET's fourth store as last read
	seed      maphash.Seed
	coalesced atomic.Int64

	mu     sync.Mutex
	open   *pools // nil: nothing is open; the next call opens
	closed bool
}

// Open checks the configuration. It connects to nothing: a database that is away is a matter of the first call, and of
// every call again. The errors are faults of the configuration and never show a password.
func Open(cfg Config) (*DB, error) {
	if cfg.HostUUID == "" {
		return nil, errors.New("database: the host id is empty: DECNET takes that for all hosts")
	}
	if cfg.Digest == nil || cfg.Now == nil {
		return nil, errors.New("database: Digest and Now are required")
	}
	at, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Own && at.path == "" {
		return nil, fmt.Errorf("database: only a SQLite file can be our own, not %s", at.where)
	}
	cfg = cfg.withDefaults()
	at.readOnly = cfg.ReadOnly
	return &DB{cfg: cfg, at: at, d: at.dialect, rows: newRowCache(at.where, cfg), seed: maphash.MakeSeed()}, nil
}

func (c Config) withDefaults() Config {
	orElse(&c.Timeout, defaultTimeout)
	orElse(&c.Probe, defaultProbe)
	orElse(&c.Audit, defaultAudit)
	orElse(&c.Hold, defaultHold)
	orElse(&c.OutboxRows, defaultOutboxRows)
	orElse(&c.OutboxBytes, defaultOutboxBytes)
	return c
}

func orElse[T ~int64](v *T, preset T) {
	if *v <= 0 {
		*v = preset
	}
}

// Where names the database in messages: the path of the file, or scheme, host and database. It has no password.
func (db *DB) Where() string { return db.at.where }

// PlainText says that the connection to another machine is not encrypted. DECNET's own MySQL connection is not either.
func (db *DB) PlainText() bool { return db.at.remote() && db.at.tls == nil }

// Coalesced counts the transitions that the bound of the outbox merged into a later one of the same decky.
func (db *DB) Coalesced() int64 { return db.coalesced.Load() }
