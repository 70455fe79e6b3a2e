package config

import (
	"errors"
	"io/fs"
)

// Input is the world as Load sees it. The functions are required; Load calls them from its own goroutine only.
type Input struct {
	Flags     map[string]string           // the flags that were given, by name without dashes
	LookupEnv func(string) (string, bool) // os.LookupEnv
	// ReadFile returns at most MaxFile+1 bytes of a regular file. Its errors may wrap fs.ErrNotExist and
	// fs.ErrPermission.
	ReadFile func(path string) ([]byte, error)
	// Probe finds the directory in which the DECNET installed in a directory keeps its state file and its database.
	Probe    func(installDir string) (string, error)
	Exists   func(path string) bool
	Writable func(dir string) bool // the directory is there and this process may create files in it
	WorkDir  string                // relative paths start here
	Home     string                // "" where the user has none
	Root     bool                  // the process may write anywhere
	Terminal bool                  // the log goes to a person
	Journal  bool                  // the log goes to systemd's journal
	// BusSocket is where a bus is found at this moment when nobody names a socket.
	BusSocket string
	// AgentDir finds the directory of a worker's certificates where nobody names it; nil finds none. MasterDir is that of
	// the master's.
	AgentDir  func() string
	MasterDir string
	// Client: the verb only talks to a daemon, so its socket need not be in a writable directory.
	Client bool
}

// MaxFile bounds each file that is read, in bytes. Chosen: DECNET's own are a few KiB.
const MaxFile = 1 << 20

// DefaultFile is DECNET's configuration; the variable DECNET_CONFIG names another.
const DefaultFile = "/etc/decnet/decnet.ini"

// layer is a kind of place settings come from; a smaller one counts more.
type layer uint8

const (
	layerFlag layer = iota
	layerOwn
	layerCredential
	layerShared
	layerINI
	layerDotenv
)

// candidate is what one place says about a setting.
type candidate struct {
	value  string
	source string
	layer  layer
}

// errTooLarge is the fault of a file that no reader would accept.
var errTooLarge = errors.New("config: larger than 1 MiB")

// env is a variable that has a value. An empty one counts as unset: that is how a unit file takes one back.
func (in Input) env(name string) (string, bool) {
	v, ok := in.LookupEnv(name)
	return v, ok && v != ""
}

func (in Input) read(path string) ([]byte, error) {
	raw, err := in.ReadFile(path)
	if err == nil && len(raw) > MaxFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errTooLarge}
	}
	return raw, err
}
