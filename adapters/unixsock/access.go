package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
)

// openDir opens the path's directory, and makes it where that is asked for and its parent is there.
func (s Spec) openDir() (*os.File, error) {
	path := filepath.Dir(s.Path)
	dir, err := os.Open(path)
	if s.DirMode == 0 || !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.Mkdir(path, s.DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := s.give(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// give changes the group where that exists: on a host without it, the owner alone talks to the server, as DECNET's bus
// has it.
func (s Spec) give(path string) error {
	if s.Group == "" {
		return nil
	}
	g, err := user.LookupGroup(s.Group)
	if err != nil {
		return nil //nolint:nilerr // said above
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("group %q has id %q: %w", s.Group, g.Gid, err)
	}
	err = os.Chown(path, -1, gid)
	if err == nil || s.GroupOptional && errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return fmt.Errorf("give it to group %q: %w", s.Group, err)
}
