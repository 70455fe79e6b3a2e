package config

import "time"

// BusMode says which bus transitions go to.
type BusMode string

// The three modes of the bus.
const (
	BusUnix     BusMode = "unix"     // DECNET's bus, or any at the socket
	BusEmbedded BusMode = "embedded" // the daemon itself serves the socket
	BusOff      BusMode = "off"      // nothing is published or queued
)

// Settings is everything an operator can choose, checked. Paths are absolute.
type Settings struct {
	// Shadow: observe and decide, but write and publish nothing. It is no setting: the verb serve says so.
	Shadow bool

	Role           Role
	Hub            string // of a worker: tls://host:port; "" in other roles
	HubFingerprint string // pins the hub's certificate: 64 hex digits; "": by its name
	SwarmListen    string // of a hub: host:port; "" in other roles
	AgentDir       string // where DECNET put a worker's certificates
	AgentUnit      string // the unit of DECNET's agent: it and AgentDir vanish when DECNET destroys itself
	MasterDir      string // where DECNET put the master's own certificate

	InstallDir    string
	StateFile     string
	Database      string // URL, with its password
	CreateSchema  bool
	DockerHost    string // unix:///path, tcp://host:port, http:// or https://
	Bus           BusMode
	BusSocket     string // "" with BusUnix: nobody named one; it is looked up whenever it is needed
	HostUUID      string
	StateDir      string
	ControlSocket string
	Interval      time.Duration // between two full audits; 1 s to 1 h
	LogLevel      string        // trace, debug, info, warn, error
	LogFormat     string        // json, console, rfc5424, journal
	NoWait        bool          // a second daemon exits instead of standing by
	Takeover      bool          // retire another reconciler that is heard on the bus
	IgnoreBusStop bool          // --bus-stop=ignore
	BusReplay     time.Duration // what is sent again after a reconnect; 0 is off; at most 1 min
	Admins        string        // users, by name or id, who are admins of the console, separated by commas or spaces; "" is root and our own user alone
	ConsoleListen string        // host:port where other hosts reach the console by client certificate; "" is nowhere
	ConsoleCert   string        // PEM file; with ConsoleListen this and the next two are set
	ConsoleKey    string        // PEM file
	ConsoleCA     string        // PEM file: who signs the clients' certificates
	SystemLog     string        // file that gets the log as well, from DECNET_SYSTEM_LOGS; "" is none
	// Warnings are faults that do not keep anything from working; doctor shows them.
	Warnings []string
	// Origins says where each setting came from.
	Origins []Origin
}

// Origin says where one setting came from.
type Origin struct {
	Key       string   `json:"key"`   // the flag's name without dashes
	Value     string   `json:"value"` // as in force, passwords masked
	Source    string   `json:"source"`
	Overrides []string `json:"overrides"` // "source: value" of every place that said something and lost, best first
}

// Invalid is the error of a configuration that cannot be used: every fault of it. The process exits 78.
type Invalid struct{ Faults []Fault }
