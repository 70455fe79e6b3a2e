package database

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of a complete read.
const (
	// maxRows is twice what a state file can declare.
	maxRows = 1 << 17
	// maxFaults is more than anybody reads; the rest is counted in one more.
	maxFaults = 256
)

// readRows reads all rows of this host. On MySQL a host id compares by a collation, so it is compared again.
func (db *DB) readRows(ctx context.Context, p *pools) ([]messages.Recorded, []messages.Fault, error) {
	var rows []messages.Recorded
	var faults []messages.Fault
	var r raw
	n, more := 0, 0
	err := db.each(ctx, p.reader, func(rs *sql.Rows) error {
		if n++; n > maxRows {
			return fmt.Errorf("more than %d rows of host %q", maxRows, db.cfg.HostUUID)
		}
		if err := scanRaw(rs, &r); err != nil || string(r.host) != db.cfg.HostUUID {
			return err
		}
		got := db.rows.read(r)
		if got.ok {
			rows = append(rows, got.row)
		}
		room := min(len(got.faults), maxFaults-len(faults))
		faults = append(faults, got.faults[:room]...)
		more += len(got.faults) - room
		return nil
	}, "SELECT "+rawColumns+" FROM fleet_deckies WHERE host_uuid = ?", db.cfg.HostUUID)
	if err != nil {
		return nil, nil, err
	}
	if more > 0 {
		faults = append(faults, messages.Fault{Where: db.at.where + ": fleet_deckies", What: fmt.Sprintf("%d more faults", more)})
	}
	slices.SortFunc(rows, func(a, b messages.Recorded) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(faults, func(a, b messages.Fault) int {
		return cmp.Or(strings.Compare(a.Where, b.Where), strings.Compare(a.What, b.What))
	})
	db.rows.keep(rows)
	return rows, faults, nil
}

// signs are what a cheap look sees of foreign writes.
type signs struct {
	rows   int64
	newest string
	holds  []messages.Hold
	// restless: a write within the second of the newest row would leave no sign.
	restless bool
	commits  commits // read before everything else
}

func (s signs) equal(t signs) bool {
	return s.rows == t.rows && s.newest == t.newest && !s.restless && !t.restless && sameHolds(s.holds, t.holds)
}

func sameHolds(s, t []messages.Hold) bool {
	return slices.EqualFunc(s, t, func(a, b messages.Hold) bool {
		return a.ID == b.ID && a.Decky == b.Decky && a.Operation == b.Operation && a.Until.Equal(b.Until)
	})
}

// look reads the signs.
func (db *DB) look(ctx context.Context, p *pools, now time.Time) (signs, error) {
	s := signs{commits: db.foreign(ctx, p)}
	err := db.each(ctx, p.reader, func(rows *sql.Rows) error {
		var newest sql.NullString
		err := rows.Scan(&s.rows, &newest)
		s.newest = clip(newest.String, maxWord)
		return err
	}, "SELECT COUNT(*), CAST(MAX(updated_at) AS "+db.d.text+") FROM fleet_deckies WHERE host_uuid = ?", db.cfg.HostUUID)
	if err != nil {
		return s, err
	}
	if db.d.coarse {
		s.restless = s.newest >= now.UTC().Add(-time.Second).Format(readLayout)
	}
	s.holds, err = db.holds(ctx, p.reader, now)
	return s, err
}

// readAll is a complete look. The signs are read first: what changes in between is found by the next look.
func (db *DB) readAll(ctx context.Context) (messages.RecordedRead, signs, error) {
	now := db.cfg.Now()
	p, err := db.pools(false)
	if err != nil {
		return messages.RecordedRead{}, signs{}, err
	}
	s, err := db.look(ctx, p, now)
	if err != nil {
		return messages.RecordedRead{}, signs{}, db.explain("read the rows", err)
	}
	rows, faults, err := db.readRows(ctx, p)
	if err != nil {
		return messages.RecordedRead{}, signs{}, db.explain("read the rows", err)
	}
	d, err := db.readDeployment(ctx, p.reader)
	if err != nil {
		return messages.RecordedRead{}, signs{}, db.explain("read the row deployment", err)
	}
	if fault, is := d.fault(db.at.where); is {
		faults = append(faults, fault)
	}
	return messages.RecordedRead{Rows: rows, Holds: s.holds, Faults: faults, Deployed: d.list, DeployedSum: d.sum, ReadAt: now}, s, nil
}

// changed says whether a cheap look sees anything new since the signs of before, which it brings up to date where not.
func (db *DB) changed(ctx context.Context, before *signs) (bool, error) {
	p, err := db.pools(false)
	if err != nil {
		return false, err
	}
	now := db.cfg.Now()
	if db.foreign(ctx, p).same(before.commits) {
		holds, err := db.holds(ctx, p.reader, now) // an operation's end is no commit
		if err != nil {
			return false, db.explain("look for changes", err)
		}
		return !sameHolds(before.holds, holds), nil
	}
	s, err := db.look(ctx, p, now)
	if err != nil {
		return false, db.explain("look for changes", err)
	}
	same := before.equal(s)
	if same {
		before.commits = s.commits
	}
	return !same, nil
}
