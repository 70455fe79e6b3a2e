package bus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Limits of the wire protocol. Source: DECNET's protocol; both sides close a connection that exceeds them.
const (
	MaxHeader = 4096    // bytes of the header line, its LF included
	MaxBody   = 1 << 20 // bytes of a body
)

// Verb is the first word of a frame's header. Case counts.
type Verb string

// The verbs of the protocol. EVT goes from server to client only, all others from client to server.
const (
	Hello Verb = "HELLO" // args: the client's name; optional, authenticates nothing
	Pub   Verb = "PUB"   // args: a topic; body: an envelope
	Sub   Verb = "SUB"   // args: a pattern
	Unsub Verb = "UNSUB" // args: a pattern
	Evt   Verb = "EVT"   // args: a topic; body: an envelope
	Bye   Verb = "BYE"
)

// ErrProtocol is wrapped by every error about a frame that breaks the protocol. The connection it came from is of no
// further use.
var ErrProtocol = errors.New("bus protocol")

// whitespace is what DECNET trims from a header, besides LF: the ASCII part of Python's str.isspace.
const whitespace = " \t\n\v\f\r\x1c\x1d\x1e\x1f"

// Frame is one frame as it was read. Args and Body are valid until the next read from the same Reader.
type Frame struct {
	Verb Verb
	Args []byte
	Body []byte
}

// AppendFrame appends one frame to dst: header line, length as four big-endian bytes, body. It returns dst unchanged
// and an error wrapping ErrProtocol where the frame cannot be expressed.
func AppendFrame(dst []byte, verb Verb, args string, body []byte) ([]byte, error) {
	if _, ok := verbOf([]byte(verb)); !ok {
		return dst, fmt.Errorf("%w: unknown verb %.32q", ErrProtocol, string(verb))
	}
	for i := range len(args) {
		if c := args[i]; c == '\n' || c == '\r' || c >= 0x80 {
			return dst, fmt.Errorf("%w: byte %#02x in the arguments of %s", ErrProtocol, c, verb)
		}
	}
	if len(body) > MaxBody {
		return dst, fmt.Errorf("%w: body of %d bytes exceeds %d", ErrProtocol, len(body), MaxBody)
	}
	args = strings.TrimRight(args, whitespace)
	n := len(verb) + 1
	if args != "" {
		n += 1 + len(args)
	}
	if n > MaxHeader {
		return dst, fmt.Errorf("%w: header of %d bytes exceeds %d", ErrProtocol, n, MaxHeader)
	}
	dst = append(dst, verb...)
	if args != "" {
		dst = append(append(dst, ' '), args...)
	}
	dst = append(dst, '\n')
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body))) //nolint:gosec // bounded by MaxBody above
	return append(dst, body...), nil
}

// Reader reads frames from one connection. Its memory is bounded: one read buffer and one body.
type Reader struct {
	r    *bufio.Reader
	args [MaxHeader]byte // a header's arguments have to survive the reads that follow it
	body []byte
}

// readBuffer holds some two hundred ordinary frames: one system call for all of them. Chosen; it must exceed MaxHeader.
const readBuffer = 64 << 10

// keepBody is the greatest body buffer a Reader keeps. Chosen: well above an ordinary event, well below MaxBody times
// the number of connections.
const keepBody = 64 << 10

// NewReader makes a Reader of r.
func NewReader(r io.Reader) *Reader { return &Reader{r: bufio.NewReaderSize(r, readBuffer)} }

// Buffered says how many bytes can be read without waiting.
func (r *Reader) Buffered() int { return r.r.Buffered() }

// ReadFrame reads the next frame. It returns io.EOF at an orderly end, io.ErrUnexpectedEOF where the connection ended
// within length or body, and an error wrapping ErrProtocol for everything that is not a frame.
func (r *Reader) ReadFrame() (Frame, error) {
	verb, args, err := r.header()
	if err != nil {
		return Frame{}, err
	}
	body, err := r.readBody()
	if err != nil {
		return Frame{}, err
	}
	return Frame{Verb: verb, Args: args, Body: body}, nil
}

func (r *Reader) header() (Verb, []byte, error) {
	line, err := r.r.ReadSlice('\n')
	switch {
	case len(line) > MaxHeader || errors.Is(err, bufio.ErrBufferFull):
		return "", nil, fmt.Errorf("%w: header exceeds %d bytes", ErrProtocol, MaxHeader)
	case errors.Is(err, io.EOF) && len(line) > 0:
		return "", nil, fmt.Errorf("%w: connection closed within a header", ErrProtocol)
	case err != nil:
		return "", nil, err
	}
	for _, c := range line {
		if c >= 0x80 {
			return "", nil, fmt.Errorf("%w: byte %#02x in a header", ErrProtocol, c)
		}
	}
	line = trimEnd(line)
	if len(line) == 0 {
		return "", nil, fmt.Errorf("%w: empty header line", ErrProtocol)
	}
	word, args := line, line[len(line):]
	for i, c := range line {
		if c == ' ' {
			word, args = line[:i], line[i+1:]
			break
		}
	}
	verb, ok := verbOf(word)
	if !ok {
		return "", nil, fmt.Errorf("%w: unknown verb %.32q", ErrProtocol, word)
	}
	return verb, r.args[:copy(r.args[:], trimStart(args))], nil
}

func (r *Reader) readBody() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r.r, length[:]); err != nil {
		return nil, unexpected(err)
	}
	n := int(binary.BigEndian.Uint32(length[:]))
	if n > MaxBody {
		return nil, fmt.Errorf("%w: body of %d bytes exceeds %d", ErrProtocol, n, MaxBody)
	}
	if cap(r.body) > keepBody && n <= keepBody {
		r.body = nil
	}
	if cap(r.body) < n {
		r.body = make([]byte, n+n/4)
	}
	body := r.body[:n]
	_, err := io.ReadFull(r.r, body)
	return body, unexpected(err)
}

// unexpected makes an end within a frame what it is: io.ReadFull says io.EOF where not one byte came.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func verbOf(word []byte) (Verb, bool) {
	switch string(word) {
	case "PUB":
		return Pub, true
	case "EVT":
		return Evt, true
	case "SUB":
		return Sub, true
	case "UNSUB":
		return Unsub, true
	case "HELLO":
		return Hello, true
	case "BYE":
		return Bye, true
	}
	return "", false
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && strings.IndexByte(whitespace, b[len(b)-1]) >= 0 {
		b = b[:len(b)-1]
	}
	return b
}

func trimStart(b []byte) []byte {
	for len(b) > 0 && strings.IndexByte(whitespace, b[0]) >= 0 {
		b = b[1:]
	}
	return b
}
