package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrInUse is wrapped by the error of a server whose path belongs to a bus that is alive.
var ErrInUse = errors.New("bus socket is in use")

// socketMode lets owner and group talk to the bus. Source: DECNET's bus.
const socketMode = 0o660

// askTimeout bounds the question whether somebody answers at a path. Chosen: a live server's kernel answers at once.
const askTimeout = 2 * time.Second

// listen binds the socket at path. A socket at which nobody answers is replaced; one at which somebody does, and
// anything that is no socket, is left alone. The new socket has its mode and group before it can be seen, and it
// replaces a stale one in one step. Servers that start at the same time take turns by a lock on the directory.
func listen(ctx context.Context, path, group string) (*net.UnixListener, error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open the directory of bus socket %q: %w", path, err)
	}
	defer func() { _ = dir.Close() }() // it only held the lock
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the directory of bus socket %q: %w", path, err)
	}
	if err := vacant(ctx, path); err != nil {
		return nil, err
	}
	bound := filepath.Join(dir.Name(), ".bus-"+strconv.Itoa(os.Getpid()))
	_ = os.Remove(bound) // a leftover of a process that had our number; if it cannot go, the bind says so
	l, err := new(net.ListenConfig).Listen(ctx, "unix", bound)
	if err != nil {
		return nil, fmt.Errorf("bind bus socket %q: %w", path, err)
	}
	sock, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("bind bus socket %q: got a %T", path, l), l.Close())
	}
	sock.SetUnlinkOnClose(false)
	if err := place(bound, path, group); err != nil {
		return nil, errors.Join(err, sock.Close(), os.Remove(bound))
	}
	return sock, nil
}

// place gives the socket its mode and group and moves it to its path.
func place(bound, path, group string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("bus socket %q: the path is longer than the %d bytes a client can dial", path, maxSocketPath)
	}
	if err := os.Chmod(bound, socketMode); err != nil {
		return fmt.Errorf("set the mode of bus socket %q: %w", path, err)
	}
	if gid, ok := groupID(group); ok {
		if err := os.Chown(bound, -1, gid); err != nil {
			return fmt.Errorf("give bus socket %q to group %q: %w", path, group, err)
		}
	}
	if err := os.Rename(bound, path); err != nil {
		return fmt.Errorf("place bus socket %q: %w", path, err)
	}
	return nil
}

// maxSocketPath is what fits into sockaddr_un besides the closing zero. Source: unix(7).
const maxSocketPath = 107

// groupID looks up a group; one that does not exist is passed over, as DECNET's bus does.
func groupID(name string) (int, bool) {
	if name == "" {
		return 0, false
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	gid, err := strconv.Atoi(g.Gid)
	return gid, err == nil
}

// vacant says whether a server may bind path: nothing is there, or a socket that refuses connections. A server that is
// stopped or overloaded does not refuse, and a path we may not dial is somebody's too.
func vacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at bus socket %q: %w", path, err)
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("bus socket %q: something that is not a socket stands there; remove it or choose another path", path)
	}
	d := net.Dialer{Timeout: askTimeout}
	c, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		return errors.Join(fmt.Errorf("%w: a bus answers at %q; stop it first, or choose another path", ErrInUse, path), c.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%w: cannot tell whether a bus answers at %q: %w", ErrInUse, path, err)
}
