package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// column is a column of fleet_deckies as the catalogue has it.
type column struct {
	name, kind string // kind is "" where the engine takes any value anywhere
	length     int64  // in characters; 0: any
	required   bool   // an INSERT must name it
}

// lengths are the columns we know, with the least room each needs, in characters: a UUID, a name, the longest list of
// services and configuration in the recorded fleets, IPv6, the longest state. 0 is a time.
var lengths = map[string]int64{"host_uuid": 36, "name": 64, "services": 1024, "decky_config": 2048, "decky_ip": 39, "state": 16,
	"last_error": 255, "compose_hash": 1, "last_seen": 0, "updated_at": 0}

var textTypes = []string{"varchar", "character varying", "text", "char", "character", "tinytext", "mediumtext", "longtext", "citext"}

var timeTypes = []string{"datetime", "timestamp", "timestamp without time zone", "timestamp with time zone"}

// misshapen says what of fleet_deckies is not as DECNET makes it, so that rows would be refused or cut; "" if nothing.
func misshapen(have []column) string {
	var wrong []string
	for _, c := range have {
		room, known := lengths[c.name]
		switch {
		case !known && c.required:
			wrong = append(wrong, fmt.Sprintf("column %q is required and not known here", c.name))
		case !known || c.kind == "":
		case room == 0 && !slices.Contains(timeTypes, c.kind):
			wrong = append(wrong, fmt.Sprintf("column %q is %s, not a time", c.name, c.kind))
		case room > 0 && !slices.Contains(textTypes, c.kind):
			wrong = append(wrong, fmt.Sprintf("column %q is %s, not text", c.name, c.kind))
		case c.length > 0 && c.length < room:
			wrong = append(wrong, fmt.Sprintf("column %q holds %d characters, not %d", c.name, c.length, room))
		}
	}
	slices.Sort(wrong)
	return strings.Join(wrong, "; ")
}

const checkTable = "check table fleet_deckies"

// checkColumns looks at what an empty probe does not find: types that refuse values. A table that is missing, or that
// the catalogue hides, is left to the probe.
func (db *DB) checkColumns(ctx context.Context, p *pools) error {
	var have []column
	err := db.each(ctx, p.writer, func(rows *sql.Rows) error {
		var c column
		err := rows.Scan(&c.name, &c.kind, &c.length, &c.required)
		c.name, c.kind = clip(strings.ToLower(c.name), maxName), clip(strings.ToLower(c.kind), maxName)
		have = append(have, c)
		return err
	}, db.d.columns)
	if err != nil {
		return db.explain(checkTable, err)
	}
	return db.shapeFault(misshapen(have))
}

// checkKey finds out whether a row can be there twice.
func (db *DB) checkKey(ctx context.Context, p *pools) error {
	if db.d.keyed == "" {
		return nil
	}
	wrong := "host_uuid and name are no key"
	err := db.each(ctx, p.writer, func(*sql.Rows) error { wrong = ""; return nil }, db.d.keyed)
	if err != nil {
		return db.explain(checkTable, err)
	}
	return db.shapeFault(wrong)
}

func (db *DB) shapeFault(wrong string) error {
	if wrong == "" {
		return nil
	}
	return &Error{Where: db.at.where, What: checkTable, kind: kindSchema, Remedy: shapeRemedy, cause: errors.New(wrong)}
}
