// Package journal writes entries with fields of their own to journald.
//
// It owns the wire format of the native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL) and nothing else: which fields an
// entry has is decided by whoever calls. An entry is one datagram, sent or not; nothing is kept. journald may be
// restarted at any time: no connection is held to it.
package journal

import (
	"encoding/binary"
	"fmt"
	"net"
	"strings"

	"github.com/coreos/go-systemd/v22/journal"
)

// Socket is where journald listens. Source: systemd-journald.service(8).
const Socket = "/run/systemd/journal/socket"

// Field is one field of an entry.
type Field struct{ Name, Value string }

// IsStderr says whether standard error leads to the journal: JOURNAL_STREAM names its device and inode.
func IsStderr() bool {
	is, err := journal.StderrIsJournalStream()
	return err == nil && is
}

// Writer sends entries. Its methods may be called from any goroutine.
type Writer struct {
	conn *net.UnixConn
	to   *net.UnixAddr
}

// Open makes a writer to the socket at path. Nothing needs to listen there yet.
func Open(path string) (*Writer, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("open a socket to the journal: %w", err)
	}
	return &Writer{conn: conn, to: &net.UnixAddr{Name: path, Net: "unixgram"}}, nil
}

// Close gives the socket up.
func (w *Writer) Close() error { return w.conn.Close() }

// Send sends one entry. It waits while journald does not read.
func (w *Writer) Send(fields []Field) error {
	if _, err := w.conn.WriteToUnix(encode(fields), w.to); err != nil {
		return fmt.Errorf("write to the journal at %q: %w", w.to.Name, err)
	}
	return nil
}

// encode gives the datagram: a value with a line feed in it carries its length.
func encode(fields []Field) []byte {
	var b []byte
	for _, f := range fields {
		b = append(b, f.Name...)
		if strings.Contains(f.Value, "\n") {
			b = append(b, '\n')
			b = binary.LittleEndian.AppendUint64(b, uint64(len(f.Value)))
		} else {
			b = append(b, '=')
		}
		b = append(append(b, f.Value...), '\n')
	}
	return b
}

// longestName of a field, in bytes. Source: systemd.journal-fields(7).
const longestName = 64

// Name makes the name of a field: capital letters, digits and underscores; what begins with an underscore would be
// dropped, it is journald's own.
func Name(text string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, text)
	name = strings.TrimLeft(name, "_0123456789")
	return name[:min(len(name), longestName)]
}
