package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrInUse is wrapped by the error of a server whose path belongs to a daemon that is alive.
var ErrInUse = errors.New("control socket is in use")

const (
	// socketMode lets owner and group talk to the daemon. Source: the documented mode of the control socket.
	socketMode = 0o660
	// dirMode lets the group reach the socket. Source: the unit's RuntimeDirectoryMode.
	dirMode = 0o750
	// askTimeout bounds the question whether somebody answers at a path. Chosen: a live daemon's kernel answers at once.
	askTimeout = 2 * time.Second
)

// listen binds the socket at path. A socket at which nobody answers is replaced; one at which somebody does, and
// anything that is no socket, is left alone. The new socket has its mode and group before it can be seen, and it
// replaces a stale one in one step. Daemons that start at the same time take turns by a lock on the directory.
func listen(ctx context.Context, path, group string) (*net.UnixListener, error) {
	dir, err := openDir(filepath.Dir(path), group)
	if err != nil {
		return nil, fmt.Errorf("control socket %q: %w", path, err)
	}
	defer func() { _ = dir.Close() }() // it was only locked
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("control socket %q: lock its directory: %w", path, err)
	}
	if err := vacant(ctx, path); err != nil {
		return nil, err
	}
	// A name no longer than most: the path of a socket has 107 bytes.
	bound := filepath.Join(dir.Name(), ".c"+strconv.Itoa(os.Getpid()))
	_ = os.Remove(bound) // a leftover of a process that had our number; if it cannot go, the bind says so
	l, err := new(net.ListenConfig).Listen(ctx, "unix", bound)
	if err != nil {
		return nil, fmt.Errorf("control socket %q: %w", path, err)
	}
	sock, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("control socket %q: got a %T", path, l), l.Close())
	}
	sock.SetUnlinkOnClose(false)
	if err := place(bound, path, group); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket %q: %w", path, err), sock.Close(), os.Remove(bound))
	}
	return sock, nil
}

// openDir opens the socket's directory, and makes it if its parent is there.
func openDir(path, group string) (*os.File, error) {
	dir, err := os.Open(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := giveTo(path, group); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// place gives the socket its mode and group and moves it to its path.
func place(bound, path, group string) error {
	if err := os.Chmod(bound, socketMode); err != nil {
		return err
	}
	if err := giveTo(bound, group); err != nil {
		return err
	}
	return os.Rename(bound, path)
}

// giveTo changes the group where it exists and we may: a user's own daemon need not be a member.
func giveTo(path, group string) error {
	if group == "" {
		return nil
	}
	g, err := user.LookupGroup(group)
	if err != nil {
		return nil //nolint:nilerr // a host without the group is one where only the owner talks to the daemon
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		return fmt.Errorf("group %q has id %q: %w", group, g.Gid, err)
	}
	if err := os.Chown(path, -1, gid); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// vacant says whether a daemon may bind path: nothing is there, or a socket that refuses connections. A daemon that is
// stopped or overloaded does not refuse, and a path we may not dial is somebody's too.
func vacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at control socket: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("control socket %q: something that is not a socket stands there; remove it or choose another path "+
			"with --control-socket", path)
	}
	d := net.Dialer{Timeout: askTimeout}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: a daemon answers at %q; stop it, or choose another path with --control-socket",
			ErrInUse, path), c.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%w: cannot tell whether a daemon answers at %q: %w", ErrInUse, path, err)
}

// identity tells one binding of a path from the next.
type identity struct{ dev, ino uint64 }

func identify(path string) identity {
	var st syscall.Stat_t
	if syscall.Lstat(path, &st) != nil {
		return identity{}
	}
	return identity{st.Dev, st.Ino}
}
