package statedir

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxPauses bounds the file. Chosen: as many deckies as a state file may have, at some 200 bytes each.
const maxPauses = 16 << 20

// Pauses keeps what operators have paused, over restarts. Safe from any goroutine.
type Pauses struct {
	path string

	mu  sync.Mutex
	now []messages.Pause // by target
}

type pauseFile struct {
	API    string           `json:"api"`
	Pauses []messages.Pause `json:"pauses"`
}

// OpenPauses reads the list. Where it is there and cannot be read nobody knows what was paused: then the host is, until
// somebody resumes it, and the error says why.
func OpenPauses(dir string, now messages.Moment) (*Pauses, error) {
	p := &Pauses{path: filepath.Join(dir, "pauses.json")}
	all, err := readPauses(p.path)
	if err != nil {
		all = []messages.Pause{{Target: messages.PauseHost, By: "decnet-fleetd", Since: now,
			Reason: "what was paused cannot be read: " + err.Error()}}
	}
	p.now = all
	return p, err
}

func readPauses(path string) ([]messages.Pause, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	raw, err := io.ReadAll(io.LimitReader(f, maxPauses+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxPauses {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxPauses>>20)
	}
	var all pauseFile
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if d.More() || all.API != "v1" {
		return nil, fmt.Errorf("%s is no list of pauses of version v1", path)
	}
	for _, p := range all.Pauses {
		if p.Target == "" {
			return nil, fmt.Errorf("%s: a pause has no target", path)
		}
	}
	return all.Pauses, nil
}

// Path is that of the file.
func (p *Pauses) Path() string { return p.path }

// List gives what is paused, by target.
func (p *Pauses) List() []messages.Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.now)
}

// Change pauses and resumes: it is on disk when it returns without an error, and nothing has changed when it returns
// with one. A target that is paused already keeps its pause.
func (p *Pauses) Change(pause []messages.Pause, resume []string) ([]messages.Pause, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	by := map[string]messages.Pause{}
	for _, x := range p.now {
		by[x.Target] = x
	}
	for _, name := range resume {
		delete(by, name)
	}
	for _, x := range pause {
		if _, already := by[x.Target]; !already {
			by[x.Target] = x
		}
	}
	next := make([]messages.Pause, 0, len(by))
	for _, x := range by {
		next = append(next, x)
	}
	slices.SortFunc(next, func(a, b messages.Pause) int { return cmp.Compare(a.Target, b.Target) })
	if err := p.write(next); err != nil {
		return nil, fmt.Errorf("keep what is paused: %w", err)
	}
	p.now = next
	return slices.Clone(next), nil
}

// write replaces the file as a whole: a crash leaves the old one or the new one.
func (p *Pauses) write(all []messages.Pause) error {
	raw, err := json.MarshalIndent(pauseFile{API: "v1", Pauses: all}, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Dir(p.path)
	f, err := os.CreateTemp(dir, "pauses-*.tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // once it is renamed there is nothing to remove
	_, err = f.Write(append(raw, '\n'))
	err = errors.Join(err, f.Chmod(fileMode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), p.path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
