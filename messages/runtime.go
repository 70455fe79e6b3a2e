package messages

import "time"

// Container is one container as the engine lists it. Labels and names come from whoever can create containers:
// hostile.
type Container struct {
	ID      string
	Name    string // without the leading slash
	State   string // created running paused restarting removing exited dead
	Health  string // healthy, unhealthy, starting or ""; shown, never judged
	Decky   string // label decnet.fleet.decky
	Service string // label decnet.fleet.service_name
	Project string // label com.docker.compose.project
	// Stranger: labelled decnet.topology.*, of a project decnet-topo-*, or a one-off compose run. Never ours.
	Stranger bool
}

// RuntimeRead is one answer of the engine to a list.
type RuntimeRead struct {
	Full       bool // the whole list; else an answer about the ids in Asked
	Asked      []string
	Containers []Container
	// EventAt is when the engine says the oldest event behind this reading happened; zero for a periodic list.
	EventAt time.Time
	// Cause names the event or look behind the reading: "die", "start", "relist".
	Cause  string
	ReadAt time.Time
	Took   time.Duration
}

func (RuntimeRead) reading() {}

// RuntimeHinted is what the event stream says before any list confirms it: only ever a reason to wait.
type RuntimeHinted struct {
	Destroyed []Container // containers removed since the last hint; State is empty
	Started   int         // containers started since the last hint
}

func (RuntimeHinted) reading() {}

// RuntimeChanged is what a source of observations tells the fleet.
type RuntimeChanged struct {
	Stamp   Stamp
	Full    bool // Changed is everything there is
	Changed []Container
	Gone    []string // ids
	EventAt time.Time
	Cause   string
	Drift   int  // changes a periodic list found that no event had announced
	Whole   bool // the reading behind it was the complete list: what it does not name is as it was
	ReadAt  time.Time
}

// ServiceSeen is a container as a decky sees it.
type ServiceSeen struct {
	ID      string `json:"id"`
	Service string `json:"service"` // with - for _, as in container names
	State   string `json:"state"`
	Health  string `json:"health,omitempty"`
}

// RuntimeObserved is what a decky hears about its own containers.
type RuntimeObserved struct {
	Known    bool // false: the engine is down, hung or lied; nothing is known
	Services []ServiceSeen
	Base     string // state of the base container, "" if not seen; shown, never judged
	// Refused names a container that could be this decky's or another's: the state is unknown while it is there.
	Refused string
	EventAt time.Time
	Cause   string
	ReadAt  time.Time // zero where nothing is known
}

// SourceDown tells the fleet that a source knows nothing at the moment.
type SourceDown struct {
	Source Source
	Stamp  Stamp
	Fault  Fault
}

// Sighting is a container attributed to a decky.
type Sighting struct {
	ServiceSeen
	Name      string // of the container
	Base      bool   // the decky's base container
	Ambiguous bool   // it can be another decky's as well
}
