package config

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Where a daemon that runs as a system service keeps its things. Source: the unit's StateDirectory, RuntimeDirectory.
const (
	systemStateDir = "/var/lib/decnet-fleetd"
	systemRunDir   = "/run/decnet-fleetd"
)

// inInstall finds a file of DECNET's. DECNET keeps it beside its own package: in the install directory when that is
// where it runs from, else among the packages of its virtual environment.
func (l *loader) inInstall(name string) string {
	dir := l.set.InstallDir
	here := filepath.Join(dir, name)
	if l.in.Exists(here) || l.in.Exists(filepath.Join(dir, "decnet")) {
		return here
	}
	for _, wanted := range []string{name, "decnet"} {
		found := l.in.Glob(globQuote(dir) + "/venv/lib/python3.*/site-packages/" + wanted)
		if len(found) > 0 {
			return filepath.Join(filepath.Dir(slices.MaxFunc(found, byPython)), name)
		}
	}
	return here
}

// byPython puts python3.9 before python3.11.
func byPython(a, b string) int {
	if d := minor(a) - minor(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

func minor(path string) int {
	_, after, _ := strings.Cut(path, "/python3.")
	digits, _, _ := strings.Cut(after, "/")
	n, err := strconv.Atoi(digits)
	if err != nil {
		return -1 // python3.13t and the like: only if there is nothing plain
	}
	return n
}

// globQuote keeps a directory's own name from being a pattern.
func globQuote(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
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
