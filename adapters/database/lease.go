package database

import (
	"context"
	"database/sql"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// Look reads the lease of this host; Held is false if nobody ever took it.
func (db *DB) Look(ctx context.Context) (messages.Lease, error) {
	var l messages.Lease
	p, err := db.pools(false)
	if err != nil {
		return l, err
	}
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		l.Held = true
		return rows.Scan(&l.Token, &l.Owner, &l.BootID, &l.StateDir, &l.Beat)
	}, "SELECT token, owner, boot_id, state_dir, beat FROM fleetd_lease WHERE host_uuid = ?", db.cfg.HostUUID)
	return l, db.explain("look at the lease", err)
}

// Take takes the lease with the next token if it is still exactly as seen, else it returns messages.ErrLeaseMoved.
// Whoever held it is fenced from then on.
func (db *DB) Take(ctx context.Context, seen messages.Lease) (messages.Lease, error) {
	p, err := db.pools(false)
	if err != nil {
		return messages.Lease{}, err
	}
	l := messages.Lease{Held: true, Token: seen.Token + 1, Owner: clip(literal(db.cfg.Instance), maxWord),
		BootID: clip(literal(db.cfg.BootID), maxWord), StateDir: clip(literal(db.cfg.StateDir), maxText), Beat: seen.Beat + 1}
	var n int64
	if seen.Held {
		n, err = p.exec(ctx, db, "UPDATE fleetd_lease SET token = ?, owner = ?, boot_id = ?, state_dir = ?, beat = ? "+
			"WHERE host_uuid = ? AND token = ? AND beat = ?",
			l.Token, l.Owner, l.BootID, l.StateDir, l.Beat, db.cfg.HostUUID, seen.Token, seen.Beat)
	} else {
		n, err = p.exec(ctx, db, "INSERT INTO fleetd_lease (host_uuid, token, owner, boot_id, state_dir, beat) "+
			"VALUES (?, ?, ?, ?, ?, ?)", db.cfg.HostUUID, l.Token, l.Owner, l.BootID, l.StateDir, l.Beat)
	}
	err = db.explain("take the lease", err)
	if kindOf(err) == kindDuplicate || err == nil && n != 1 {
		return messages.Lease{}, messages.ErrLeaseMoved
	}
	if err != nil {
		return messages.Lease{}, err
	}
	crashpoint.At(crashpoint.LeaseTaken)
	return l, nil
}

// Beat shows that the owner of token is alive; messages.ErrFenced if it no longer is the owner.
func (db *DB) Beat(ctx context.Context, token int64) error {
	return db.move(ctx, "beat the lease", "UPDATE fleetd_lease SET beat = beat + 1 WHERE host_uuid = ? AND token = ?", token)
}

// Release gives the lease up, so that a successor need not wait; messages.ErrFenced if token is not the owner's.
func (db *DB) Release(ctx context.Context, token int64) error {
	return db.move(ctx, "release the lease",
		"UPDATE fleetd_lease SET owner = '', beat = beat + 1 WHERE host_uuid = ? AND token = ?", token)
}

func (db *DB) move(ctx context.Context, what, query string, token int64) error {
	p, err := db.pools(false)
	if err != nil {
		return err
	}
	crashpoint.At(crashpoint.LeaseBeat)
	n, err := p.exec(ctx, db, query, db.cfg.HostUUID, token)
	crashpoint.At(crashpoint.LeaseBeaten)
	if err != nil {
		return db.explain(what, err)
	}
	if n != 1 {
		return messages.ErrFenced
	}
	return nil
}
