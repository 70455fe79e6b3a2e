package statefile

import (
	"bytes"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// Reader looks at the file on demand. It is not safe for concurrent use.
type Reader struct {
	cfg    Config
	dir    string
	parser *parser
	volume *volume
	buf    bytes.Buffer
	sum    sum
	// last is what the bytes of sum say, nil before any were read.
	last *content
	// version counts the contents.
	version uint64
}

// NewReader makes a reader. The error says what is wrong with the configuration; the file need not be there.
func NewReader(cfg Config) (*Reader, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	return newReader(cfg, &volume{}), nil
}

func newReader(cfg Config, v *volume) *Reader {
	return &Reader{cfg: cfg, dir: dirOf(cfg.Path), parser: newParser(cfg.Path), volume: v}
}

// Read looks at the file now. It does not fail: what went wrong is in Status and Fault. Readings of unchanged bytes
// share their slices, which nobody may write to.
func (r *Reader) Read() messages.DeclaredRead {
	reading, _ := r.look()
	return reading
}

// look is Read; read tells whether the bytes of the file were seen whole (valid or not).
func (r *Reader) look() (reading messages.DeclaredRead, read bool) {
	reading.ReadAt = r.cfg.Now()
	f, v := r.open()
	if f == nil {
		reading.Status, reading.Fault = v.status, v.fault
		return reading, false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	defer r.release()
	text, v := r.slurp(f)
	if v.status != 0 {
		reading.Status, reading.Fault = v.status, v.fault
		return reading, false
	}
	crashpoint.At(crashpoint.FileRead)
	c := r.understand(text)
	reading.Status, reading.Fault = messages.FileValid, c.fault
	if !c.valid {
		reading.Status = messages.FileInvalid
	}
	reading.Entries, reading.Rejected, reading.Warnings = c.entries, c.rejected, c.warnings
	return reading, true
}

// understand parses bytes unless they are those of last time.
func (r *Reader) understand(text []byte) *content {
	if s := r.parser.sum(text); r.last == nil || s != r.sum {
		r.sum, r.last = s, r.parser.parse(text)
		r.version++
	}
	return r.last
}
