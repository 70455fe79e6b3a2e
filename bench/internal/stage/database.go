package stage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/json"
	"fmt"

	_ "modernc.org/sqlite" // registers the driver

	"github.com/decnet/decnet-fleetd/bench/internal/witness"
)

// schema is what DECNET's migrations make.
//
//go:embed schema.json
var schema []byte

// createDatabase makes the file with DECNET's own schema and connection settings.
func createDatabase(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(wal)&_pragma=synchronous(1)")
	if err != nil {
		return fmt.Errorf("create %q: %w", path, err)
	}
	defer db.Close() //nolint:errcheck // every statement was its own transaction
	var tables map[string][]string
	if err := json.Unmarshal(schema, &tables); err != nil {
		return fmt.Errorf("read the schema: %w", err)
	}
	for _, statements := range tables {
		for _, s := range statements {
			if _, err := db.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("create %q: %w", path, err)
			}
		}
	}
	if _, err := db.ExecContext(ctx, "INSERT INTO alembic_version VALUES ('4a914b1d62a0')"); err != nil {
		return fmt.Errorf("create %q: %w", path, err)
	}
	return nil
}

// Digest sums up the whole table, and says how many transitions were ever committed and how often the lease has beaten.
func (h *Host) Digest(ctx context.Context) (rows string, revs, beats int64, err error) {
	db, err := witness.Open(h.Path("decnet.db"))
	if err != nil {
		return "", 0, 0, err
	}
	defer db.Close() //nolint:errcheck // only read
	sum := sha256.New()
	found, err := db.QueryContext(ctx, `SELECT host_uuid, name, services, COALESCE(decky_config, ''), COALESCE(decky_ip, ''), state,
		COALESCE(last_error, ''), CAST(COALESCE(last_seen, '') AS TEXT), CAST(updated_at AS TEXT) FROM fleet_deckies ORDER BY host_uuid, name`)
	if err != nil {
		return "", 0, 0, fmt.Errorf("read the table: %w", err)
	}
	defer found.Close() //nolint:errcheck // Err has what matters
	for found.Next() {
		var c [9]string
		if err := found.Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &c[8]); err != nil {
			return "", 0, 0, fmt.Errorf("read the table: %w", err)
		}
		_, _ = sum.Write(fmt.Appendf(nil, "%q\n", c)) // a hash takes everything
	}
	if err := found.Err(); err != nil {
		return "", 0, 0, fmt.Errorf("read the table: %w", err)
	}
	_ = found.Close() // the pool has one connection
	err = db.QueryRowContext(ctx, `SELECT (SELECT COALESCE(SUM(rev), 0) FROM fleetd_rev), (SELECT COALESCE(SUM(beat), 0) FROM fleetd_lease)`).
		Scan(&revs, &beats)
	return fmt.Sprintf("%x", sum.Sum(nil)), revs, beats, err
}

// Revisions gives the revision of every name that ever had a transition, and the id of its last event.
func (h *Host) Revisions(ctx context.Context) (revs map[string]int64, ids map[string]string, err error) {
	db, err := witness.Open(h.Path("decnet.db"))
	if err != nil {
		return nil, nil, err
	}
	defer db.Close() //nolint:errcheck // only read
	found, err := db.QueryContext(ctx, "SELECT name, rev, last_event_id FROM fleetd_rev WHERE host_uuid = 'local'")
	if err != nil {
		return nil, nil, fmt.Errorf("read revisions: %w", err)
	}
	defer found.Close() //nolint:errcheck // Err has what matters
	revs, ids = map[string]int64{}, map[string]string{}
	for found.Next() {
		var name, id string
		var rev int64
		if err := found.Scan(&name, &rev, &id); err != nil {
			return nil, nil, fmt.Errorf("read revisions: %w", err)
		}
		revs[name], ids[name] = rev, id
	}
	return revs, ids, found.Err()
}

// Waiting is how many transitions the outbox holds.
func (h *Host) Waiting(ctx context.Context) (n int, err error) {
	db, err := witness.Open(h.Path("decnet.db"))
	if err != nil {
		return 0, err
	}
	defer db.Close() //nolint:errcheck // only read
	err = db.QueryRowContext(ctx, "SELECT COUNT(*) FROM fleetd_outbox").Scan(&n)
	return n, err
}

// States gives the state of every row of this host.
func (h *Host) States(ctx context.Context) (map[string]string, error) {
	db, err := witness.Open(h.Path("decnet.db"))
	if err != nil {
		return nil, err
	}
	defer db.Close() //nolint:errcheck // only read
	found, err := db.QueryContext(ctx, "SELECT name, state FROM fleet_deckies WHERE host_uuid = 'local'")
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	defer found.Close() //nolint:errcheck // Err has what matters
	all := map[string]string{}
	for found.Next() {
		var name, state string
		if err := found.Scan(&name, &state); err != nil {
			return nil, fmt.Errorf("read states: %w", err)
		}
		all[name] = state
	}
	return all, found.Err()
}
