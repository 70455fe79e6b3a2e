package messages

import "errors"

// Errors that adapters return and actors branch on.
var (
	// ErrFenced: the lease carries another token; this process no longer owns the host's rows.
	ErrFenced = errors.New("lease: another process owns this host's rows")
	// ErrLeaseMoved: the lease changed between look and take.
	ErrLeaseMoved = errors.New("lease: it moved since it was looked at")
	// ErrSchema: a table is missing or has another shape; waiting does not mend it.
	ErrSchema = errors.New("database schema")
	// ErrShadow: this daemon is a shadow, it writes nothing.
	ErrShadow = errors.New("this daemon is a shadow: it writes nothing")
	// ErrNoShadow: this daemon is none.
	ErrNoShadow = errors.New("this daemon is no shadow: it writes itself")
)
