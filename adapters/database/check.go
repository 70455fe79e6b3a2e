package database

import (
	"context"
	"slices"

	"github.com/uptrace/bun"
)

// needs are statements that touch no row and fail where a table, a column or a privilege is missing.
var needs = []string{
	"UPDATE fleet_deckies SET state = state WHERE 1 = 0",
	"DELETE FROM fleet_deckies WHERE 1 = 0",
	"INSERT INTO fleet_deckies (host_uuid, name, services, decky_config, decky_ip, state, last_error, compose_hash, " +
		"last_seen, updated_at) SELECT host_uuid, name, services, decky_config, decky_ip, state, last_error, " +
		"compose_hash, last_seen, updated_at FROM fleet_deckies WHERE 1 = 0",
	"UPDATE fleetd_lease SET beat = beat, token = token, owner = owner, boot_id = boot_id, state_dir = state_dir WHERE 1 = 0",
	"DELETE FROM fleetd_lease WHERE 1 = 0",
	"INSERT INTO fleetd_rev (host_uuid, name, rev, last_event_id) SELECT host_uuid, name, rev, last_event_id " +
		"FROM fleetd_rev WHERE 1 = 0",
	"UPDATE fleetd_rev SET rev = rev WHERE 1 = 0",
	"INSERT INTO fleetd_outbox (event_id, host_uuid, name, rev, topic, payload, created_at, parked) SELECT event_id, " +
		"host_uuid, name, rev, topic, payload, created_at, parked FROM fleetd_outbox WHERE 1 = 0",
	"UPDATE fleetd_outbox SET parked = parked WHERE 1 = 0",
	"DELETE FROM fleetd_outbox WHERE 1 = 0",
}

// Check says whether everything is there that the other methods need: the file, the tables with their columns, the
// right to write, a schema version we know. It changes nothing. The error is an Error: messages.ErrSchema if tables or
// privileges are missing (Statements has what would mend it), Retryable if it is a matter of time.
func (db *DB) Check(ctx context.Context) error {
	p, err := db.pools(false)
	if err != nil {
		return err
	}
	if err := db.probeWrites(ctx, p); err != nil {
		return err
	}
	minor, err := db.version(ctx, p)
	if err == nil && minor < len(db.d.steps)-1 {
		return &Error{Where: db.at.where, What: "the tables of decnet-fleetd are of an older version", kind: kindSchema,
			Remedy: "run `decnet-fleetd db init`", SQL: slices.Concat(db.d.steps[minor+1:]...)}
	}
	return err
}

// probeWrites runs in a transaction that is rolled back: PostgreSQL checks privileges when a statement starts, SQLite
// finds out at BEGIN that it may not write.
func (db *DB) probeWrites(ctx context.Context, p *pools) error {
	ctx, cancel := context.WithTimeout(ctx, txLimit*db.cfg.Timeout)
	defer cancel()
	tx, err := p.writer.BeginTx(ctx, nil)
	if err != nil {
		return db.explain("check the database", err)
	}
	defer rollback(tx)
	for _, q := range needs {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return db.explain("check the database", err)
		}
	}
	return nil
}

// rollback after a commit does nothing; an error would only say that the connection is gone, and so is what it did.
func rollback(tx bun.Tx) { _ = tx.Rollback() }
