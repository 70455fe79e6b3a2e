package messages

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// NewEventID makes the id of a transition: a UUID of version 7 without its hyphens, 32 hex digits. It begins with the time in
// milliseconds, so that ids made one after the other lie beside each other in a database's index; random ones cost a write of
// a page each. Its last 74 random bits are what nobody can guess: whoever could, might acknowledge for the bus.
// Source: RFC 9562, section 5.7.
func NewEventID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixMilli())<<16) //nolint:gosec // a time before 1970 is as good as any other
	_, _ = rand.Read(b[6:])                                       // it never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x70, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}
