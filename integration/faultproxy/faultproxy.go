// Package faultproxy stands between the product and what it depends on, on unix sockets and TCP, and spoils what passes:
// a test sets a fault, at any time, and takes it back.
package faultproxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Fault is what happens to the chunks of one direction. The zero value passes everything on.
type Fault struct {
	Delay     time.Duration // each chunk waits so long
	Hang      bool          // nothing passes, nothing is closed: it waits until the fault is taken back
	Swallow   bool          // everything is read and thrown away: a half-open peer
	Drop      int           // each n-th chunk is lost; 0 is none
	Duplicate int           // each n-th comes twice
	Reorder   int           // each n-th is held and comes after the next
	CutAfter  int           // bytes after which the connection ends, in the middle of whatever it is; 0 is never
	Truncate  int           // no chunk passes more bytes than this; the rest of it is lost; 0 is no limit
	Rate      int           // bytes a second, read no faster: a slow reader; 0 is no limit
}

// Faults are those of both directions, and what a new connection meets.
type Faults struct {
	ToServer, ToClient Fault
	// Answer is sent to every new connection once the client has spoken, and the connection is closed: a server's 500, or
	// garbage. Empty: the server is asked.
	Answer string
	// Refuse closes every new connection at once.
	Refuse bool
}

// Proxy passes connections on. Everything but its fields is safe for concurrent use.
type Proxy struct {
	// Split cuts the stream to the server into chunks, as a bufio.SplitFunc that returns frames whole; nil: as they come.
	Split bufio.SplitFunc

	network, to string
	listener    net.Listener
	faults      atomic.Pointer[Faults]
	chunks      atomic.Int64

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	ended bool
	all   sync.WaitGroup
}

// Listen starts a proxy at an address for a server; network is unix or tcp, for both.
func Listen(ctx context.Context, network, at, to string, split bufio.SplitFunc) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, network, at)
	if err != nil {
		return nil, fmt.Errorf("listen at %s %q: %w", network, at, err)
	}
	p := &Proxy{Split: split, network: network, to: to, listener: l, open: map[net.Conn]struct{}{}}
	p.faults.Store(&Faults{})
	p.all.Go(p.accept)
	return p, nil
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Chunks is how many chunks have arrived from either side: a test whose fault met nothing has tested nothing.
func (p *Proxy) Chunks() int64 { return p.chunks.Load() }

// Set makes the faults apply to every connection, open ones too.
func (p *Proxy) Set(f Faults) { p.faults.Store(&f) }

// Cut ends every open connection.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close() // its pump ends
	}
}

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	err := p.listener.Close()
	p.Cut()
	p.all.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.all.Go(func() { p.serve(c) })
	}
}

// keep remembers a connection until it ends; false: everything has ended.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		p.open[c] = struct{}{}
	}
	return !p.ended
}

func (p *Proxy) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	_ = c.Close() // it may have ended before
}

func (p *Proxy) serve(client net.Conn) {
	defer p.drop(client)
	if !p.keep(client) || p.faults.Load().Refuse {
		return
	}
	if answer := p.faults.Load().Answer; answer != "" {
		const first = 100 * time.Millisecond // a database server speaks before its client does
		_ = client.SetReadDeadline(time.Now().Add(first))
		_, _ = client.Read(make([]byte, 4096)) // whatever it is
		p.chunks.Add(1)
		_, _ = io.WriteString(client, answer) // the client may have gone
		return
	}
	server, err := (&net.Dialer{}).Dial(p.network, p.to)
	if err != nil {
		return
	}
	defer p.drop(server)
	if !p.keep(server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		half, ok := server.(interface{ CloseWrite() error })
		if ended := p.pump(server, client, p.Split, func(f *Faults) Fault { return f.ToServer }); ended && ok {
			_ = half.CloseWrite() // the server may still answer
			return
		}
		_ = server.Close() // the other direction ends too
	})
	_ = p.pump(client, server, nil, func(f *Faults) Fault { return f.ToClient })
	_ = client.Close()
	both.Wait()
}

// alive says whether a connection is still kept open by both ends of the proxy.
func (p *Proxy) alive(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, open := p.open[c]
	return open && !p.ended
}
