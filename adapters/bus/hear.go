package bus

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds on what a client of the bus can make us remember.
const (
	// eventIDLen is the length of our ids; anything else is no echo of ours. Source: a UUID in hex.
	eventIDLen = 32
	// echoBatch is how many echoes go into one message. Chosen: above the window of what is in flight at once.
	echoBatch = 256
	// textLimit bounds names that are passed on to be shown. Chosen.
	textLimit = 128
	// noticesPerSecond bounds how often heartbeats and useless control messages of others are passed on. Chosen: a
	// reconciler sends one heartbeat in 30 s.
	noticesPerSecond = 20
)

var (
	payloadKey  = []string{"payload"}
	eventIDKey  = []string{"event_id"}
	probeKeys   = []string{"instance", "probe"}
	controlKeys = []string{"action", "requested_by"}
)

// payloadFields picks keys out of the payload of an envelope. ok is false where either is not a JSON object.
func payloadFields(body []byte, keys []string, vals [][]byte) (ok bool) {
	var payload [1][]byte
	if _, ok = pick(body, payloadKey, payload[:]); !ok {
		return false
	}
	_, ok = pick(payload[0], keys, vals)
	return ok
}

// eventID is the id of a state event; ok is false for one that is not ours.
func eventID(body []byte) (id string, ok bool) {
	var v [1][]byte
	if !payloadFields(body, eventIDKey, v[:]) || len(v[0]) != eventIDLen+2 {
		return "", false
	}
	id = unquote(v[0])
	return id, len(id) == eventIDLen
}

// heartbeat reads a heartbeat of a reconciler; probe is 0 where it has none.
func heartbeat(body []byte) (instance string, probe uint64) {
	var v [2][]byte
	if !payloadFields(body, probeKeys, v[:]) {
		return "", 0
	}
	probe, err := strconv.ParseUint(string(v[1]), 10, 64)
	if err != nil {
		probe = 0
	}
	return text(v[0]), probe
}

// control reads a control message.
func control(body []byte) messages.ControlHeard {
	var v [2][]byte
	if !payloadFields(body, controlKeys, v[:]) {
		return messages.ControlHeard{Malformed: "the payload is not a JSON object"}
	}
	c := messages.ControlHeard{Action: text(v[0]), RequestedBy: text(v[1])}
	if c.Action == "" {
		c.Malformed = "the payload has no action"
	}
	return c
}

// text gives the text of a raw JSON string, cut to a bound; "" for anything else.
func text(raw []byte) string {
	s := unquote(raw)
	if len(s) <= textLimit {
		return s
	}
	s = s[:textLimit]
	for len(s) > 0 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// echoes hears what the publishing connection of the same link sent.
type echoes struct {
	l   *link
	ids []string
}

func (e *echoes) hear(topic, body []byte) {
	if string(topic) == messages.HealthTopic {
		if instance, probe := heartbeat(body); instance == e.l.d.Instance && probe != 0 {
			e.flush()
			e.l.tell(messages.ProbeEchoed{Probe: probe})
		}
		return
	}
	if id, ok := eventID(body); ok {
		e.ids = append(e.ids, id)
	}
	if len(e.ids) >= echoBatch {
		e.flush()
	}
}

func (e *echoes) flush() {
	if len(e.ids) > 0 {
		crashpoint.At(crashpoint.Echoed)
		e.l.tell(messages.Echoed{EventIDs: e.ids})
		e.ids = nil // the message owns it
	}
}

// others hears what other clients say to and about reconcilers.
type others struct {
	l      *link
	window time.Time
	told   int
}

func (o *others) hear(topic, body []byte) {
	switch string(topic) {
	case messages.ControlTopic:
		// A stop is never held back: it is an order, and the first one counts.
		if c := control(body); c.Action == "stop" || o.may() {
			o.l.tell(c)
		}
	case messages.HealthTopic:
		if instance, _ := heartbeat(body); o.may() {
			o.l.tell(messages.HealthHeard{Instance: instance})
		}
	}
}

func (o *others) flush() {}

// may bounds what a chatty client makes of our mailbox.
func (o *others) may() bool {
	if now := o.l.d.Now(); o.window.IsZero() || now.Sub(o.window) >= time.Second {
		o.window, o.told = now, 0
	}
	o.told++
	return o.told <= noticesPerSecond
}
