package messages

import "time"

// FactsWanted is how a decky that has just (re)started asks the fleet for everything known about it.
type FactsWanted struct{ Name string }

// RereadAsked is how a decky asks that file and row be read once more before something is taken away or brought back.
type RereadAsked struct {
	Name string
	At   time.Time
}

// RereadDone tells a decky that file and table have both been read by a look that began at or after At.
type RereadDone struct{ At time.Time }

// DeletePermitted is the verdict of the mass-deletion guard on one decky's DELETE. The zero value grants nothing.
type DeletePermitted struct {
	Granted bool
	Why     string // why not
	Hash    string // of the held set, to approve it; "" where approval is not the way out
}

// ApproveDeletes is an operator's consent to the set of deletions with this hash, and to any part of it. The answer is an
// ApproveReply.
type ApproveDeletes struct {
	Hash   string
	DryRun bool // say what would be approved
}

// ApproveReply says what is held now and whether the approval was of that.
type ApproveReply struct {
	Held      bool     `json:"held"` // deletions wait for an approval
	Names     []string `json:"names"`
	Hash      string   `json:"hash,omitempty"` // of the set that is held now
	Why       string   `json:"why,omitempty"`
	Accepted  bool     `json:"accepted"` // the hash was that of the held set
	Released  bool     `json:"released"` // and they are being deleted
	Reads     int      `json:"reads"`    // identical readings of the file so far
	NeedReads int      `json:"need_reads"`
	ReleaseAt Moment   `json:"release_at"` // not before; null: nothing is held
}

// DeckyRetired tells the fleet that neither file nor table know the decky any more.
type DeckyRetired struct{ Name string }

// PassMark asks a decky to say when it has nothing left to do for now.
type PassMark struct{ Token uint64 }

// PassMarked answers a PassMark: everything told before the mark is decided, and done or held.
type PassMarked struct {
	Token  uint64
	Name   string
	Held   *Held
	Plan   *PlanItem // in a dry run: what would be done
	Reason string
}

// DeckyCrashed tells the fleet that a decky's actor is in quarantine, or out of it again.
type DeckyCrashed struct {
	Name        string
	Quarantined bool
	Ordered     bool // by somebody, not by its crashes
	Reason      string
}

// StoreFailing tells the fleet that writing does not work at the moment; a zero Fault says that it works again.
type StoreFailing struct{ Fault Fault }

// OrdersLost tells a decky that its order at the store may never be answered: store or fleet have just restarted. What is
// still wanted is ordered again; the store's comparison keeps it from happening twice.
type OrdersLost struct{}

// StoreRestarted tells the fleet that the store forgot what it was ordered.
type StoreRestarted struct{}

// ReportsWanted asks an actor to tell the view everything once more: the view has just restarted and knows nothing.
type ReportsWanted struct{}

// FactsTold is everything the fleet knows of a decky, told at once: to a new one, to one that asked, and to one whose
// mailbox was full.
type FactsTold struct {
	Holds    HoldsObserved
	Permit   DeletePermitted
	Runtime  RuntimeObserved
	Declared DeclaredObserved
	Recorded RecordedObserved
	Pause    PauseObserved
	Marks    []PassMark // of the passes that wait for it, the oldest first
}
