package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// statusError is an answer of the engine that is not 200.
type statusError struct {
	what string // "list the containers"
	code int
	text string // what the engine said, cut and printable
}

func (e *statusError) Error() string {
	s := fmt.Sprintf("%s: the engine answered %d", e.what, e.code)
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

// errSilent is the cause of a call that was given up.
var errSilent = errors.New("no answer in time")

// fault says what a failure means and what to do about it. Equal failures make equal faults, so that they are told
// once: nothing in the text counts or measures.
func (r *Runtime) fault(err error) messages.Fault {
	f := messages.Fault{Where: "docker at " + r.cfg.Host}
	var status *statusError
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		f.What = "permission denied"
		f.Remedy = "add the user fleetd runs as to the group docker and restart fleetd, or set DOCKER_HOST"
	case errors.Is(err, syscall.ENOENT):
		f.What = "no such socket"
		f.Remedy = "is docker running (systemctl status docker)? is DOCKER_HOST right?"
	case errors.Is(err, syscall.ECONNREFUSED):
		f.What = "nobody listens there"
		f.Remedy = "is docker running (systemctl status docker)? is DOCKER_HOST right?"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		f.What = "no file descriptor left to connect with"
		f.Remedy = "raise LimitNOFILE"
	case errors.Is(err, errSilent), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		f.What = "no answer within " + r.cfg.CallTimeout.String()
		f.Remedy = "the engine hangs or is overloaded: systemctl status docker, journalctl -u docker"
	case errors.As(err, &status):
		f.What = status.Error()
		f.Remedy = "see the engine's log: journalctl -u docker"
	case isCut(err):
		f.What = "the connection was cut"
		f.Remedy = "docker restarted or is restarting; nothing to do if it comes back"
	default:
		f.What = printable(err.Error())
		f.Remedy = "is it a Docker engine that listens there?"
	}
	return f
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

func isCut(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// maxFault bounds a foreign text in a fault. Chosen: two lines of a terminal.
const maxFault = 200

// printable makes a text from outside fit for a log line and a terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxFault {
		s = strings.ToValidUTF8(s[:maxFault], "") + "…"
	}
	return strings.TrimSpace(s)
}

// within gives a call its deadline. The returned function ends it and must be called.
func within(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, d, errSilent)
}
