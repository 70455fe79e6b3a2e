package database

import (
	"errors"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// advise adds the remedy. What exactly is wrong with a schema is in the driver's text alone.
func (db *DB) advise(e *Error) {
	switch e.kind {
	case kindSchema:
		db.adviseSchema(e)
	case kindDenied:
		e.Remedy = "the account lacks a privilege: `decnet-fleetd db init` prints the statements for an administrator"
	case kindDamaged:
		e.Remedy = db.damagedRemedy()
	case kindLogin:
		e.Remedy = "check account, password and database name in the database URL"
	case kindTLS:
		e.Remedy = tlsRemedy(e.cause)
	case kindAway:
		e.Remedy = "is the server running and reachable from here?"
		if db.at.path != "" {
			e.Remedy = ""
		}
		if isTLS(e.cause) {
			e.Remedy = tlsRemedy(e.cause)
		}
	case kindReadOnly, kindUnopenable:
		e.Remedy = db.readOnlyRemedy()
	case kindDisk:
		e.Remedy = "is the disk full or failing?"
	case kindLocked:
		e.Remedy = "no answer in time: another process holds a lock, or the database hangs; it is tried again"
	case kindMissing:
		e.Remedy = db.missingRemedy()
	case kindBug:
		e.Remedy = "it is a bug: report the line"
	case kindOther, kindDuplicate, kindValue:
	}
}

const fleetRemedy = "start DECNET once, it makes its tables (`decnet init`); " +
	"in a database of its own decnet-fleetd makes the table with --create-schema"

const shapeRemedy = "this DECNET's tables have another shape than decnet-fleetd knows; update one of the two"

// adviseSchema tells the table of DECNET from ours: one makes DECNET, the others db init.
func (db *DB) adviseSchema(e *Error) {
	text := strings.ToLower(e.cause.Error())
	switch {
	case strings.Contains(text, "fleetd_"):
		e.What += ": tables of decnet-fleetd are missing"
		e.Remedy = "run `decnet-fleetd db init`, or let an administrator run the statements"
		e.SQL = db.making(-1)
	case strings.Contains(text, "fleet_deckies") && !strings.Contains(text, "column"):
		e.What += ": table fleet_deckies is missing"
		e.Remedy = fleetRemedy
	default:
		e.Remedy = shapeRemedy
	}
}

func (db *DB) damagedRemedy() string {
	if db.at.path == "" {
		return "have an administrator check the server's tables"
	}
	if db.cfg.Own {
		return "the file is our own: move it away, `decnet-fleetd db init` makes a new one"
	}
	return "stop DECNET, then restore the file from a backup or rebuild it with `sqlite3 FILE .recover`; " +
		"decnet-fleetd never repairs DECNET's file"
}

func (db *DB) readOnlyRemedy() string {
	if db.at.path == "" {
		return "the server accepts no writes: it is a replica, or was told to be read-only; name the primary in the database URL; it is tried again"
	}
	return "file, -wal, -shm and directory must be writable for the account decnet-fleetd runs as, " +
		"and the file system must not be mounted read-only"
}

func (db *DB) missingRemedy() string {
	if db.cfg.Own {
		return "`decnet-fleetd db init` creates it"
	}
	return "is DECNET installed elsewhere? Its file is never created here: start DECNET once (`decnet init`), " +
		"or use a database of our own with --create-schema"
}

// fault is err as the observer reports it.
func (db *DB) fault(err error) messages.Fault {
	var e *Error
	if !errors.As(err, &e) {
		return messages.Fault{Where: db.at.where, What: err.Error()}
	}
	f := messages.Fault{Where: e.Where, What: e.What, Remedy: e.Remedy}
	if e.cause != nil {
		f.What += ": " + e.cause.Error()
	}
	return f
}
