package messages

import (
	"errors"
	"regexp"
)

// hostUUID is the form of a uuid in swarm_hosts.
var hostUUID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// ValidHostUUID says whether a host of a swarm may be called so. It may stand in a subject of the fabric: a wildcard in a
// row of swarm_hosts would widen the permissions of its host.
func ValidHostUUID(uuid string) bool { return hostUUID.MatchString(uuid) }

// MemberStatus says how one host of a cluster is doing, as its hub sees it. It never changes a row.
type MemberStatus string

// The statuses. Silence is counted from the last message of any kind, by the hub's monotonic clock.
const (
	MemberUp      MemberStatus = "up"
	MemberSuspect MemberStatus = "suspect" // silent for 3 s
	MemberStale   MemberStatus = "stale"   // silent for 5 s: what is known of its deckies may be old
	MemberLeft    MemberStatus = "left"    // it said goodbye: no alarm
	MemberNever   MemberStatus = "never"   // enrolled, never heard of since this hub started
	MemberGone    MemberStatus = "gone"    // no longer enrolled, but rows of it are left: `cluster forget`
)

// Member is one host of a cluster: the hub itself, or an enrolled worker.
type Member struct {
	HostUUID    string       `json:"host_uuid"`
	Name        string       `json:"name"`
	Role        string       `json:"role"` // hub, worker
	Status      MemberStatus `json:"status"`
	Since       Moment       `json:"since"`        // of the status; null: since the hub started
	LastContact Moment       `json:"last_contact"` // null: never; of the hub itself: now
	Address     string       `json:"address"`      // "" if never seen
	Deckies     int          `json:"deckies"`      // rows of the host in the hub's table
	Lag         int64        `json:"lag"`          // transitions that the host has not delivered yet, by its last beat
	Version     string       `json:"version"`
	Skewed      bool         `json:"version_skew"` // another version than the hub's
	Wire        int          `json:"wire"`
	CertExpires Moment       `json:"cert_expires"` // null: never seen
	SkewSeconds float64      `json:"clock_skew_seconds"`
	Health      string       `json:"health"` // "" is well; else a word of the host's, such as degraded
	Paused      bool         `json:"paused"` // drained: the host observes and writes nothing
	Dropped     int64        `json:"dropped"`
	Refused     int64        `json:"refused"` // transitions that the hub would not take from it
	Why         string       `json:"why"`     // of the status, where there is more to say; "" else
}

// Owner says which process writes the rows of a host: the holder of the lease.
type Owner struct {
	HostUUID string `json:"host_uuid"`
	Name     string `json:"name"`
	Owner    string `json:"owner"` // instance of the process; "" if nobody has ever held it
	Token    int64  `json:"token"` // of the lease: grows with each change of the owner
	Beat     Moment `json:"beat"`
	Ours     bool   `json:"ours"` // it is the process that answers
}

// GetMembers asks a hub for all hosts; the answer is []Member by name. A worker answers with itself and its hub.
// Elsewhere the error is ErrSolo.
type GetMembers struct{}

// GetOwners asks who owns each host's rows; the answer is []Owner by name.
type GetOwners struct{}

// LeaveCluster asks a worker to say goodbye to its hub and not to come back before it is started again or reloaded.
// It goes on to reconcile its own host. The answer is Alive; on another role ErrNotWorker.
type LeaveCluster struct{ Reason string }

// ForgetHost asks a hub to remove the rows of a host that is no longer enrolled, each with an announced deletion.
// The answer is Forgotten; for an enrolled host the error is ErrEnrolled, for one without rows ErrNoSuchHost.
type ForgetHost struct {
	Host   string // uuid, or the name it was enrolled under where that is unambiguous
	Reason string
	DryRun bool
}

// Forgotten is what ForgetHost removed, or would remove.
type Forgotten struct {
	HostUUID string   `json:"host_uuid"`
	Deckies  []string `json:"deckies"`
	DryRun   bool     `json:"dry_run"`
}

// Errors of the cluster's questions.
var (
	ErrSolo       = errors.New("this host runs alone: there is no cluster (start it with --role hub or --role worker)")
	ErrNotHub     = errors.New("only a hub can do that: ask it there")
	ErrNotWorker  = errors.New("only a worker can do that")
	ErrEnrolled   = errors.New("the host is enrolled: decommission it in DECNET first (decnet swarm decommission)")
	ErrNoSuchHost = errors.New("no such host: see decnet-fleetd cluster members")
)
