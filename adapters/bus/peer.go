package bus

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// writeChunk is about how many bytes go into one write. Source: measured; more gains nothing.
const writeChunk = 64 << 10

// peer is one connection of the server: a goroutine that reads, one that writes, a bounded queue between everybody
// else's reading and this one's writing.
type peer struct {
	s        *Server
	c        net.Conn
	name     string                   // of HELLO; under mu
	patterns atomic.Pointer[[]string] // replaced by the reading goroutine

	mu        sync.Mutex
	queue     ring
	finishing bool          // nothing more is queued; what waits is still written
	wake      chan struct{} // one slot: there is something to do for the writing goroutine

	noise quiet
	lost  int64 // frames pushed out since the last warning; under mu
}

func newPeer(s *Server, c net.Conn) *peer {
	p := &peer{s: s, c: c, wake: make(chan struct{}, 1)}
	p.patterns.Store(new([]string))
	return p
}

func (p *peer) wants(topic string) bool {
	for _, pattern := range *p.patterns.Load() {
		if Match(pattern, topic) {
			return true
		}
	}
	return false
}

// push queues a frame; the oldest one goes where there is no room. It says whether the queue is more than half full.
func (p *peer) push(frame []byte, now time.Time) (crowded bool) {
	p.mu.Lock()
	if p.finishing {
		p.mu.Unlock()
		return false
	}
	var lost int64
	for p.queue.n > 0 && (p.queue.n >= queueFrames || p.queue.bytes+len(frame) > queueBytes) {
		p.queue.pop()
		lost++
	}
	p.queue.push(frame)
	crowded = p.queue.n > queueFrames/2
	p.lost += lost
	total := p.lost
	warn := false
	if lost > 0 {
		if _, warn = p.noise.let(now); warn {
			p.lost = 0
		}
	}
	p.mu.Unlock()
	p.nudge()
	if lost > 0 {
		p.s.dropped.Add(lost)
	}
	if warn {
		p.s.cfg.Log.Warn().Stringer("peer", p).Int64("dropped", total).Msg("bus dropped the oldest frames of a slow connection")
	}
	return crowded
}

func (p *peer) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// finish lets the writing goroutine write what waits until the deadline and end.
func (p *peer) finish(by time.Time) {
	p.mu.Lock()
	p.finishing = true
	p.mu.Unlock()
	_ = p.c.SetWriteDeadline(by) // fails only on a closed connection, which needs none
	p.nudge()
}

func (p *peer) write() {
	defer p.s.remove(p)
	defer func() { _ = p.c.Close() }() // nothing depends on how it ends
	var buf []byte
	for range p.wake {
		for {
			var frames int
			var last bool
			buf, frames, last = p.take(buf[:0])
			if frames > 0 {
				if _, err := p.c.Write(buf); err != nil {
					return // the reading goroutine reports how connections end
				}
				p.s.delivered.Add(int64(frames))
			}
			if last {
				return
			}
			if frames == 0 {
				break
			}
		}
		if cap(buf) > 4*writeChunk {
			buf = nil
		}
	}
}

// take moves about writeChunk bytes from the queue into buf; last says that nothing will follow.
func (p *peer) take(buf []byte) (_ []byte, frames int, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.queue.n > 0 && (frames == 0 || len(buf) < writeChunk) {
		buf = append(buf, p.queue.pop()...)
		frames++
	}
	return buf, frames, p.finishing && p.queue.n == 0
}

func (p *peer) read() {
	err := p.serve(NewReader(p.c))
	if errors.Is(err, ErrProtocol) {
		p.s.refused.Add(1)
		p.s.warn(p.s.cfg.Log.Warn().Err(err).Stringer("peer", p), "bus closed a connection")
	}
	p.finish(p.s.cfg.Now().Add(flushFor))
}

// serve handles frames until the connection ends. io.EOF: orderly.
func (p *peer) serve(r *Reader) error {
	for {
		f, err := r.ReadFrame()
		if err != nil {
			return err
		}
		switch f.Verb {
		case Pub:
			err = p.publish(f)
		case Sub:
			err = p.subscribe(string(f.Args))
		case Unsub:
			p.unsubscribe(string(f.Args))
		case Hello:
			p.mu.Lock()
			p.name = string(f.Args[:min(len(f.Args), 64)]) // for the log only
			p.mu.Unlock()
		case Bye:
			return io.EOF
		case Evt:
			err = fmt.Errorf("%w: EVT from a client", ErrProtocol)
		}
		if err != nil {
			return err
		}
	}
}

func (p *peer) publish(f Frame) error {
	if len(f.Args) == 0 {
		return fmt.Errorf("%w: PUB without a topic", ErrProtocol)
	}
	payload, kind, err := publication(f.Body)
	if err != nil {
		return err
	}
	p.s.fanOut(p, Event{Topic: string(f.Args), Type: kind, Payload: payload})
	return nil
}

func (p *peer) subscribe(pattern string) error {
	old := *p.patterns.Load()
	switch {
	case pattern == "":
		return fmt.Errorf("%w: SUB without a pattern", ErrProtocol)
	case slices.Contains(old, pattern):
		return nil
	case len(old) >= maxPatterns:
		return fmt.Errorf("%w: more than %d subscriptions", ErrProtocol, maxPatterns)
	}
	next := append(slices.Clip(slices.Clone(old)), pattern)
	p.patterns.Store(&next)
	return nil
}

func (p *peer) unsubscribe(pattern string) {
	next := slices.DeleteFunc(slices.Clone(*p.patterns.Load()), func(s string) bool { return s == pattern })
	p.patterns.Store(&next)
}

// String names the peer for the log.
func (p *peer) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name == "" {
		return "unnamed"
	}
	return p.name
}

// newID makes an event id: 32 hex digits of a random UUID.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the runtime ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return hex.EncodeToString(b[:])
}

// breathe lets the writing goroutines run: a publisher that outruns them would push frames out of queues that nobody
// had the processor to empty.
func breathe() { runtime.Gosched() }

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
