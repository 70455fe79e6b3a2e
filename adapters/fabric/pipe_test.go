package fabric

import (
	"net"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// pipe is a TCP link that can be cut without a word, and that knows what went over it.
type pipe struct {
	t    testing.TB
	l    net.Listener
	to   string
	mu   sync.Mutex
	dead bool
	free chan struct{} // closed while it is whole
	ends []*net.TCPConn
	wg   sync.WaitGroup
}

func newPipe(t testing.TB, to string) *pipe {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{t: t, l: l, to: to, free: make(chan struct{})}
	close(p.free)
	p.wg.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

func (p *pipe) address() string { return p.l.Addr().String() }

// cut keeps everything back from now on, or no more; what was kept back is lost with its connections.
func (p *pipe) cut(dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if dead == p.dead {
		return
	}
	p.dead = dead
	if dead {
		p.free = make(chan struct{})
		return
	}
	for _, c := range p.ends {
		shut(c)
	}
	p.ends = nil
	close(p.free)
}

func (p *pipe) close() {
	shut(p.l)
	p.cut(true)
	p.cut(false)
	p.wg.Wait()
}

func (p *pipe) whole() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.free
}

func (p *pipe) accept() {
	for {
		a, err := p.l.Accept()
		if err != nil {
			return
		}
		b, err := net.Dial("tcp", p.to)
		if err != nil {
			shut(a)
			continue
		}
		p.mu.Lock()
		p.ends = append(p.ends, a.(*net.TCPConn), b.(*net.TCPConn))
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(a, b) })
		p.wg.Go(func() { p.copy(b, a) })
	}
}

func (p *pipe) copy(from, to net.Conn) {
	defer shut(from)
	defer shut(to)
	for b := make([]byte, 32<<10); ; {
		n, err := from.Read(b)
		<-p.whole()
		if _, werr := to.Write(b[:n]); err != nil || werr != nil {
			return
		}
	}
}

// traffic is what the kernel counted on the worker's side of the newest connection: bytes of TCP payload and segments.
func (p *pipe) traffic() (in, out, segments uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.ends[len(p.ends)-2]
	raw, err := c.SyscallConn()
	if err != nil {
		p.t.Fatal(err)
	}
	var info *unix.TCPInfo
	if cerr := raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) }); cerr != nil || err != nil {
		p.t.Fatal(cerr, err)
	}
	return info.Bytes_received, info.Bytes_acked, uint64(info.Segs_in) + uint64(info.Segs_out)
}
