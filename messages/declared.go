package messages

import "time"

// Declared is one valid entry of the state file.
type Declared struct {
	Name     string
	HostUUID string   // as in the file; "" for null and ""
	IP       string   //
	Services []string // as in the file: in its order, duplicates kept, never empty
	// ServicesJSON and ConfigJSON are the columns services and decky_config byte for byte as DECNET would write them.
	ServicesJSON string
	ConfigJSON   string
	// Digest identifies the meaning of ConfigJSON: equal digests mean no drift (defaults filled in, 1 = 1.0,
	// last_mutated and last_login_attempt left out). Recorded.Digest is made by the same function.
	Digest      string
	LastMutated float64  // seconds since the epoch
	UnknownKeys []string // keys DECNET would reject; they are not written
}

// Rejected is an entry of the state file that cannot be used. Its name, where it has one, is declared unknown.
type Rejected struct {
	Index int    // position in config.deckies, from 0
	Name  string // "" where it could not be read: then no DELETE may follow from this reading
	Fault Fault
}

// FileStatus says what a look at the state file found.
type FileStatus uint8

// The zero FileStatus never occurs in a reading.
const (
	FileValid       FileStatus = iota + 1 // Entries and Rejected hold
	FileMissing                           // the directory is there and readable, the file is not: nothing is declared
	FileInvalid                           // Fault says why; the last good reading stays in force
	FileUnreachable                       // neither can be told (directory gone or unreadable): unknown
)

// String gives the word used in logs and JSON.
func (s FileStatus) String() string {
	switch s {
	case FileValid:
		return "valid"
	case FileMissing:
		return "missing"
	case FileInvalid:
		return "invalid"
	case FileUnreachable:
		return "unreachable"
	}
	return "never read"
}

// DeclaredRead is one look at the state file.
type DeclaredRead struct {
	Status   FileStatus
	Fault    Fault      // for FileInvalid and FileUnreachable
	Entries  []Declared // in file order; twins are in Rejected, none of them in here
	Rejected []Rejected
	Warnings []Fault   // wrong mode, interface, subnet, compose_path, unknown keys: the doctor shows them
	ReadAt   time.Time // when the look began
}

func (DeclaredRead) reading() {}

// DeclaredChanged is what a source of declarations tells the fleet: the entries that differ from what it told before.
type DeclaredChanged struct {
	Stamp    Stamp
	Full     bool // Entries is everything there is, not a difference
	Status   FileStatus
	Fault    Fault
	Entries  []Declared // new or changed, in file order
	Gone     []string   // names no longer in the file
	Rejected []Rejected // all rejected entries of this reading
	Warnings []Fault
	ReadAt   time.Time
}

// DeclaredObserved is what a decky hears about its own entry.
type DeclaredObserved struct {
	Presence Presence
	Entry    Declared // for Present
	// Other is the entry with the services that DECNET's row `deployment` has instead, where they differ: at most one.
	Other  []Declared
	ReadAt time.Time
}
