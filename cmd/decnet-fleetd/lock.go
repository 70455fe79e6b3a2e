package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errLocked: another process holds the state directory.
var errLocked = errors.New("state directory is in use")

// dirLock is the flock on a state directory: one daemon a directory. It ends with the process, however that ends.
type dirLock struct{ f *os.File }

// lockDir makes the state directory if need be and takes its lock. errLocked names the process that has it.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, unwritable(dir, err)
	}
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, unwritable(dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		holder := holderOf(f)
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s is held by process %s", errLocked, path, holder)
		}
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // only for people: the lock is the flock
	}
	return &dirLock{f: f}, nil
}

func unwritable(dir string, err error) error {
	return configFault(fmt.Errorf("state directory %q cannot be used: %w (make it writable for this user, or name another with --state-dir)", dir, err))
}

func holderOf(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if s := strings.TrimSpace(string(b[:n])); s != "" {
		return s
	}
	return "(unknown)"
}

// lockRetry is how often a standby on the same directory tries again. Chosen: a takeover within a second.
const lockRetry = 500 * time.Millisecond

// waitLock waits until the lock is free; said is called once if it is not at first, waiting at every look.
func waitLock(ctx context.Context, dir string, said func(error), waiting func()) (*dirLock, error) {
	l, err := lockDir(dir)
	for first := true; errors.Is(err, errLocked); l, err = lockDir(dir) {
		if first {
			said(err)
			first = false
		}
		waiting()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockRetry):
		}
	}
	return l, err
}

func (l *dirLock) release() { _ = l.f.Close() }
