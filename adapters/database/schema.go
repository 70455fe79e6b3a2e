package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/decnet/decnet-fleetd/messages"
)

// Our tables have a version, major.minor: a minor version only adds (dialect.steps), another major is refused.
const (
	schemaMajor = 1
	versionKey  = "schema"
	floorKey    = "rev_floor"
)

// Init makes our tables where they are missing and, if createFleet, table fleet_deckies in a database of our own. Only
// Init ever creates a SQLite file: one that is ours (Config.Own), or with createFleet. Where the account may not, the
// error has the statements. It may be called again at any time.
func (db *DB) Init(ctx context.Context, createFleet bool) error {
	create := db.cfg.Own || createFleet
	if createFleet {
		if err := db.refuseInstall(); err != nil {
			return err
		}
	}
	p, err := db.pools(create)
	if err != nil {
		return err
	}
	if createFleet {
		if err := db.createFleet(ctx, p); err != nil {
			return err
		}
	}
	minor, err := db.version(ctx, p)
	if err != nil && (newer(err) || !errors.Is(err, messages.ErrSchema)) {
		return err
	}
	if minor >= len(db.d.steps)-1 { // an account that may make no tables is welcome where they are there
		if there, err := db.tablesThere(ctx, p); there || err != nil {
			return err
		}
	}
	return db.withStatements(ctx, p, minor, db.upgrade(ctx, p, minor))
}

// upgrade runs the steps above the minor version that is there; none is there at -1.
func (db *DB) upgrade(ctx context.Context, p *pools, minor int) error {
	if minor >= len(db.d.steps) {
		return nil // a newer program was here before; what it added does not concern us
	}
	missing := slices.Concat(db.d.steps[max(minor+1, 1):]...)
	for _, q := range slices.Concat(db.d.steps[0], missing) { // the first step skips what is there
		if _, err := p.exec(ctx, db, q); err != nil {
			return db.explain("make the tables of decnet-fleetd", err)
		}
	}
	if minor < 0 {
		if err := db.setMeta(ctx, p, floorKey, strconv.FormatInt(db.floor(), 10)); err != nil {
			return err
		}
	}
	return db.setMeta(ctx, p, versionKey, db.d.version())
}

// setMeta writes one value. Two processes that do so at once write the same.
func (db *DB) setMeta(ctx context.Context, p *pools, key, value string) error {
	n, err := p.exec(ctx, db, "UPDATE fleetd_meta SET value = ? WHERE name = ?", value, key)
	if err == nil && n == 0 {
		_, err = p.exec(ctx, db, "INSERT INTO fleetd_meta (name, value) VALUES (?, ?)", key, value)
	}
	if err = db.explain("write the schema version", err); kindOf(err) == kindDuplicate {
		return nil
	}
	return err
}

// meta reads one value; "" if there is none.
func (p *pools) meta(ctx context.Context, db *DB, key string) (string, error) {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	var v string
	err := p.writer.QueryRowContext(ctx, "SELECT value FROM fleetd_meta WHERE name = ?", key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return v, err
}

// exec runs one statement outside of a transaction and says how many rows it matched.
func (p *pools) exec(ctx context.Context, db *DB, query string, args ...any) (int64, error) {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	res, err := p.writer.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// errNewer is a database that a newer decnet-fleetd changed in a way this one does not understand.
var errNewer = errors.New("the tables of decnet-fleetd belong to a newer version")

func newer(err error) bool { return errors.Is(err, errNewer) }

// version gives the minor version of our tables, -1 if they were never made.
func (db *DB) version(ctx context.Context, p *pools) (int, error) {
	v, err := p.meta(ctx, db, versionKey)
	if err != nil || v == "" {
		return -1, db.explain("read the schema version", err)
	}
	var major, minor int
	if n, err := fmt.Sscanf(v, "%d.%d", &major, &minor); n != 2 || err != nil || major != schemaMajor || minor < 0 {
		return -1, &Error{Where: db.at.where, What: fmt.Sprintf("schema version %q, this program knows %d", v, schemaMajor),
			Remedy: "update decnet-fleetd", kind: kindSchema, cause: errNewer}
	}
	return minor, nil
}

// Drop removes our tables, and nothing of DECNET's. No process may own the lease.
func (db *DB) Drop(ctx context.Context) error {
	p, err := db.pools(false)
	if err != nil {
		return err
	}
	drops := make([]string, 0, len(ownNames))
	for _, name := range ownNames {
		drops = append(drops, "DROP TABLE IF EXISTS "+name)
	}
	for i, q := range drops {
		if _, err := p.exec(ctx, db, q); err != nil {
			err = db.explain("drop table "+ownNames[i], err)
			if e, ok := errors.AsType[*Error](err); ok && e.kind == kindDenied {
				e.Remedy, e.SQL = "let an administrator run the statements in this database", drops
			}
			return err
		}
	}
	db.outbox.forget()
	return nil
}
