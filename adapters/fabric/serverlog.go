package fabric

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// serverLog is where the server says what it has no other way to say.
type serverLog struct{ h *Hub }

// Noticef implements server.Logger.
func (*serverLog) Noticef(string, ...any) {}

// Warnf implements server.Logger.
func (*serverLog) Warnf(string, ...any) {}

// Fatalf keeps the reason why there is no socket.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.h.fatal.Store(fmt.Sprintf(format, v...))
}

// Errorf turns what is about somebody outside into a refusal. The format begins with "address - cid:number - ".
func (l *serverLog) Errorf(format string, v ...any) {
	who, what, _ := strings.Cut(format, " - ")
	cid, what, _ := strings.Cut(what, " - ")
	r := messages.Refusal{Remote: who, Detail: quoted(fmt.Sprintf(what, v...))}
	if id, err := strconv.ParseUint(strings.TrimPrefix(cid, "cid:"), 10, 64); err == nil {
		r.HostUUID = l.h.gate.hostOf(id)
	}
	switch {
	case strings.Contains(what, "TLS handshake error"):
		for _, x := range v {
			if err, is := x.(error); is && errors.Is(err, errAudited) {
				return
			}
		}
		r.Reason = messages.RefusedHandshake
	case strings.Contains(what, "Violation"):
		r.Reason = messages.RefusedSubject
	case r.HostUUID != "" || strings.Contains(what, "uthentication"):
		r.Reason = messages.RefusedLogin
	default:
		return
	}
	l.h.refuse(r)
}

// Debugf implements server.Logger.
func (*serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (*serverLog) Tracef(string, ...any) {}
