package messages

import "encoding/json"

// What the faces of the console read. All of it is JSON of API version v1: keys are only ever added.

// ComponentStatus is the health of one thing fleetd depends on.
type ComponentStatus struct {
	Component      string  `json:"component"` // file, database, docker, bus, lease, outbox
	State          string  `json:"state"`     // ok, degraded, down, off, standby, unknown
	Since          Moment  `json:"since"`
	LatencySeconds float64 `json:"latency_seconds,omitempty"`
	Detail         string  `json:"detail,omitempty"`
	Waiting        int64   `json:"waiting,omitempty"` // outbox: transitions that no sink has acknowledged
}

// Held says what is not done although it is wanted, and why.
type Held struct {
	What  string `json:"what"` // insert, delete, state_changed
	Why   string `json:"why"`
	Until Moment `json:"until"`          // null: until somebody acts
	Hash  string `json:"hash,omitempty"` // of a held set of deletions, to approve it
}

// Text is what is held and why; "" of nil.
func (h *Held) Text() string {
	if h == nil {
		return ""
	}
	return h.What + ": " + h.Why
}

// DeckyStatus is one decky as its actor last reported it.
type DeckyStatus struct {
	HostUUID  string        `json:"host_uuid"`
	Name      string        `json:"name"`
	State     string        `json:"state"`     // of the row; "" without a row
	Aggregate string        `json:"aggregate"` // what the containers say; "" if unknown
	Declared  string        `json:"declared"`  // unknown, absent, present
	Recorded  string        `json:"recorded"`
	Observed  string        `json:"observed"`
	Expected  []string      `json:"expected"` // services that should run
	Services  []ServiceSeen `json:"services"`
	Up        int           `json:"up"` // expected services that run
	Base      string        `json:"base,omitempty"`
	IP        string        `json:"ip"`
	Phase     string        `json:"phase"` // quiet, working, held, quarantined, waiting
	Reason    string        `json:"reason"`
	Held      *Held         `json:"held,omitempty"`
	Rev       int64         `json:"rev"`   // of the last transition this process committed; 0: none yet
	Cause     string        `json:"cause"` // of the last transition
	ChangedAt Moment        `json:"changed_at"`
	Restarts  int64         `json:"restarts"`
	Mailbox   int64         `json:"mailbox"`
	HighWater int64         `json:"high_water"`
	Paused    bool          `json:"paused,omitempty"` // its row is not written until somebody resumes it
	Drift     []string      `json:"drift,omitempty"`  // columns of the row that differ from the file
	Node      string        `json:"node,omitempty"`   // name of its host in a cluster; filled in where a hub lists all
	Stale     bool          `json:"stale,omitempty"`  // its host does not answer the hub: this is what it said last
	// QuarantinedAt is since when its actor is in quarantine; zero: it is not.
	QuarantinedAt Moment `json:"quarantined_at,omitzero"`
	// When the facts behind it were read; a fact that has not changed since was confirmed by later looks.
	DeclaredAt Moment `json:"declared_at,omitzero"`
	RecordedAt Moment `json:"recorded_at,omitzero"`
	ObservedAt Moment `json:"observed_at,omitzero"`
}

// Standing is how a decky is, in one word for lists: what keeps its state from being heeded, else its state.
func (d DeckyStatus) Standing() string {
	switch {
	case d.Phase == "quarantined":
		return d.Phase
	case d.Paused:
		return "paused"
	case d.State == "" && d.Held != nil:
		return "held"
	case d.State == "":
		return "unrecorded"
	}
	return d.State
}

// Quarantine is a decky whose actor is in quarantine.
type Quarantine struct {
	Name  string `json:"name"`
	Why   string `json:"why"`
	Since Moment `json:"since"`
}

// DeckyReported carries a decky's status to the view and the fleet.
type DeckyReported struct {
	Status DeckyStatus
	Busy   bool // an order is at the store or a settle runs: the pass is not over
	// In a dry run only: what would be ordered, nil for nothing, and the services as the file has them.
	Plan     *PlanItem
	Services []string
	Decision Decision // what it came to just now
	Repeated int64    // how often it came to the one before again, since it last reported
}

// DeckyGone tells the view that a decky retired.
type DeckyGone struct{ Name string }

// ComponentReported carries a component's status to the view.
type ComponentReported struct{ Status ComponentStatus }

