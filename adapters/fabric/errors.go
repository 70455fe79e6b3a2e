package fabric

import "errors"

// What an operation over the fabric may end with.
var (
	// ErrAway: there is no connection to the other side, or it ended before the answer came. What was sent may have
	// arrived.
	ErrAway = errors.New("fabric: the other side is away")
	// ErrBusy: the hub could not commit the batch now. It wraps the hub's words.
	ErrBusy = errors.New("fabric: the hub cannot take it now")
	// ErrRefused: the hub will never take this batch. It wraps the hub's words.
	ErrRefused = errors.New("fabric: the hub refuses it")
	// ErrTooLarge: one transition, row or request is larger than a frame may be.
	ErrTooLarge = errors.New("fabric: larger than a frame may be")
	// ErrUnknownHost: no such host is enrolled.
	ErrUnknownHost = errors.New("fabric: no such host is enrolled")
)
