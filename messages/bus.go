package messages

import "time"

// Frame is one PUB on its way to the bus.
type Frame struct {
	Topic string
	Body  []byte // the envelope {"payload":{…},"type":"…"}
}

// LinkEvent is what the pair of connections to the bus reports. All events of one link come in order.
//
//sumtype:decl
type LinkEvent interface{ linkEvent() }

// LinkDown ends a link: none of its events come after it.
type LinkDown struct{ Why string }

// Echoed carries the event_id of our state events in the order in which the server fanned them out.
type Echoed struct{ EventIDs []string }

// ProbeEchoed is the echo of a heartbeat of ours with the probe number.
type ProbeEchoed struct{ Probe uint64 }

// HealthHeard is a heartbeat of a reconciler; an Instance that is not ours is a second one. The publishing
// connection hears no echo of its own.
type HealthHeard struct{ Instance string }

// ControlHeard is a control message. Action is "" where it was malformed.
type ControlHeard struct {
	Action      string
	RequestedBy string
	Malformed   string // what was wrong, "" if nothing
}

func (LinkDown) linkEvent()     {}
func (Echoed) linkEvent()       {}
func (ProbeEchoed) linkEvent()  {}
func (HealthHeard) linkEvent()  {}
func (ControlHeard) linkEvent() {}

// PublishNow asks the publisher to send something that is worthless later, such as a heartbeat. It is dropped while no
// link to the bus stands.
type PublishNow struct {
	Topic   string
	Type    string
	Payload []byte // a JSON object
}

// BusReady tells the pulse that a link to the bus stands: PublishNow reaches the bus from now on.
type BusReady struct{}

// GetQuiesced asks the publisher how many outbox rows the store does not yet know to be delivered; the answer is an
// int64. 0 means that nothing is on its way.
type GetQuiesced struct{}

// GetStatementAge asks the store how long it has been waiting for the database; the answer is a StatementAge.
type GetStatementAge struct{}

// StatementAge says how old the oldest statement is that the database has not answered, and after how long it should
// have ended by itself. 0 of Age: none is open.
type StatementAge struct{ Age, Deadline time.Duration }

// ReplayParked asks the publisher to read the outbox again from its beginning: rows that were parked and have been
// released meanwhile lie before what it has read.
type ReplayParked struct{}
