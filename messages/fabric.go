package messages

import "encoding/json"

// What crosses the fabric between a worker and its hub. Everything here is JSON on the wire: keys are only ever added,
// unknown ones are ignored, so that two versions next to each other understand one another.

// Pin is one enrolled host: only the certificate with this fingerprint speaks for it.
type Pin struct {
	HostUUID    string `json:"host_uuid"`
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"` // lowercase hex SHA-256 of the certificate's DER
}

// Shipped is one committed transition of a worker on its way to the hub.
type Shipped struct {
	// ID ascends in the order of the worker's commits. It starts anew with a new database, so it tells no two transitions
	// apart: EventID alone does.
	ID      int64           `json:"id"`
	EventID string          `json:"event_id"`
	Name    string          `json:"name"`
	Rev     int64           `json:"rev"`
	Payload json.RawMessage `json:"payload"`       // the JSON object of the Transition
	Row     *ShippedRow     `json:"row,omitempty"` // as it is in the worker's table now; nil: it is gone
}

// ShippedRow is one row of a worker's table, with the texts of its columns as they are written.
type ShippedRow struct {
	Name         string  `json:"name"`
	ServicesJSON string  `json:"services"`
	ConfigJSON   *string `json:"config"` // nil for NULL, here and below
	IP           *string `json:"ip"`
	State        string  `json:"state"`
	LastError    *string `json:"last_error,omitempty"`
	LastSeen     Moment  `json:"last_seen"` // null for NULL
	UpdatedAt    Moment  `json:"updated_at"`
}

// ShipBatch is what a worker ships at once: transitions in the order of their ids, or its whole slice of the table, or
// a part of it.
type ShipBatch struct {
	// Origin tells the worker's databases apart: Shipped.Rev of a decky only ever grows within one. "": not told.
	Origin string    `json:"origin,omitempty"`
	Events []Shipped `json:"events,omitempty"`
	Slice  *Slice    `json:"slice,omitempty"`
}

// Slice is a listing of all rows of a worker. A long one reaches the hub in several parts, in order.
type Slice struct {
	ID   string       `json:"id"`   // of the listing; chosen by the worker
	Part int          `json:"part"` // from 0
	Last bool         `json:"last"` // it is complete with this part
	Rows []ShippedRow `json:"rows"`
}

// ShipAck says that everything in a batch is committed at the hub, but for what is refused for good.
type ShipAck struct {
	Refused []ShipRefusal `json:"refused,omitempty"`
}

// ShipRefusal is one transition (or row of a slice, without an EventID) that the hub will never take.
type ShipRefusal struct {
	EventID string `json:"event_id,omitempty"`
	Name    string `json:"name"`
	Why     string `json:"why"`
}

// Beat is a sign of life of a worker's root actor.
type Beat struct {
	N       uint64 `json:"n"`                 // counts
	At      Moment `json:"at"`                // by the worker's clock
	Pending int64  `json:"pending,omitempty"` // transitions not yet acknowledged by the hub
	Deckies int    `json:"deckies,omitempty"`
	Health  string `json:"health,omitempty"` // "" is well; else a word such as degraded
	Paused  bool   `json:"paused,omitempty"` // the whole host is: it observes and writes nothing
}

// Peer is one enrolled host as the hub's fabric sees it.
type Peer struct {
	Pin
	Connected   bool   `json:"connected"`
	Since       Moment `json:"since"`        // of the connection, or of its end; null: never seen
	LastContact Moment `json:"last_contact"` // the last message of any kind; null: never
	CertExpires Moment `json:"cert_expires"` // of the certificate it last came with; null: never seen
	Version     string `json:"version"`      // of its program
	Wire        int    `json:"wire"`         // version of the protocol it speaks; 0: not yet said
	Remote      string `json:"remote"`       // address
	Instance    string `json:"instance"`     // of its process
	Messages    int64  `json:"messages"`     // taken from it
	Dropped     int64  `json:"dropped"`      // over its rate, malformed or not for us
}

// PeerEvent says that a worker came or went.
type PeerEvent struct {
	HostUUID string
	Up       bool
	Graceful bool   // it said goodbye: no alarm
	Why      string // of a departure
	Peer     Peer   // as it is now
}

// Refusal is somebody the hub did not let in, or something it did not take from a worker. For the audit.
type Refusal struct {
	At          Moment `json:"at"`
	Reason      string `json:"reason"` // a word: see the Refused constants
	Detail      string `json:"detail"`
	Fingerprint string `json:"fingerprint"` // "" without a certificate
	CN          string `json:"cn"`
	HostUUID    string `json:"host_uuid"` // where the certificate is known
	Remote      string `json:"remote"`
	Times       int    `json:"times"` // equal ones since the last that was told, this one included
}

// Reasons of a Refusal.
const (
	RefusedNoCertificate  = "no-certificate"
	RefusedAuthority      = "wrong-authority" // signed by another CA
	RefusedExpired        = "expired"
	RefusedNotYetValid    = "not-yet-valid"
	RefusedUsage          = "not-a-client" // by its extended key usage
	RefusedUpdater        = "updater-certificate"
	RefusedMaster         = "master-certificate" // also swarmctl's
	RefusedRole           = "not-a-worker"       // neither O=DECNET nor OU=swarm-worker
	RefusedUnknown        = "not-enrolled"
	RefusedDecommissioned = "decommissioned" // it was enrolled while this hub ran
	RefusedReplaced       = "replaced"       // the host has another certificate now
	RefusedTwin           = "twin"           // another live process speaks for the host
	RefusedHandshake      = "handshake"      // no TLS came about
	RefusedLogin          = "login"          // TLS came about, the protocol did not
	RefusedFlood          = "flood"          // cut: far over its rate
	RefusedFrame          = "malformed"
	RefusedForeign        = "foreign-host" // a transition of another host
	RefusedSubject        = "foreign-subject"
	RefusedWire           = "wire-version"
)

// LinkPhase says how a worker stands with its hub.
type LinkPhase string

// The phases.
const (
	LinkConnecting LinkPhase = "connecting" // no answer yet
	LinkConnected  LinkPhase = "connected"
	LinkAway       LinkPhase = "away"    // the hub cannot be reached, or went; it is tried again
	LinkRefused    LinkPhase = "refused" // somebody has to act; it is tried again, less often
	LinkClosed     LinkPhase = "closed"
)

// LinkState is how a worker stands with its hub.
type LinkState struct {
	Phase          LinkPhase `json:"phase"`
	Since          Moment    `json:"since"`
	Fault          *Fault    `json:"fault,omitempty"` // for away and refused: what is wrong, and the remedy
	Hub            string    `json:"hub"`             // address
	HubVersion     string    `json:"hub_version"`
	HubFingerprint string    `json:"hub_fingerprint"`
	HubCertExpires Moment    `json:"hub_cert_expires"`
	CertExpires    Moment    `json:"cert_expires"` // of our own
	SkewSeconds    float64   `json:"skew_seconds"` // the hub's clock minus ours, as of the last connection
}

// Asker is the user of one host's console who asks another host. A worker believes it from its hub alone.
type Asker struct {
	Node string `json:"node"` // where the user sits
	UID  int64  `json:"uid"`  // -1: not known
	User string `json:"user,omitempty"`
	Role string `json:"role"` // read-only, operator, admin
	Via  string `json:"via"`  // cli, web, tui, api
}
