package messages

import (
	"bytes"
	"encoding/json"
	"time"
)

// Transitions, as the key "transition" of a payload has them.
const (
	TransitionInserted      = "inserted"
	TransitionDeleted       = "deleted"
	TransitionStateChanged  = "state_changed"
	TransitionConfigChanged = "config_changed" // ours: the reference never corrects a drifted row
	TransitionQuarantined   = "quarantined"    // ours: the decky's actor crashed too often
)

// Transition is one change of a row, as consumers of the bus see it. The first six keys are the reference's, in its
// order; the rest is ours. There is never a topology_id: DECNET's topology view would take the event for its own.
type Transition struct {
	HostUUID      string   `json:"host_uuid"`
	Name          string   `json:"name"`
	State         string   `json:"state"`
	Transition    string   `json:"transition"`
	Source        string   `json:"source"`
	PreviousState string   `json:"previous_state,omitempty"`
	Rev           int64    `json:"rev"`
	EventID       string   `json:"event_id"`
	ObservedAt    Moment   `json:"observed_at"`
	Cause         string   `json:"cause"`
	Changed       []string `json:"changed,omitempty"`
	Coalesced     int      `json:"coalesced,omitempty"` // observations swallowed by the limit of one commit a second
}

// Moment is a time that reads and writes RFC 3339 with microseconds in UTC.
type Moment struct{ time.Time }

// momentLayout has six digits as DECNET's own timestamps do.
const momentLayout = "2006-01-02T15:04:05.000000Z07:00"

// MarshalJSON writes the moment; the zero moment is null.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`"` + m.UTC().Format(momentLayout) + `"`), nil
}

// UnmarshalJSON reads RFC 3339 or null.
func (m *Moment) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*m = Moment{}
		return nil
	}
	return m.Time.UnmarshalJSON(b)
}

// JSON encodes the payload: compact, raw UTF-8, no HTML escapes, as DECNET's encoder does.
func (t Transition) JSON() (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(t); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte{'\n'})), nil
}
