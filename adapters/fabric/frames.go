package fabric

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/messages"
)

// The version of the protocol we speak, and the oldest we still understand. Keys are only ever added and unknown ones
// ignored; a new version is for what that cannot express, and the one before it stays understood.
const (
	wireVersion = 1
	wireOldest  = 1
)

// Kinds of frames: the last token of a subject. A worker publishes on fleet.<uuid>.<kind> and hears hub.<uuid>.<kind>.
const (
	kindHello = "hello" // both ways; the hub's answers the worker's
	kindBeat  = "beat"
	kindBatch = "batch"
	kindAck   = "ack"
	kindBye   = "bye"  // both ways; the hub has noted it
	kindAsk   = "ask"  // the hub asks the worker's console
	kindPart  = "part" // of its answer
	kindFlow  = "flow" // the hub wants more of the answer, or no more
)

func upSubject(host, kind string) string   { return "fleet." + host + "." + kind }
func downSubject(host, kind string) string { return "hub." + host + "." + kind }

// Bounds of frames, in bytes.
const (
	// maxFrame is the most the server takes. Source: one transition with its row fits with room to spare; DECNET's
	// largest decky_config has some 10 KB.
	maxFrame = 1 << 20
	// maxSmall bounds frames without rows in them. Chosen.
	maxSmall = 4 << 10
	// maxHead bounds the JSON before a body. Source: the headers a console sends have some hundred bytes.
	maxHead = 16 << 10
	// maxChunk is the body in one frame. Source: measured; larger ones delay others more than they gain.
	maxChunk = 32 << 10
	// maxPayload bounds one transition. Source: the bus takes no more.
	maxPayload = 128 << 10
)

// Bounds of a batch. Source: measured; 256 events or 128 KiB a frame keep a hub's commit under 10 ms.
const (
	batchEvents = 256
	batchBytes  = 128 << 10
	// maxItems is what a hub takes: more than any worker of ours sends, less than what fills memory.
	maxItems = 1024
)

var (
	errFrame   = errors.New("fabric: malformed frame")
	errForeign = errors.New("fabric: a transition of another host")
)

// hello begins a connection.
type hello struct {
	Wire     int             `json:"wire"`
	Oldest   int             `json:"oldest"` // that the sender understands
	Version  string          `json:"version"`
	Instance string          `json:"instance,omitempty"`
	At       messages.Moment `json:"at"`
	Echo     messages.Moment `json:"echo"`          // the hub's: At of the hello it answers
	Why      string          `json:"why,omitempty"` // the hub's: it will not talk to us
}

// batchFrame is a part of what the worker ships; N pairs it with its ack.
type batchFrame struct {
	N      uint64             `json:"n"`
	Origin string             `json:"origin,omitempty"`
	Events []messages.Shipped `json:"events,omitempty"`
	Slice  *sliceFrame        `json:"slice,omitempty"`
}

type sliceFrame struct {
	ID   string                `json:"id"`
	Part int                   `json:"part"`
	Last bool                  `json:"last"`
	Rows []messages.ShippedRow `json:"rows"`
}

// ackFrame answers a batchFrame.
type ackFrame struct {
	N       uint64                 `json:"n"`
	Refused []messages.ShipRefusal `json:"refused,omitempty"`
	Busy    string                 `json:"busy,omitempty"`  // not committed: ship it again later
	Never   string                 `json:"never,omitempty"` // not committed: it never will be
}

// askFrame is a request, its body after it.
type askFrame struct {
	ID     uint64              `json:"id"`
	Method string              `json:"method"`
	Path   string              `json:"path"` // with the query
	Header map[string][]string `json:"header,omitempty"`
	Asker  messages.Asker      `json:"asker"`
}

// partFrame is a part of an answer, its data after it. The first has a status.
type partFrame struct {
	ID     uint64              `json:"id"`
	N      uint64              `json:"n"` // from 0: a part that is missing breaks the answer
	Status int                 `json:"status,omitempty"`
	Header map[string][]string `json:"header,omitempty"`
	End    bool                `json:"end,omitempty"`
	Broken string              `json:"broken,omitempty"` // with End: the answer is not whole
}

// flowFrame grants more parts, or stops the answer.
type flowFrame struct {
	ID   uint64 `json:"id"`
	More int    `json:"more,omitempty"`
	Stop bool   `json:"stop,omitempty"`
}