// Event is one entry of the event list every face shows.
type Event struct {
	Seq     int64           `json:"seq"` // ascending; the Last-Event-ID
	At      Moment          `json:"at"`
	Type    string          `json:"type"` // inserted, deleted, state_changed, config_changed, quarantined, crash, held, source, control, …
	Target  string          `json:"target"`
	From    string          `json:"from,omitempty"`
	To      string          `json:"to,omitempty"`
	Cause   string          `json:"cause,omitempty"`
	Topic   string          `json:"topic,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"` // of the bus, verbatim
	Node    string          `json:"node,omitempty"`    // name of the host it is about; filled in where a hub tells it
}

// EventHappened carries an event to the view, which numbers it.
type EventHappened struct{ Event Event }

// Status is the answer to GetStatus.
type Status struct {
	HostUUID      string            `json:"host_uuid"`
	Version       string            `json:"version"`
	Instance      string            `json:"instance"`
	PID           int               `json:"pid"`
	Role          string            `json:"role"` // owner, standby, shadow, starting
	StartedAt     Moment            `json:"started_at"`
	UptimeSeconds float64           `json:"uptime_seconds"`
	Components    []ComponentStatus `json:"components"`
	Deckies       map[string]int    `json:"deckies"` // per state of the row
	Foreign       int               `json:"foreign"` // entries of the file that belong to another host
	Rejected      []Fault           `json:"rejected"`
	Held          []DeckyHeld       `json:"held"`
	OutboxDepth   int64             `json:"outbox_depth"`
	Counters      map[string]int64  `json:"counters"`
	Warnings      []string          `json:"warnings"`
	YourRole      string            `json:"your_role,omitempty"` // of who asked: admin, operator, read-only; "": not told
	Paused        []Pause           `json:"paused,omitempty"`
	Quarantined   []Quarantine      `json:"quarantined,omitempty"` // deckies whose actors are
	// Cluster is the role in a cluster: hub, worker; "" alone. On a hub Deckies counts those of all hosts.
	Cluster string               `json:"cluster,omitempty"`
	Members map[MemberStatus]int `json:"members,omitempty"` // of a hub: workers per status
}

// DeckyHeld names a decky with what is held.
type DeckyHeld struct {
	Name string `json:"name"`
	Held
}

// GetStatus asks the view for the status of the host; the answer is a Status.
type GetStatus struct{}

// GetDeckies asks the view for all deckies; the answer is a []DeckyStatus by name.
type GetDeckies struct{}

// GetDeckiesVersion asks for the DeckiesVersion, which costs next to nothing beside the deckies themselves.
type GetDeckiesVersion struct{}

// DeckiesVersion numbers what GetDeckies is answered with: as long as it is the same, the answer is.
type DeckiesVersion uint64

// GetPass asks the fleet to read every source again and to answer with a PassReport when the pass is over.
type GetPass struct {
	DryRun bool
	First  bool // readings made since the start will do: the process was started for this pass
	// Only names the deckies it is about, which are told everything known again; nil means all. Sources are read whole in
	// any case.
	Only []string
}

// PlanItem is one change a dry run would make.
type PlanItem struct {
	Name     string `json:"name"`
	Action   string `json:"action"` // insert, delete, update
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	Declared string `json:"declared"`
	Recorded string `json:"recorded"`
	Observed string `json:"observed"`
	Reason   string `json:"reason"`
}

// PassReport is what one pass did, or in a dry run would do.
type PassReport struct {
	Inserted     int         `json:"inserted"`
	Deleted      int         `json:"deleted"`
	StateUpdated int         `json:"state_updated"`
	Changed      int         `json:"config_updated"` // rows whose configuration alone changed
	DryRun       bool        `json:"dry_run"`
	Plan         []PlanItem  `json:"plan"`
	Held         []DeckyHeld `json:"held"`
	Faults       []Fault     `json:"faults"`        // invalid file, rejected entries, sources that did not answer
	FileInvalid  bool        `json:"file_invalid"`  // exit 1
	DatabaseDown bool        `json:"database_down"` // exit 1
	Late         bool        `json:"late"`          // it did not end in time: exit 7
	NotOwner     bool        `json:"not_owner"`     // another process owns the rows: exit 8
	Unpublished  int64       `json:"unpublished"`   // events still in the outbox
}

// FleetReported carries what only the fleet knows to the view.
type FleetReported struct {
	Open     bool // every source has answered once, or had its time
	Foreign  int  // entries of the file that belong to another host
	Rejected []Fault
	Warnings []Fault
	Holds    []Hold
	Redeploy Moment // state changes are held until then; zero: not
	Counters map[string]int64
	Sources  []SourceSeen
	Pauses   []Pause
}
