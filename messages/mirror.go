package messages

import "errors"

// What a hub writes of its workers, and what it knows of them.

// Delivery is something to mirror into the hub's table: a batch of a worker, the names that a whole listing of it no
// longer has, or a host to forget.
type Delivery struct {
	HostUUID string
	Batch    ShipBatch
	// Keep ends a listing: rows of the host that it reported once and that are not in Keep go. nil: no listing ends.
	Keep map[string]bool
	// Forget removes every row of the host, unless it is enrolled; By says for whom.
	Forget bool
	By     string
	// Read is what the database has read out of the batch before its turn came; nil: it does so then.
	Read any
}

// Delivered answers a Delivery: all of it is committed, but for what is refused.
type Delivered struct {
	Refused []ShipRefusal
	Rows    []MirrorRow // as they are now
	Gone    []string    // names without a row now
	Queued  []OutboxRow // in the order of their ids, those of the other deliveries of the transaction not among them
	Err     error       // nothing of it is committed: ErrEnrolled or ErrNoSuchHost of a Forget, else a bug that it meets
}

// MirrorRow is what a hub keeps in mind of a row of a worker.
type MirrorRow struct {
	HostUUID  string
	Name      string
	State     string
	Services  string // the JSON list, as in the table
	IP        string
	LastError string
	Rev       int64  // of its last transition; 0: none came
	Cause     string // of it; "": not known
	UpdatedAt Moment
}

// MirrorRead is one complete look at the rows of other hosts.
type MirrorRead struct {
	Rows []MirrorRow // by host and name
}

// Errors of what a worker ships.
var (
	// ErrShipNever: the hub will never take the batch. Shipping it again does not help.
	ErrShipNever = errors.New("the hub refuses it for good")
	// ErrHubAway: there is no connection to the hub now.
	ErrHubAway = errors.New("the hub is away")
)

// LinkChanged tells a worker's actors how it stands with its hub.
type LinkChanged struct{ State LinkState }

// MemberHealth is the payload of fleet.<host_uuid>.health. It never changes a row.
type MemberHealth struct {
	HostUUID    string       `json:"host_uuid"`
	Name        string       `json:"name"`
	Status      MemberStatus `json:"status"`
	Previous    MemberStatus `json:"previous"`
	Since       Moment       `json:"since"`
	LastContact Moment       `json:"last_contact"`
	Deckies     int          `json:"deckies"`
	Why         string       `json:"why"`
	Source      string       `json:"source"` // fleet
	By          string       `json:"by"`     // instance of the hub
}

// MemberTopic is where the health of a host is published.
func MemberTopic(hostUUID string) string { return "fleet." + Token(hostUUID) + ".health" }
