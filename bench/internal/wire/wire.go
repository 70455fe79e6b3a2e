// Package wire is DECNET's bus protocol as the measuring programs speak it. It shares no code with the product, so that
// a mistake in one of the two shows. A frame is a header line, the length of the body in four bytes (big-endian), and
// the body.
package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The limits are DECNET's own: a header with its line feed, and a body.
const (
	headerLimit = 4096
	bodyLimit   = 1 << 20
)

// ErrFrame is a frame that no bus of DECNET's sends.
var ErrFrame = errors.New("wire: bad frame")

// Frame is one frame. Args and Body may be empty.
type Frame struct {
	Verb string // HELLO, PUB, SUB, UNSUB, EVT or BYE
	Args string
	Body []byte
}

// Append appends the encoded frame to b. It does not check the limits: what it is given is the caller's own.
func (f Frame) Append(b []byte) []byte {
	b = append(b, strings.TrimRight(f.Verb+" "+f.Args, " ")...)
	b = append(b, '\n')
	b = binary.BigEndian.AppendUint32(b, uint32(len(f.Body))) //nolint:gosec // bodies are small
	return append(b, f.Body...)
}

// Reader decodes frames. The zero Reader is not usable.
type Reader struct{ r *bufio.Reader }

// NewReader gives a reader with a buffer large enough that a burst costs few reads.
func NewReader(r io.Reader) *Reader { return &Reader{bufio.NewReaderSize(r, 256<<10)} }

// Buffered says how many bytes were read from the connection and not yet decoded.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// Read decodes the next frame. The error is io.EOF between two frames, ErrFrame for bytes that are none, else that of
// the connection.
func (r *Reader) Read() (Frame, error) {
	verb, args, n, err := r.head()
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Verb: verb, Args: args, Body: make([]byte, n)}
	if _, err := io.ReadFull(r.r, f.Body); err != nil {
		return Frame{}, cutShort(err)
	}
	return f, nil
}

// Skip reads past the next frame and gives its header, for counting at full speed.
func (r *Reader) Skip() (verb, args string, err error) {
	verb, args, n, err := r.head()
	if err != nil {
		return "", "", err
	}
	if _, err := r.r.Discard(n); err != nil {
		return "", "", cutShort(err)
	}
	return verb, args, nil
}

func (r *Reader) head() (verb, args string, n int, err error) {
	line, err := r.r.ReadSlice('\n')
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return "", "", 0, io.EOF
	case err != nil:
		return "", "", 0, cutShort(err)
	case len(line) > headerLimit:
		return "", "", 0, fmt.Errorf("%w: header of %d bytes", ErrFrame, len(line))
	}
	verb, args, _ = strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
	var length [4]byte
	if _, err := io.ReadFull(r.r, length[:]); err != nil {
		return "", "", 0, cutShort(err)
	}
	n = int(binary.BigEndian.Uint32(length[:]))
	if n > bodyLimit {
		return "", "", 0, fmt.Errorf("%w: body of %d bytes", ErrFrame, n)
	}
	return verb, strings.TrimSpace(args), n, nil
}

// cutShort tells an end in the middle of a frame from one between two.
func cutShort(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.Is(err, bufio.ErrBufferFull):
		return fmt.Errorf("%w: endless header", ErrFrame)
	}
	return err
}
