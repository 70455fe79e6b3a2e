// Package agentdir finds the certificates that DECNET put on a host: those of an enrolled worker's agent, and those of
// the master. It reads nothing in them and writes nothing; what they mean is the fabric's business.
//
// It also knows whether DECNET has destroyed itself here: its agent removes its directory and its units and cannot remove
// what it does not know.
package agentdir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Files are a certificate, its key and the authority, all PEM.
type Files struct {
	CA   string
	Cert string
	Key  string
}

// The names that DECNET's enrolment gives them, the master's own included.
const (
	caName   = "ca.crt"
	certName = "worker.crt"
	keyName  = "worker.key"
)

// Variable names the agent's directory for DECNET and for us.
const Variable = "DECNET_AGENT_DIR"

// systemDir is where an enrolled host has it.
const systemDir = "/etc/decnet/agent"

// Worker is the directory of the agent's certificates, by DECNET's own rule: named is the value of DECNET_AGENT_DIR; else
// /etc/decnet/agent if it is there, else .decnet/agent under home.
func Worker(named, home string) string { return worker(named, systemDir, home) }

func worker(named, system, home string) string {
	if named != "" {
		return named
	}
	if info, err := os.Stat(system); err == nil && info.IsDir() {
		return system
	}
	return filepath.Join(home, ".decnet", "agent")
}

// Master is the directory of the master's own certificate under the home of the user that DECNET's master runs as.
func Master(home string) string { return filepath.Join(home, ".decnet", "ca", "master") }

// In names the files in a directory. A master's may lack the authority's copy: then the one above it is meant.
func In(dir string) Files {
	f := Files{CA: filepath.Join(dir, caName), Cert: filepath.Join(dir, certName), Key: filepath.Join(dir, keyName)}
	if above := filepath.Join(filepath.Dir(dir), caName); gone(f.CA) && !gone(above) {
		f.CA = above
	}
	return f
}

// Vanished says whether nothing is left at any of the paths. A path that cannot be looked at is not gone, and without a
// path nothing is: on its answer a host wipes what it knows.
func Vanished(paths ...string) bool {
	for _, p := range paths {
		if !gone(p) {
			return false
		}
	}
	return len(paths) > 0
}

func gone(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
