package bus

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Event is what an EVT carries.
type Event struct {
	ID      string // 32 hex digits
	Topic   string
	Type    string
	TS      float64 // seconds since the epoch
	Payload []byte  // one JSON value
}

// AppendEnvelope appends the JSON object DECNET puts into a frame: its keys, in its order, compact.
func AppendEnvelope(dst []byte, e Event) []byte {
	dst = append(dst, `{"v":1,"id":`...)
	dst = appendText(dst, e.ID)
	dst = append(dst, `,"topic":`...)
	dst = appendText(dst, e.Topic)
	dst = append(dst, `,"type":`...)
	dst = appendText(dst, e.Type)
	dst = append(dst, `,"ts":`...)
	dst = appendSeconds(dst, e.TS)
	dst = append(dst, `,"payload":`...)
	dst = append(dst, e.Payload...)
	return append(dst, '}')
}

// AppendEvent appends the EVT frame of e. Its errors wrap ErrProtocol: the topic cannot stand in a header, or the
// envelope is larger than MaxBody.
func AppendEvent(dst []byte, e Event) ([]byte, error) {
	from := len(dst)
	dst, err := AppendFrame(dst, Evt, e.Topic, nil)
	if err != nil {
		return dst, err
	}
	head := len(dst)
	dst = AppendEnvelope(dst, e)
	n := len(dst) - head
	if n > MaxBody {
		return dst[:from], fmt.Errorf("%w: body of %d bytes exceeds %d", ErrProtocol, n, MaxBody)
	}
	binary.BigEndian.PutUint32(dst[head-4:head], uint32(n)) //nolint:gosec // bounded by MaxBody above
	return dst, nil
}

// publication keys, in the order of the values publication reads.
var publicationKeys = []string{"payload", "type"}

// publication reads the envelope of a PUB as DECNET's server does: an empty body is an empty envelope, only payload and
// type are looked at, an empty payload of any kind becomes {}. The error wraps ErrProtocol. payload is compact; it may
// share memory with body.
func publication(body []byte) (payload []byte, kind string, err error) {
	if len(body) == 0 {
		return emptyObject, "", nil
	}
	var vals [2][]byte
	tight, ok := pick(body, publicationKeys, vals[:])
	if !ok {
		return nil, "", fmt.Errorf("%w: the body of a PUB is not a JSON object", ErrProtocol)
	}
	payload = vals[0]
	if falsy(payload) {
		return emptyObject, unquote(vals[1]), nil
	}
	if !tight {
		var b bytes.Buffer
		if err := json.Compact(&b, payload); err != nil {
			return nil, "", fmt.Errorf("%w: payload: %w", ErrProtocol, err)
		}
		payload = b.Bytes()
	}
	return payload, unquote(vals[1]), nil
}

var emptyObject = []byte("{}")

// falsy says whether Python would take the value for false.
func falsy(raw []byte) bool {
	if len(raw) == 0 {
		return true
	}
	switch raw[0] {
	case 'n', 'f':
		return true
	case '"':
		return len(raw) == 2
	case '[', '{':
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
	case 't':
		return false
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && f == 0
}

// appendSeconds writes f as Python does: a decimal point always, no exponent in the range of a clock.
func appendSeconds(dst []byte, f float64) []byte {
	from := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if math.Trunc(f) == f && bytes.IndexByte(dst[from:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// appendText writes s as a JSON string: raw UTF-8, only what must be escaped is.
func appendText(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}
