package statefile

import (
	"sync"

	"golang.org/x/sys/unix"
)

// volume remembers on which device the directory was when the file was last there. An unmounted volume leaves an
// empty directory behind, in which the file is missing without having been removed. It outlives the readers of a
// Watcher and is safe for concurrent use.
type volume struct {
	mu    sync.Mutex
	known bool
	dev   uint64
}

// remember notes the device of dir: the file is there.
func (v *volume) remember(dir string) {
	id, err := identify(dir)
	if err != nil {
		return // it went away this instant; what was known still holds
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known, v.dev = true, id.dev
}

// same says whether dir is on the device that was remembered, or none was.
func (v *volume) same(dir string) bool {
	id, err := identify(dir)
	if err != nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.known || v.dev == id.dev
}

// fileID tells directories apart.
type fileID struct{ dev, ino uint64 }

// identify follows links: it is the directory itself that matters.
func identify(path string) (fileID, error) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return fileID{}, err
	}
	return fileID{uint64(st.Dev), st.Ino}, nil //nolint:unconvert // Dev is 32 bits wide on some systems
}

// signature is what a glance at a file's metadata shows. Two that are equal mean that nothing happened in between,
// but for changes within one tick of the file system's clock.
type signature struct {
	err          error
	id           fileID
	mode, uid    uint32
	size         int64
	mtime, ctime unix.Timespec
}

// glance never fails: an error is part of what is seen.
func glance(path string) signature {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return signature{err: err}
	}
	return signature{nil, fileID{uint64(st.Dev), st.Ino}, st.Mode, st.Uid, st.Size, st.Mtim, st.Ctim} //nolint:unconvert // as above
}
