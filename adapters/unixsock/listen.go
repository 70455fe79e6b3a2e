package unixsock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// ErrInUse is wrapped by the error of Listen where the path belongs to a server that is alive.
var ErrInUse = errors.New("socket is in use")

// MaxPath is how many bytes of a path fit into sockaddr_un besides the closing zero. Source: unix(7).
const MaxPath = 107

const (
	// mode lets owner and group talk to a server. Source: DECNET's bus, and the documented mode of the control socket.
	mode = 0o660
	// askTimeout bounds the question whether somebody answers at a path. Chosen: a live server's kernel answers at once.
	askTimeout = 2 * time.Second
)

// Spec says which socket is wanted. Path, Name, Owner and Remedy are required.
type Spec struct {
	Path  string // where clients dial; MaxPath bytes at most
	Group string // the socket's group; "" or one that does not exist leaves it

	// DirMode is the mode of the path's directory where that is missing; it is made with the socket's group, its parent
	// must be there. 0: it is not made.
	DirMode fs.FileMode
	// GroupOptional: where we may not give away to Group, our own group stays. Otherwise that is an error.
	GroupOptional bool

	Name   string // for errors, as in "bus": a word before "socket"
	Owner  string // for errors, as in "a bus": who answers at the socket
	Remedy string // for errors, as in "choose another path": what helps where the path is taken
}

// Listener is a bound socket. Closing it leaves the path; Remove frees that.
type Listener struct {
	*net.UnixListener
	path string
	id   ID
}

// Listen binds the socket. A socket at which nobody answers is replaced; one at which somebody does, and anything that
// is no socket, is left alone. The new socket has its mode and group before it can be seen, and it replaces a stale one
// in one step. Servers that start at the same time take turns by a lock on the directory. The error wraps ErrInUse where
// another server is alive at the path, or may be.
func Listen(ctx context.Context, s Spec) (*Listener, error) {
	if len(s.Path) > MaxPath {
		return nil, fmt.Errorf("%s socket %q: the path is longer than the %d bytes a client can dial", s.Name, s.Path, MaxPath)
	}
	dir, err := s.openDir()
	if err != nil {
		return nil, fmt.Errorf("open the directory of %s socket %q: %w", s.Name, s.Path, err)
	}
	defer func() { _ = dir.Close() }() // it only held the lock
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock the directory of %s socket %q: %w", s.Name, s.Path, err)
	}
	if err := s.vacant(ctx); err != nil {
		return nil, err
	}
	sock, err := s.bind(ctx, dir.Name())
	if err != nil {
		return nil, fmt.Errorf("bind %s socket %q: %w", s.Name, s.Path, err)
	}
	return &Listener{UnixListener: sock, path: s.Path, id: Identify(s.Path)}, nil
}

// Remove takes the socket away unless another one stands at the path by now, or none. It may be called at any time and
// more than once.
func (l *Listener) Remove() error {
	if Identify(l.path) != l.id {
		return nil
	}
	return os.Remove(l.path)
}

// bind makes the socket under a name of its own and moves it to its path. The directory is locked.
func (s Spec) bind(ctx context.Context, dir string) (*net.UnixListener, error) {
	// A name no longer than most: it has to fit into MaxPath too.
	bound := filepath.Join(dir, ".s"+strconv.Itoa(os.Getpid()))
	_ = os.Remove(bound) // a leftover of a process that had our number; if it cannot go, the bind says so
	l, err := new(net.ListenConfig).Listen(ctx, "unix", bound)
	if err != nil {
		return nil, err
	}
	sock, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("got a %T", l), l.Close())
	}
	sock.SetUnlinkOnClose(false)
	if err := s.place(bound); err != nil {
		return nil, errors.Join(err, sock.Close(), os.Remove(bound))
	}
	return sock, nil
}

// place gives the socket its mode and group and moves it to its path.
func (s Spec) place(bound string) error {
	if err := os.Chmod(bound, mode); err != nil {
		return err
	}
	if err := s.give(bound); err != nil {
		return err
	}
	return os.Rename(bound, s.Path)
}

// vacant says whether a server may bind the path: nothing is there, or a socket that refuses connections. A server that
// is stopped or overloaded does not refuse, and a path we may not dial is somebody's too.
func (s Spec) vacant(ctx context.Context) error {
	info, err := os.Lstat(s.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s socket %q: %w", s.Name, s.Path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s socket %q: something that is not a socket stands there; remove it or %s", s.Name, s.Path, s.Remedy)
	}
	d := net.Dialer{Timeout: askTimeout}
	c, err := d.DialContext(ctx, "unix", s.Path)
	if err == nil {
		return errors.Join(fmt.Errorf("%s %w: %s answers at %q; stop it first, or %s", s.Name, ErrInUse, s.Owner, s.Path, s.Remedy),
			c.Close())
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("%s %w: cannot tell whether %s answers at %q: %w", s.Name, ErrInUse, s.Owner, s.Path, err)
}
