package database

import (
	"context"
	"database/sql"

	"github.com/decnet/decnet-fleetd/messages"
)

// Parked is a transition that no sink took, kept for an operator to see.
type Parked struct {
	Row messages.OutboxRow
	Why string
}

// Park takes a transition out of Pending and keeps it with the reason.
func (db *DB) Park(ctx context.Context, id int64, why string) error {
	return db.setParked(ctx, id, orUnknown(why))
}

// Unpark puts a parked transition back among those that wait, in its old place.
func (db *DB) Unpark(ctx context.Context, id int64) error {
	return db.setParked(ctx, id, nil)
}

func (db *DB) setParked(ctx context.Context, id int64, why *string) error {
	p, err := db.pools(false)
	if err != nil {
		return err
	}
	_, err = p.exec(ctx, db, "UPDATE fleetd_outbox SET parked = ? WHERE host_uuid = ? AND id = ?", why, db.cfg.HostUUID, id)
	return db.explain("park a transition", err)
}

// Parked gives at most limit parked transitions by ascending id.
func (db *DB) Parked(ctx context.Context, limit int) ([]Parked, error) {
	p, err := db.pools(false)
	if err != nil {
		return nil, err
	}
	var all []Parked
	err = db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var one Parked
		r := &one.Row
		err := rows.Scan(&r.ID, &r.EventID, &r.Name, &r.Rev, &r.Topic, &r.Payload, &one.Why)
		all = append(all, one)
		return err
	}, "SELECT id, event_id, name, rev, topic, payload, parked FROM fleetd_outbox "+
		"WHERE host_uuid = ? AND parked IS NOT NULL ORDER BY id LIMIT ?", db.cfg.HostUUID, limit)
	return all, db.explain("read the parked transitions", err)
}

// orUnknown is never NULL: NULL means not parked.
func orUnknown(why string) *string {
	if why = clip(literal(why), maxText); why == "" {
		why = "unknown"
	}
	return &why
}
