package database

import (
	"context"
	"database/sql"
	"slices"

	"github.com/uptrace/bun"

	"github.com/decnet/decnet-fleetd/messages"
)

// found is a row of the batch as the transaction locked it.
type found struct {
	row      messages.Recorded
	services []byte
}

// readState reads everything the judgement needs.
func (a *attempt) readState(ctx context.Context) error {
	names := make([]string, len(a.batch))
	var inserts []string
	holdables := false
	for i, c := range a.batch {
		names[i] = c.Name
		if c.Kind == messages.InsertRow {
			inserts = append(inserts, c.Name)
		}
		holdables = holdables || holdable(c)
	}
	if err := a.db.outbox.load(ctx, a.db, a.tx); err != nil {
		return err
	}
	if err := a.readRevs(ctx, names); err != nil {
		return err
	}
	strays, err := a.lockRows(ctx, names)
	if err != nil {
		return err
	}
	if holdables {
		if a.holds, err = a.db.holds(ctx, a.tx, a.now); err != nil {
			return err
		}
	}
	return a.readTwins(ctx, inserts, strays)
}

func (a *attempt) readRevs(ctx context.Context, names []string) error {
	a.revs = make(map[string]revRow, len(names))
	return a.db.each(ctx, a.tx, func(rows *sql.Rows) error {
		var r revRow
		err := rows.Scan(&r.Name, &r.Rev, &r.LastEventID)
		a.revs[r.Name] = r
		return err
	}, "SELECT name, rev, last_event_id FROM fleetd_rev WHERE host_uuid = ? AND name IN (?)", a.db.cfg.HostUUID, bun.List(names))
}

// lockRows reads the rows of the batch and keeps others from changing them until the commit. strays says that the
// column's collation found rows under other names, or another host's.
func (a *attempt) lockRows(ctx context.Context, names []string) (strays bool, err error) {
	a.rows = make(map[string]found, len(names))
	var r raw
	err = a.db.each(ctx, a.tx, func(rows *sql.Rows) error {
		if err := scanRaw(rows, &r); err != nil {
			return err
		}
		p := a.db.rows.read(r)
		if string(r.host) != a.db.cfg.HostUUID || a.db.d.folds && !slices.Contains(names, string(r.name)) {
			strays = true
			return nil
		}
		f := found{row: p.row}
		if !r.hasConfig {
			f.services = slices.Clone(r.services) // their meaning is looked up again when the configuration is filled in
		}
		a.rows[string(r.name)] = f
		return nil
	}, "SELECT "+rawColumns+" FROM fleet_deckies WHERE host_uuid = ? AND name IN (?)"+a.db.d.lock, a.db.cfg.HostUUID, bun.List(names))
	return strays, err
}

// readTwins looks for rows of other hosts under the names to be inserted. Two ranges instead of <> let SQLite use the
// primary key: without other hosts it reads nothing.
func (a *attempt) readTwins(ctx context.Context, inserts []string, strays bool) error {
	a.twins = map[string]string{}
	if len(inserts) == 0 {
		return nil
	}
	const query = "SELECT host_uuid, name FROM fleet_deckies WHERE host_uuid < ? AND name IN (?) UNION ALL " +
		"SELECT host_uuid, name FROM fleet_deckies WHERE host_uuid > ? AND name IN (?)"
	host, list := a.db.cfg.HostUUID, bun.List(inserts)
	err := a.db.each(ctx, a.tx, func(rows *sql.Rows) error {
		var twin, name string
		err := rows.Scan(&twin, &name)
		a.twins[name] = twin
		strays = strays || a.db.d.folds && !slices.Contains(inserts, name)
		return err
	}, query, host, list, host, list)
	if err != nil || !strays {
		return err
	}
	return a.readFolded(ctx, inserts)
}

// readFolded asks name by name which row the column's collation takes for one to be inserted.
func (a *attempt) readFolded(ctx context.Context, inserts []string) error {
	for _, name := range inserts {
		if _, there := a.rows[name]; there {
			continue
		}
		err := a.db.each(ctx, a.tx, func(rows *sql.Rows) error {
			var twin string
			err := rows.Scan(&twin)
			a.twins[name] = twin
			return err
		}, "SELECT host_uuid FROM fleet_deckies WHERE name = ? LIMIT 1", name)
		if err != nil {
			return err
		}
	}
	return nil
}
