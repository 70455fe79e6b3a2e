package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/decnet/decnet-fleetd/adapters/agentdir"
	"github.com/decnet/decnet-fleetd/adapters/bus"
	"github.com/decnet/decnet-fleetd/adapters/config"
	"github.com/decnet/decnet-fleetd/adapters/journal"
	"github.com/decnet/decnet-fleetd/adapters/statefile"
)

// settingFlag is a flag that is handed to the configuration as it was given: that knows what is allowed.
type settingFlag struct {
	name, short, kind, usage string
	client                   bool // verbs that only talk to a daemon show it too
}

var settingFlags = []settingFlag{
	{name: "install-dir", kind: "dir", usage: "where DECNET is installed (default /opt/decnet) [FLEETD_INSTALL_DIR]"},
	{name: "state-file", kind: "file", usage: "decnet-state.json (default: in the install directory) [FLEETD_STATE_FILE]"},
	{name: "database", kind: "url", usage: "sqlite:///abs/path.db, postgres://… or mysql://… (default: what DECNET uses) [FLEETD_DATABASE_URL]"},
	{name: "create-schema", kind: "bool", usage: "make table fleet_deckies, in a database of our own only [FLEETD_CREATE_SCHEMA]"},
	{name: "docker-host", kind: "url", usage: "the Docker engine (default unix:///var/run/docker.sock) [DOCKER_HOST]"},
	{name: "bus", kind: "mode", usage: "unix: DECNET's bus, embedded: our own, off (default unix) [FLEETD_BUS]"},
	{name: "bus-socket", kind: "path", usage: "the bus's socket (default: where DECNET has it) [DECNET_BUS_SOCKET]"},
	{name: "host-uuid", kind: "id", usage: "the host whose rows are ours (default local) [FLEETD_HOST_UUID]"},
	{name: "state-dir", kind: "dir", usage: "our own files (default /var/lib/decnet-fleetd, or in the user's home) [FLEETD_STATE_DIR]", client: true},
	{name: "control-socket", kind: "path", usage: "the daemon's socket (default /run/decnet-fleetd/control.sock, or in the state directory) [FLEETD_CONTROL_SOCKET]", client: true},
	{name: "role", kind: "solo|worker|hub", usage: "this host alone, a worker of a swarm, or its hub on the master (default solo) [FLEETD_ROLE]"},
	{name: "hub", kind: "url", usage: "a worker's hub, tls://host:port (default: [agent] master-host of decnet.ini, port 8771) [FLEETD_HUB]"},
	{name: "hub-fingerprint", kind: "hex", usage: "SHA-256 of the hub's certificate, instead of its name decnet-master [FLEETD_HUB_FINGERPRINT]"},
	{name: "swarm-listen", kind: "host:port", usage: "where a hub listens for its workers (default 0.0.0.0:8771) [FLEETD_SWARM_LISTEN]"},
	{name: "agent-dir", kind: "dir", usage: "a worker's certificates (default: where DECNET's agent has them) [DECNET_AGENT_DIR]"},
	{name: "agent-unit", kind: "file", usage: "the unit of DECNET's agent: when it and the agent's directory vanish, so does a worker's state [FLEETD_AGENT_UNIT]"},
	{name: "master-dir", kind: "dir", usage: "a hub's certificate (default: ~/.decnet/ca/master of DECNET's user) [FLEETD_MASTER_DIR]"},
	{name: "interval", short: "i", kind: "duration", usage: "time between two full audits (default 30s) [FLEETD_INTERVAL]"},
	{name: "no-wait", kind: "bool", usage: "end, with 0, where another daemon owns the state directory [FLEETD_NO_WAIT]"},
	{name: "takeover", kind: "bool", usage: "stop every other reconciler that is heard on the bus, another decnet-fleetd too [FLEETD_TAKEOVER]"},
	{name: "bus-stop", kind: "obey|ignore", usage: "what to do when DECNET's panel says stop (default obey) [FLEETD_BUS_STOP]"},
	{name: "bus-replay", kind: "duration", usage: "send the last moments again after a reconnect (default off) [FLEETD_BUS_REPLAY]"},
	{name: "admins", kind: "users", usage: "who else is an admin of the console (default: root and our own user) [FLEETD_ADMINS]"},
	{name: "console-listen", kind: "address", usage: "let other hosts use the console here, by client certificate (default: only the socket) [FLEETD_CONSOLE_LISTEN]"},
	{name: "console-cert", kind: "file", usage: "PEM: the certificate of --console-listen, with its chain [FLEETD_CONSOLE_CERT]"},
	{name: "console-key", kind: "file", usage: "PEM: the key of that certificate [FLEETD_CONSOLE_KEY]"},
	{name: "console-client-ca", kind: "file", usage: "PEM: the authorities that sign clients' certificates [FLEETD_CONSOLE_CLIENT_CA]"},
	{name: "log-level", kind: "level", usage: "trace, debug, info, warn or error (default info) [FLEETD_LOG_LEVEL]"},
	{name: "log-format", kind: "format", usage: "json, console, rfc5424 or journal (default journal under systemd, console on a terminal, else json) [FLEETD_LOG_FORMAT]"},
}

