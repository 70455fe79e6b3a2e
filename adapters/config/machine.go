package config

import "path/filepath"

// Where a daemon that runs as a system service keeps its things. Source: the unit's StateDirectory, RuntimeDirectory.
const (
	systemStateDir = "/var/lib/decnet-fleetd"
	systemRunDir   = "/run/decnet-fleetd"
)

// inInstall is the path of a file of DECNET's. That nobody can tell where DECNET keeps it is a fault only where it is
// needed.
func (l *loader) inInstall(s spec, name string) string {
	root, err := l.in.Probe(l.set.InstallDir)
	if err == nil {
		return filepath.Join(root, name)
	}
	if !l.in.Client && len(l.candidates(s)) == 0 {
		l.fault(s.key, err.Error(), "name it with --"+s.key)
	}
	return filepath.Join(l.set.InstallDir, name)
}

func (l *loader) stateDir() string {
	if l.in.Root || l.in.Writable(systemStateDir) {
		return systemStateDir
	}
	if base, ok := l.in.env("XDG_STATE_HOME"); ok && filepath.IsAbs(base) {
		return filepath.Join(base, "decnet-fleetd")
	}
	if l.in.Home == "" {
		return systemStateDir // it fails there, with a message that names the directory
	}
	return filepath.Join(l.in.Home, ".local", "state", "decnet-fleetd")
}

// controlSocket is in the unit's run directory where that can be used, else beside the state. A client may be no more
// than a member of the socket's group.
func (l *loader) controlSocket() string {
	const name = "control.sock"
	socket := filepath.Join(systemRunDir, name)
	if l.in.Root || l.in.Writable(systemRunDir) || l.in.Client && l.in.Exists(socket) {
		return socket
	}
	return filepath.Join(l.set.StateDir, name)
}
