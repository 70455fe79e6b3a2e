package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FileName is how DECNET calls its state file; no setting of DECNET changes it.
const FileName = "decnet-state.json"

// Probe finds out where the DECNET that is installed in installDir (usually /opt/decnet) keeps its state file. DECNET
// puts it beside its package: an editable installation in installDir itself, any other (an enrolled worker) in
// the site-packages of installDir/venv. A file that is there decides; where there is none yet, the package does, and
// without one the path is that of an editable installation. The error says that installDir cannot be read or that
// several places are equally likely; then the path must be configured.
func Probe(installDir string) (string, error) {
	dir, err := filepath.Abs(installDir)
	if err != nil {
		return "", fmt.Errorf("find the state file of %q: %w", installDir, err)
	}
	if _, err := os.ReadDir(dir); err != nil {
		return "", fmt.Errorf("find the state file: %w; configure its path", err)
	}
	editable := filepath.Join(dir, FileName)
	if there(editable) {
		return editable, nil
	}
	sites, err := sitePackages(dir)
	if err != nil {
		return "", err
	}
	for _, mark := range []string{FileName, "decnet"} {
		var found []string
		for _, site := range sites {
			if there(filepath.Join(site, mark)) {
				found = append(found, filepath.Join(site, FileName))
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return "", fmt.Errorf("find the state file of %q: it could be any of %s; configure its path", installDir, strings.Join(found, ", "))
		}
	}
	return editable, nil
}

// there is true for anything of that name, also a link to nowhere: what is wrong with it is the reader's to say.
func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// sitePackages gives the site-packages of every Python 3 of the virtual environment.
func sitePackages(dir string) ([]string, error) {
	lib := filepath.Join(dir, "venv", "lib")
	pythons, err := os.ReadDir(lib)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the state file: %w; configure its path", err)
	}
	var sites []string
	for _, p := range pythons {
		if strings.HasPrefix(p.Name(), "python3.") {
			sites = append(sites, filepath.Join(lib, p.Name(), "site-packages"))
		}
	}
	return sites, nil
}