// rawFlag keeps a flag's text.
type rawFlag struct {
	into map[string]string
	name string
	kind string
}

// String gives nothing: the default is the configuration's to say.
func (r rawFlag) String() string { return "" }

// Set keeps the text.
func (r rawFlag) Set(text string) error { r.into[r.name] = text; return nil }

// Type is the word for the value in the help.
func (r rawFlag) Type() string { return r.kind }

// addSettings registers the settings' flags.
func (a *app) addSettings(flags *pflag.FlagSet) {
	for _, s := range settingFlags {
		f := flags.VarPF(rawFlag{a.given, s.name, s.kind}, s.name, s.short, s.usage)
		if s.kind == "bool" {
			f.NoOptDefVal = "true"
		}
	}
}

// settings finds out what this process is told to do. client: the verb only talks to a daemon.
func (a *app) settings(client bool) (config.Settings, []config.Origin, error) {
	s, origins, err := config.Load(a.machine(client))
	if err == nil && !client {
		for _, w := range s.Warnings {
			a.warn(w)
		}
	}
	return s, origins, err
}

// machine is this machine as the configuration sees it.
func (a *app) machine(client bool) config.Input {
	dir, err := os.Getwd()
	if err != nil {
		dir = "/" // it was removed: relative paths lead nowhere in any case
	}
	return config.Input{
		Flags: a.given, LookupEnv: os.LookupEnv, ReadFile: readFile, Probe: probe, Exists: exists, Writable: writable,
		WorkDir: dir, Home: homeDir(), Root: os.Geteuid() == 0, Terminal: a.errTTY, Journal: journal.IsStderr(), Client: client,
		BusSocket: busLocator("").Socket(), AgentDir: func() string { return agentdir.Worker("", homeDir()) }, MasterDir: agentdir.Master(masterHome()),
	}
}

// homeDir is "" where the user has none.
func homeDir() string {
	home, err := os.UserHomeDir()
	if err != nil {
		return ""
	}
	return home
}

// masterHome is the home of the user that DECNET's master runs as: ours, unless that one has no certificates there.
func masterHome() string {
	home := homeDir()
	if exists(agentdir.Master(home)) {
		return home
	}
	if u, err := user.Lookup(readerGroup); err == nil && exists(agentdir.Master(u.HomeDir)) {
		return u.HomeDir
	}
	return home
}

// busLocator finds the bus; explicit is the path somebody named, "" if nobody did.
func busLocator(explicit string) bus.Locator { return bus.Locator{Explicit: explicit, Home: homeDir()} }

// readFile reads a regular file: a FIFO would make us wait for a writer.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", path)
	}
	return io.ReadAll(io.LimitReader(f, config.MaxFile+1))
}

// probe asks where DECNET keeps its files. An install directory that is not there, or not yet, is where they will be.
func probe(installDir string) (string, error) {
	path, err := statefile.Probe(installDir)
	switch {
	case err == nil:
		return filepath.Dir(path), nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, os.ErrPermission):
		return installDir, nil
	}
	return "", err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func writable(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && unix.Access(dir, unix.W_OK|unix.X_OK) == nil
}
