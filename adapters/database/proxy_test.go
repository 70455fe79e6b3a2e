package database

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"testing"
)

// proxy stands between us and a server, and cuts the connection where it is told to.
type proxy struct {
	net.Listener
	server string

	mu    sync.Mutex
	conns []net.Conn
	cut   func(sent []byte) cutting // looks at what we send; nil: nothing is cut
}

// cutting says what becomes of a message to the server.
type cutting uint8

const (
	pass    cutting = iota
	unheard         // the server never gets it, and we never get an answer
	unsaid          // the server gets it, and we never get the answer
	silence         // the server never gets it, and nobody hangs up
)

func newProxy(t *testing.T, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, server: server}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.serve()
	}()
	t.Cleanup(func() { _ = l.Close(); p.drop(); <-done })
	return p
}

func (p *proxy) serve() {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		all.Go(func() { p.relay(client, server) })
	}
}

// relay carries both ways until one side ends.
func (p *proxy) relay(client, server net.Conn) {
	silent := make(chan struct{})
	var back sync.WaitGroup
	back.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			select {
			case <-silent: // the answer is here, so the server has done it
				_ = client.Close()
				return
			default:
			}
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				_ = client.Close()
				return
			}
		}
	})
	buf := make([]byte, 1<<20)
	for {
		n, err := client.Read(buf)
		switch p.judge(buf[:n]) {
		case unheard:
			_ = client.Close()
		case unsaid:
			close(silent)
			_, _ = server.Write(buf[:n])
			back.Wait()
		case silence:
			continue
		case pass:
			if _, werr := server.Write(buf[:n]); err == nil && werr == nil {
				continue
			}
		}
		_, _ = client.Close(), server.Close()
		back.Wait()
		return
	}
}

func (p *proxy) judge(sent []byte) cutting {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut == nil || len(sent) == 0 {
		return pass
	}
	return p.cut(sent)
}

// when sets what is cut.
func (p *proxy) when(cut func(sent []byte) cutting) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
}

// once cuts the nth message that ends with the word, and lets the connections after it live.
func (p *proxy) once(word string, nth int, how cutting) (happened func() bool) {
	seen := 0
	p.when(func(sent []byte) cutting {
		if !bytes.HasSuffix(bytes.TrimRight(sent, "\x00"), []byte(word)) {
			return pass
		}
		if seen++; seen == nth {
			return how
		}
		return pass
	})
	return func() bool { p.mu.Lock(); defer p.mu.Unlock(); return seen >= nth }
}

// drop ends all connections there are.
func (p *proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// throughProxy is a world whose daemon reaches the server through a proxy.
func throughProxy(t *testing.T, s site, change ...func(*Config)) (*world, *proxy) {
	t.Helper()
	w := newWorld(t, s)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, u.Host)
	u.Host = p.Addr().String()
	w.url = u.String()
	_ = w.db.Close()
	w.db = w.openDB(change...)
	return w, p
}
