package messages

import "time"

// LocalHost is the host id DECNET gives to everything that is not enrolled in a swarm.
const LocalHost = "local"

// Source names one of the three descriptions of a fleet.
type Source string

// The three sources.
const (
	SourceDeclared Source = "declared" // decnet-state.json
	SourceRecorded Source = "recorded" // table fleet_deckies
	SourceObserved Source = "observed" // the Docker engine
)

// Stamp orders the readings of one source. A reading never replaces one with a greater stamp. The wall clock takes
// no part in the order.
type Stamp struct {
	Epoch uint64 // counts the incarnations of the source; 0 never occurs in a sent stamp
	Seq   uint64 // counts the readings of an incarnation, from 1
}

// Before says whether s is older than t.
func (s Stamp) Before(t Stamp) bool {
	return s.Epoch < t.Epoch || s.Epoch == t.Epoch && s.Seq < t.Seq
}

// Presence is what is known about the existence of something. The zero value means that nobody ever said.
type Presence uint8

// Unknown is not Absent: nothing is ever deleted, overwritten or announced on Unknown.
const (
	Unknown Presence = iota
	Absent
	Present
)

// String gives the word used in logs, reasons and JSON.
func (p Presence) String() string {
	switch p {
	case Unknown:
		return "unknown"
	case Absent:
		return "absent"
	case Present:
		return "present"
	}
	return "invalid"
}

// Fault says what is wrong with an input and what to do about it.
type Fault struct {
	Where  string `json:"where"`  // file, field or row: "/opt/decnet/decnet-state.json: config.deckies[3].services"
	What   string `json:"what"`   // "is a string, must be a list of strings"
	Remedy string `json:"remedy"` // "put the name in brackets"; may be empty
}

// Error makes a Fault an error.
func (f Fault) Error() string {
	s := f.Where + ": " + f.What
	if f.Remedy != "" {
		s += " (" + f.Remedy + ")"
	}
	return s
}

// Reading is one look at a source, as an adapter emits it.
//
//sumtype:decl
type Reading interface{ reading() }

// SourceFailed is the reading of a source that cannot be read: everything it said before is unknown from now on
// (declared: the last good file stays, see DeclaredRead).
type SourceFailed struct {
	Source Source
	Fault  Fault
}

func (SourceFailed) reading() {}

// RereadWanted asks a source to read again now. A reading that began before it does not answer it.
type RereadWanted struct{}

// GetView asks a source for everything it knows, as if it had just seen it.
type GetView struct{}

// Tick is a timer an actor set for itself. Name tells its timers apart.
type Tick struct {
	Name string
	At   time.Time // when it was due
}
