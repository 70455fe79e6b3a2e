package messages

// What the console shows beyond Status, DeckyStatus and Event. All of it is JSON of API version v1: keys are only ever
// added; times are RFC 3339 UTC, durations are seconds.

// ActorStatus is one actor as its counters tell. Nobody asks the actor: a stuck one is shown like any other.
type ActorStatus struct {
	PID              string  `json:"pid"` // kind/id
	Kind             string  `json:"kind"`
	ID               string  `json:"id"`
	Group            string  `json:"group,omitempty"` // restarted together
	State            string  `json:"state"`           // starting, running, backoff, quarantined, stopping, stopped
	Stuck            bool    `json:"stuck,omitempty"` // one handler runs for more than 5 s
	Incarnation      uint32  `json:"incarnation"`
	Mailbox          int64   `json:"mailbox"` // messages waiting
	HighWater        int64   `json:"high_water"`
	OldestSeconds    float64 `json:"oldest_seconds"`     // age of the oldest waiting message; 0: none waits
	InHandlerSeconds float64 `json:"in_handler_seconds"` // 0: none runs
	In               int64   `json:"in"`
	Done             int64   `json:"done"`
	Lost             int64   `json:"lost"`
	Dropped          int64   `json:"dropped"`
	Crashes          int64   `json:"crashes"`
	Restarts         int64   `json:"restarts"`
	InPerSecond      float64 `json:"in_per_second"` // over the last sampling period
	DonePerSecond    float64 `json:"done_per_second"`
	P50Seconds       float64 `json:"p50_seconds,omitempty"` // of a handler; 0: not measured
	P99Seconds       float64 `json:"p99_seconds,omitempty"`
	UpSeconds        float64 `json:"up_seconds"` // of this incarnation
}

// CrashRecord is one crash, kept over restarts of the daemon.
type CrashRecord struct {
	ID          uint64 `json:"id"` // ascending
	At          Moment `json:"at"`
	Actor       string `json:"actor"` // kind/id
	Incarnation uint32 `json:"incarnation"`
	Reason      string `json:"reason"`
	Message     string `json:"message"` // being handled; it is not delivered again
	Stack       string `json:"stack,omitempty"`
	State       string `json:"state,omitempty"` // before the crash
}

// DeadLetter counts messages that nobody took: of one type, to one actor.
type DeadLetter struct {
	At     Moment `json:"at"` // of the last
	Target string `json:"target"`
	Type   string `json:"type"`
	Why    string `json:"why"` // full, quarantined, stopped, discarded
	Count  int64  `json:"count"`
}

// FactSeen is what one source says of a decky, as last seen.
type FactSeen struct {
	Source     string  `json:"source"` // declared, recorded, observed
	Presence   string  `json:"presence"`
	SeenAt     Moment  `json:"seen_at"`     // when it was read; null: never
	AgeSeconds float64 `json:"age_seconds"` // since then
	Epoch      uint64  `json:"epoch"`       // of the source
	Seq        uint64  `json:"seq"`
	Detail     string  `json:"detail"` // in words
}

// Decision is one conclusion a decky came to. Equal ones in a row are counted, not repeated.
type Decision struct {
	At     Moment `json:"at"`
	Reason string `json:"reason"`
	State  string `json:"state"`            // the aggregate; "" if unknown
	Action string `json:"action,omitempty"` // insert, update, delete; "" nothing
	Held   *Held  `json:"held,omitempty"`
	Cause  string `json:"cause,omitempty"` // the last fact that changed
	Times  int64  `json:"times"`
	// Changed names which of reason, state, action, held and cause are not as in the decision before; none of the oldest kept.
	Changed []string `json:"changed,omitempty"`
}

// Since says in what a decision differs from the one before it.
func (d Decision) Since(before Decision) (changed []string) {
	for _, x := range [][3]string{{"reason", d.Reason, before.Reason}, {"state", d.State, before.State}, {"action", d.Action, before.Action},
		{"held", d.Held.Text(), before.Held.Text()}, {"cause", d.Cause, before.Cause}} {
		if x[1] != x[2] {
			changed = append(changed, x[0])
		}
	}
	return changed
}

// Inspection says why a decky is as it is.
type Inspection struct {
	Decky     DeckyStatus   `json:"decky"`
	Facts     []FactSeen    `json:"facts"`
	Decisions []Decision    `json:"decisions"` // newest first
	Timeline  []Event       `json:"timeline"`  // its transitions, newest first
	Actor     ActorStatus   `json:"actor"`
	Crashes   []CrashRecord `json:"crashes"`
	// Messages are the last its actor handled, newest first: types and times.
	Messages []HandledMessage `json:"messages"`
	Paused   *Pause           `json:"paused,omitempty"`
	StaleFor float64          `json:"stale_seconds,omitempty"` // the actor is stuck: what is shown is that old
}

// Pause says that the rows of a decky, or of the whole host, are not written until somebody resumes them.
type Pause struct {
	Target string `json:"target"` // a decky; "*": the whole host
	By     string `json:"by"`
	Reason string `json:"reason"`
	Since  Moment `json:"since"`
}

// ActionResult says what became of a control verb for one target.
type ActionResult struct {
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
	Result string `json:"result"` // done, would be done, refused, not found, timed out
	Detail string `json:"detail,omitempty"`
}

// AuditEntry is one control verb that somebody asked for, carried out or refused.
type AuditEntry struct {
	Seq    int64  `json:"seq"`
	Time   Moment `json:"time"`
	UID    int64  `json:"uid"` // -1: not known
	User   string `json:"user,omitempty"`
	Role   string `json:"role"`           // admin, operator, read-only, bus
	Via    string `json:"via"`            // cli, web, tui, api, bus, signal, swarm
	Node   string `json:"node,omitempty"` // where the user sits, if not here
	Verb   string `json:"verb"`
	Target string `json:"target"`
	Reason string `json:"reason,omitempty"`
	Result string `json:"result"`
}
