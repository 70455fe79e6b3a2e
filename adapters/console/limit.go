package console

import (
	"net"
	"sync"
)

// limiter closes connections beyond a number at once: whoever opens thousands must not take the daemon's descriptors.
type limiter struct {
	*net.UnixListener
	free chan struct{}
}

func limit(l *net.UnixListener, n int) *limiter {
	return &limiter{UnixListener: l, free: make(chan struct{}, n)}
}

// Accept waits for a connection for which there is room.
func (l *limiter) Accept() (net.Conn, error) {
	for {
		c, err := l.UnixListener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &limited{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
		default:
			_ = c.Close() // nothing was exchanged; the client sees the end
		}
	}
}

// limited gives its place back when it is closed.
type limited struct {
	net.Conn
	release func()
}

// Close closes the connection.
func (c *limited) Close() error {
	c.release()
	return c.Conn.Close()
}
