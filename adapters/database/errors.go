package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/decnet/decnet-fleetd/messages"
)

// kind sorts what can go wrong by what helps.
type kind uint8

const (
	kindOther      kind = iota
	kindAway            // no connection, or it broke
	kindLocked          // somebody else holds the lock, or the deadline passed
	kindDuplicate       // a key exists: somebody was first
	kindReadOnly        // file, server or transaction
	kindDisk            // full, or it does not do what it is told
	kindMissing         // the SQLite file is not there
	kindUnopenable      // it is there and cannot be opened
	kindDamaged         // it is no database, or its pages are wrong
	kindSchema          // a table or column is missing
	kindDenied          // the account lacks a privilege
	kindLogin           // account, password or database name
	kindTLS             // encrypted or not, and the server's certificate
	kindValue           // what is to be written does not fit its column
	kindBug             // our own program failed over it
)

// Error is what went wrong, where, and what to do about it. For a missing table, column or privilege errors.Is finds
// messages.ErrSchema. It never contains a password.
type Error struct {
	Where  string   // file, or scheme, host and database
	What   string   // "write rows: table fleet_deckies is missing"
	Remedy string   // may be empty
	SQL    []string // the statements that would mend it, for an account that may run them
	kind   kind
	cause  error
}

// Error gives where, what, why and the remedy in one line.
func (e *Error) Error() string {
	if e.Remedy != "" {
		return e.Detail() + " (" + e.Remedy + ")"
	}
	return e.Detail()
}

// Detail gives where, what and why, without the remedy.
func (e *Error) Detail() string {
	s := e.Where + ": " + e.What
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the driver's error, and messages.ErrSchema where the schema is at fault.
func (e *Error) Unwrap() []error {
	var all []error
	if e.kind == kindSchema || e.kind == kindDenied {
		all = append(all, messages.ErrSchema)
	}
	if e.cause != nil {
		all = append(all, e.cause)
	}
	return all
}

// Retryable says whether the same call may succeed later without anybody changing accounts, tables or the file's
// content: a lock, a deadline, a lost connection, a full disk, a file that is away. It is false for nil.
func Retryable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return errors.Is(err, context.DeadlineExceeded)
	}
	switch e.kind {
	case kindAway, kindLocked, kindDuplicate, kindReadOnly, kindDisk, kindMissing, kindUnopenable:
		return true
	case kindOther, kindDamaged, kindSchema, kindDenied, kindLogin, kindTLS, kindValue, kindBug:
	}
	return false
}

// Locked says that somebody else held the lock for too long, or that the deadline passed.
func Locked(err error) bool {
	return kindOf(err) == kindLocked || errors.Is(err, context.DeadlineExceeded)
}

// Damaged says that the file is no database or has wrong pages. Waiting does not help; it is never repaired.
func Damaged(err error) bool { return kindOf(err) == kindDamaged }

// Statements gives the SQL that would mend err, for an account that may run it. It is empty for most errors.
func Statements(err error) []string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.SQL
	}
	return nil
}

func kindOf(err error) kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.kind
	}
	return kindOther
}

// explain makes an Error of err. what says what could not be done. Errors that say all already stay as they are.
func (db *DB) explain(what string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) || errors.Is(err, messages.ErrFenced) || errors.Is(err, messages.ErrLeaseMoved) {
		return err
	}
	k := db.d.kind(err)
	if k == kindOther {
		k = commonKind(err)
	}
	e = &Error{Where: db.at.where, What: what, kind: k, cause: err}
	db.advise(e)
	if k == kindReadOnly && db.at.path == "" {
		db.Reset() // after a failover the name leads to another server, and the connection stays with the old one
	}
	return e
}

// commonKind sorts errors that come from the network, the context or database/sql.
func commonKind(err error) kind {
	var netErr net.Error
	var number syscall.Errno
	switch {
	case isTLS(err):
		return tlsKind(err)
	case errors.Is(err, sql.ErrTxDone): // the deadline of the transaction passed between two of its statements
		return kindLocked
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return kindLocked
	case errors.Is(err, context.Canceled):
		return kindOther
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.Is(err, sql.ErrConnDone), errors.As(err, &netErr), errors.As(err, &number),
		strings.Contains(err.Error(), "sql: database is closed"):
		return kindAway
	}
	return kindOther
}
