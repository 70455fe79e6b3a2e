package database

import (
	"context"

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

// upsertNeed fails where fleet_deckies has no key to upsert by; dialect.keyed asks MySQL, which would insert twice.
const upsertNeed = "INSERT INTO fleet_deckies (host_uuid, name, services, state, updated_at) SELECT host_uuid, name, services, state, " +
	"updated_at FROM fleet_deckies WHERE 1 = 0 ON CONFLICT (host_uuid, name) DO UPDATE SET state = EXCLUDED.state"

// Check says whether everything is there that the other methods need: the file, the tables with their columns, the
// right to read and write, a schema version we know. It changes nothing. The error is an Error: messages.ErrSchema if
// tables or privileges are missing (Statements has what would mend it), Retryable if it is a matter of time.
func (db *DB) Check(ctx context.Context) error {
	p, err := db.pools(false)
	if err != nil {
		return err
	}
	minor := -1
	if err = db.checkColumns(ctx, p); err == nil { // first: it says which column
		err = db.probe(ctx, p)
	}
	if err == nil {
		minor, err = db.version(ctx, p)
	}
	if err == nil && minor < len(db.d.steps)-1 {
		err = &Error{Where: db.at.where, What: "the tables of decnet-fleetd are of an older version", kind: kindSchema,
			Remedy: "run `decnet-fleetd db init`", SQL: db.making(minor)}
	}
	if err == nil {
		err = db.checkKey(ctx, p)
	}
	return db.withStatements(ctx, p, minor, err)
}

// probe runs in a transaction that is rolled back: PostgreSQL checks privileges when a statement starts, SQLite finds
// out at BEGIN that it may not write.
func (db *DB) probe(ctx context.Context, p *pools) error {
	const what = "check the database"
	ctx, cancel := context.WithTimeout(ctx, txLimit*db.cfg.Timeout)
	defer cancel()
	tx, err := db.begin(ctx, p)
	if err != nil {
		return db.explain(what, err)
	}
	defer rollback(tx)
	statements := append([]string{"SELECT " + rawColumns + " FROM fleet_deckies WHERE 1 = 0"}, needs...)
	if db.d.keyed == "" {
		statements = append(statements, upsertNeed)
	}
	for _, q := range statements {
		if _, err := tx.ExecContext(ctx, q); err != nil {
			return db.explain(what, err)
		}
	}
	// What is never looked at holds nothing back: a table that may not be read must not pass for one that is not there.
	_, err = db.holds(ctx, tx, db.cfg.Now())
	return db.explain(what, err)
}

// rollback after a commit does nothing; an error would only say that the connection is gone, and so is what it did.
func rollback(tx bun.Tx) { _ = tx.Rollback() }
