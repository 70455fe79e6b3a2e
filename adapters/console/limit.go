package console

import (
	"io"
	"net"
	"strconv"
	"sync"
)

// limiter answers connections beyond a number with 503 and closes them at once: whoever opens thousands must not take the
// daemon's descriptors.
type limiter struct {
	net.Listener
	free   chan struct{}
	answer string // "" where it would not be understood: the connection is closed without a word
}

func limit(l net.Listener, n int, answer string) *limiter {
	return &limiter{Listener: l, free: make(chan struct{}, n), answer: answer}
}

// Accept waits for a connection for which there is room.
func (l *limiter) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.free <- struct{}{}:
			return &limited{Conn: c, release: sync.OnceFunc(func() { <-l.free })}, nil
		default:
			// The answer fits the socket's buffer, so that this never waits; who has gone does not get it.
			_, _ = io.WriteString(c, l.answer)
			_ = c.Close()
		}
	}
}

// crowded is a whole answer; the request is not read.
var crowded = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Type: application/problem+json\r\nContent-Length: " +
	strconv.Itoa(len(crowdedBody)) + "\r\n\r\n" + crowdedBody

const crowdedBody = `{"type":"urn:decnet-fleetd:unavailable","title":"Service Unavailable","status":503,"detail":"too many connections are open","code":"unavailable","hint":"close some of them: browsers, followers, scripts"}`

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
