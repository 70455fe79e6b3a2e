package database

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// making are the statements that bring our tables from a minor version, -1 for none, to the one of this program.
func (db *DB) making(minor int) []string {
	all := slices.Concat(db.d.steps[min(minor+1, len(db.d.steps)):]...)
	if minor < 0 {
		all = append(all, db.d.putMeta(floorKey, fmt.Sprint(db.floor())))
	}
	return append(all, db.d.putMeta(versionKey, db.d.version()))
}

// version is what our tables are of once all steps have run.
func (d *dialect) version() string { return fmt.Sprintf("%d.%d", schemaMajor, len(d.steps)-1) }

// putMeta writes one value, whether there is one or not.
func (d *dialect) putMeta(key, value string) string {
	set := " SET "
	if strings.HasSuffix(d.upsert(""), "KEY UPDATE") {
		set = " " // MySQL has no such word there
	}
	return "INSERT INTO fleetd_meta (name, value) VALUES ('" + key + "', '" + value + "') ON " + d.upsert("name") + set + d.incoming("value")
}

// withStatements adds to an error about tables or privileges what an administrator is to run: all of it, in one session,
// and nothing else. Other errors stay as they are.
func (db *DB) withStatements(ctx context.Context, p *pools, minor int, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.kind != kindDenied && len(e.SQL) == 0 || db.d.whoami == "" {
		return err
	}
	sql, failed := db.granting(ctx, p, minor)
	if failed != nil {
		return err // who cannot even be asked for its name has another trouble first
	}
	if e.SQL = sql; e.kind == kindDenied {
		e.Remedy = "let an administrator run the statements in this database"
	}
	return err
}

// granting are those statements. The account is the one the server knows, not the one of the URL: MySQL has one for
// every host it may come from.
func (db *DB) granting(ctx context.Context, p *pools, minor int) ([]string, error) {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	var account, schema string
	if err := p.reader.QueryRowContext(ctx, db.d.whoami).Scan(&account, &schema); err != nil {
		return nil, err
	}
	to := " TO " + db.d.grantee(account)
	all := append(db.d.enter(schema, db.d.grantee(account)), db.making(minor)...)
	for _, table := range append([]string{"fleet_deckies"}, ownNames...) {
		all = append(all, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+table+to)
	}
	for _, table := range []string{lifecycleTable, stateTable} {
		if there, err := hasTable(ctx, p.reader, db.d, table); err != nil || there {
			all = append(all, "GRANT SELECT ON "+table+to) // an error: it is there and may not be looked at
		}
	}
	return all, nil
}

// tablesThere says that our tables are there and may be looked at.
func (db *DB) tablesThere(ctx context.Context, p *pools) (bool, error) {
	for _, name := range ownNames {
		err := db.explain("look at table "+name, db.peek(ctx, p.writer, name))
		if errors.Is(err, messages.ErrSchema) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
