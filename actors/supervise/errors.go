package supervise

import "errors"

// Errors of Ask. Tell answers false where Ask answers one of the first three.
var (
	// ErrFull: the mailbox is at its bound; asking again later may help.
	ErrFull = errors.New("supervise: mailbox full")
	// ErrQuarantined: the actor crashed too often and takes no messages for now.
	ErrQuarantined = errors.New("supervise: actor in quarantine")
	// ErrStopped: the actor is stopping or stopped.
	ErrStopped = errors.New("supervise: actor stopped")
	// ErrCrashed: the incarnation that had the question ended without an answer.
	ErrCrashed = errors.New("supervise: actor crashed before it answered")
)

var errShutdown = errors.New("supervise: shut down")