// crowded says whether the lists near the top of a frame have far more items than a hub takes: reading "{},{},…" would make a
// hundred times its size of it. It believes nothing but where strings end.
func crowded(b []byte) bool {
	const near, perItem = 3, 8 // {"slice":{"rows":[ is the deepest of them; a comma in an item of events is as deep, there are five
	commas, depth, inString := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case c == ',' && depth <= near:
			commas++
		}
	}
	return commas > perItem*maxItems
}

// decode reads a frame of at most limit bytes.
func decode[T any](b []byte, limit int) (v T, err error) {
	if len(b) > limit {
		return v, fmt.Errorf("%w: %d bytes", errFrame, len(b))
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, fmt.Errorf("%w: %w", errFrame, err)
	}
	return v, nil
}

// split parts a frame into what its head says and the raw bytes after it.
func split[T any](b []byte) (v T, body []byte, err error) {
	at := bytes.IndexByte(b[:min(len(b), maxHead)], '\n')
	if at < 0 || len(b)-at-1 > maxRequest {
		return v, nil, fmt.Errorf("%w: no head, or too long a body", errFrame)
	}
	v, err = decode[T](b[:at], maxHead)
	return v, b[at+1:], err
}

// join is the way back. It gives ErrTooLarge where the head is.
func join(head any, body []byte) ([]byte, error) {
	b, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	if len(b) >= maxHead {
		return nil, ErrTooLarge
	}
	return append(append(b, '\n'), body...), nil
}

// numberOf is which batch a frame is, of one that is not read; 0 where it does not say.
func numberOf(b []byte) uint64 {
	f, _ := decode[struct {
		N uint64 `json:"n"`
	}](b, maxFrame) // what cannot be read has no number
	return f.N
}

// openBatch reads a batch of a host and believes nothing in it that the host may not say.
func openBatch(host string, b []byte) (batchFrame, error) {
	if crowded(b) {
		return batchFrame{N: numberOf(b)}, fmt.Errorf("%w: too many items", errFrame)
	}
	f, err := decode[batchFrame](b, maxFrame)
	if err != nil {
		return f, err
	}
	if len(f.Events) > maxItems || f.Slice != nil && len(f.Slice.Rows) > maxItems {
		return f, fmt.Errorf("%w: more than %d items", errFrame, maxItems)
	}
	if len(f.Origin) > 64 {
		return f, fmt.Errorf("%w: origin", errFrame)
	}
	for i := range f.Events {
		if err := checkShipped(host, &f.Events[i]); err != nil {
			return f, err
		}
	}
	if f.Slice == nil {
		return f, nil
	}
	if len(f.Slice.ID) > 64 || f.Slice.Part < 0 || len(f.Events) > 0 {
		return f, fmt.Errorf("%w: slice", errFrame)
	}
	for i := range f.Slice.Rows {
		if err := checkRow(&f.Slice.Rows[i]); err != nil {
			return f, err
		}
	}
	return f, nil
}

func checkShipped(host string, s *messages.Shipped) error {
	var p struct {
		HostUUID string `json:"host_uuid"`
		Name     string `json:"name"`
		EventID  string `json:"event_id"`
	}
	if len(s.Payload) > maxPayload || json.Unmarshal(s.Payload, &p) != nil {
		return fmt.Errorf("%w: payload", errFrame)
	}
	switch {
	case p.HostUUID != host:
		return fmt.Errorf("%w: %s", errForeign, quoted(p.HostUUID))
	case !validEventID(s.EventID) || p.EventID != s.EventID:
		return fmt.Errorf("%w: event_id", errFrame)
	case !validName(s.Name) || p.Name != s.Name || s.Row != nil && s.Row.Name != s.Name:
		return fmt.Errorf("%w: name", errFrame)
	case s.Row != nil:
		return checkRow(s.Row)
	}
	return nil
}

func checkRow(r *messages.ShippedRow) error {
	if !validName(r.Name) || len(r.State) > 255 || !json.Valid([]byte(r.ServicesJSON)) ||
		r.ConfigJSON != nil && !json.Valid([]byte(*r.ConfigJSON)) || r.IP != nil && len(*r.IP) > 255 {
		return fmt.Errorf("%w: row %s", errFrame, quoted(r.Name))
	}
	return nil
}

// validName is the rule for names of deckies: 1 to 128 bytes of UTF-8, no control byte.
func validName(s string) bool {
	if s == "" || len(s) > 128 || !utf8.ValidString(s) {
		return false
	}
	for _, c := range []byte(s) {
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// validEventID: 32 lowercase hex digits.
func validEventID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
