package messages

import "time"

// Recorded is one row of fleet_deckies that belongs to this host.
type Recorded struct {
	Name        string
	Services    []string
	IP          string // "" for NULL
	HasConfig   bool   // decky_config is not NULL
	Digest      string // of decky_config, see Declared.Digest; "" where it is NULL or unreadable
	State       string // any text: DECNET constrains nothing
	LastError   string // "" for NULL
	LastMutated float64
}

// RecordedRead is one complete look at the rows of this host and at the operations DECNET has open on it.
type RecordedRead struct {
	Rows   []Recorded // by name
	Holds  []Hold
	Faults []Fault // rows that could not be read whole; their readable part is in Rows
	// Deployed is DECNET's fourth store, the row `deployment` of its table state. DeployedSum tells two of them apart;
	// 0: there is none.
	Deployed    []Deployed
	DeployedSum uint64
	ReadAt      time.Time
}

// Deployed is what DECNET's row `deployment` says of one decky of this host. The mutator changes services there and in
// Docker, and in no other store.
type Deployed struct {
	Name        string
	Services    []string
	LastMutated float64 // seconds since the epoch
}

func (RecordedRead) reading() {}

// Hold is an operation of DECNET in progress: an open row of decky_lifecycle.
type Hold struct {
	ID        string
	Decky     string
	Operation string    // "deploy" or "mutate"; others are ignored
	Until     time.Time // from then on it no longer holds and counts as stuck
}

// RecordedChanged is what a source of records tells the fleet.
type RecordedChanged struct {
	Stamp  Stamp
	Full   bool
	Rows   []Recorded // new or changed
	Gone   []string
	Holds  []Hold // all open ones
	Faults []Fault
	Count  int // rows of this host in the table
	// Deployed is the whole fourth store; where DeployedKept it is as it was told before.
	Deployed     []Deployed
	DeployedKept bool
	ReadAt       time.Time
}

// RecordedObserved is what a decky hears about its own row, from the source or in a store's reply.
type RecordedObserved struct {
	Presence Presence
	Row      Recorded // for Present
	ReadAt   time.Time
}

// HoldsObserved is what the operations in progress mean for one decky. A zero time holds nothing.
type HoldsObserved struct {
	Deploy   time.Time // until then: no insert after vanish, no delete, no state change (whole host)
	Mutate   time.Time // the same for this decky alone
	Redeploy time.Time // state changes only: many containers vanish at once and nothing has started yet
	// Remake is for those state changes that rest on containers that are missing or were never started: something has
	// started since, but compose may not have come to this decky yet.
	Remake time.Time
}

// RowWritten tells the source of records that a row was just written by the store: what the source told of it is no
// longer what the fleet knows, so it tells it again with the next reading.
type RowWritten struct{ Name string }
