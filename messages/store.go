package messages

import "time"

// State is a value of the column state that we write.
type State string

// The states fleetd writes. Any other text in the column is overwritten.
const (
	Pending  State = "pending"
	Running  State = "running"
	Failed   State = "failed"
	Degraded State = "degraded"
	TornDown State = "torn_down"
)

// ChangeKind says what a RowChange does.
type ChangeKind uint8

// The zero ChangeKind is never sent.
const (
	InsertRow ChangeKind = iota + 1
	UpdateRow
	DeleteRow
)

// String gives the word used in logs.
func (k ChangeKind) String() string {
	switch k {
	case InsertRow:
		return "insert"
	case UpdateRow:
		return "update"
	case DeleteRow:
		return "delete"
	}
	return "none"
}

// RowChange orders one change of one row, and the transition it is announced as. The store compares Prev with what
// is there inside the transaction and refuses a stale order.
type RowChange struct {
	Name string
	Seq  uint64 // counts the orders of one decky incarnation; the reply carries it back
	Kind ChangeKind
	// Prev is the state the row must have (UpdateRow, DeleteRow); an InsertRow wants no row.
	Prev string
	// State is written by InsertRow, and by UpdateRow where SetState.
	State    State
	SetState bool // UpdateRow: state, last_seen; updated_at always
	// Content is written by InsertRow, and by UpdateRow where SetContent.
	SetContent   bool
	ServicesJSON string
	ConfigJSON   string
	IP           string
	// What ServicesJSON and ConfigJSON mean, so that nobody has to parse them again. An empty Digest: parse them.
	Services    []string
	Digest      string
	LastMutated float64
	// LastError is written where SetLastError; "" writes NULL.
	SetLastError bool
	LastError    string
	// Vanished: an InsertRow of a row that was there before; an open deploy refuses it.
	Vanished bool
	// Patient: its decky flaps and waited for its pace already; it may wait a little more, for others to be written with.
	Patient bool
	// The transition.
	Transition Transition
	EventID    string // of NewEventID
}

// WithdrawRow takes back an order that the store may not have begun.
type WithdrawRow struct {
	Name string
	Seq  uint64
}

// Outcome says what became of a RowChange.
type Outcome uint8

// The zero Outcome is never sent.
const (
	Committed  Outcome = iota + 1 // durable, with its outbox row
	Refused                       // what is there differs from what was expected; the reply shows it
	HeldBack                      // an open operation of DECNET forbids it
	Twinned                       // another host has a row of this name; DECNET's look-ups break on twins
	Withdrawn                     // taken back before it was begun; the reply says nothing about the row
	Unwritable                    // the database takes everything but this change; the reply says nothing about the row
)

// String gives the word used in logs.
func (o Outcome) String() string {
	switch o {
	case Committed:
		return "committed"
	case Refused:
		return "refused"
	case HeldBack:
		return "held"
	case Twinned:
		return "twinned"
	case Withdrawn:
		return "withdrawn"
	case Unwritable:
		return "unwritable"
	}
	return "none"
}

// RowReply answers a RowChange. It is an observation too: the row as it is now.
type RowReply struct {
	Name     string
	Seq      uint64
	Kind     ChangeKind
	SetState bool // as ordered
	Outcome  Outcome
	Presence Presence // Absent or Present
	Row      Recorded // for Present
	Rev      int64    // of the row's last transition, for Committed
	Holds    []Hold   // for HeldBack
	Twin     string   // for Twinned: the other host
	Why      string   // for Unwritable: what the database says
	At       time.Time
}

// OutboxRow is a committed transition on its way to the bus.
type OutboxRow struct {
	ID      int64 // ascending in the order of commits; 0: it is not queued, there is no bus
	EventID string
	Name    string
	Rev     int64
	Topic   string
	Payload string // JSON object
}

// OutboxAppended tells the publisher what was just committed: rows in the order of their ids.
type OutboxAppended struct{ Rows []OutboxRow }

// OutboxAcknowledged tells the store which outbox rows every sink has: they may be deleted.
type OutboxAcknowledged struct{ IDs []int64 }

// OwnershipChanged says whether this process owns the host's rows. Only an owner writes, publishes and sends heartbeats.
type OwnershipChanged struct {
	Owner bool
	Token int64 // of the lease, for an owner
}

// OwnershipWanted asks the store to tell publisher and pulse once more whether this process is the owner: they have just
// (re)started and know nothing.
type OwnershipWanted struct{}

// Lease is the row that says which process owns a host's slice of the table.
type Lease struct {
	Held     bool // false: no row yet
	Token    int64
	Owner    string // instance id
	BootID   string
	StateDir string
	Beat     int64 // counts; a lease is alive as long as it moves
}
