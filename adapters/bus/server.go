package bus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
)

// Limits of the server.
const (
	// queueFrames is how many frames wait for one connection; then the oldest goes. Source: DECNET's bus.
	queueFrames = 1024
	// queueBytes bounds the same in bytes, which DECNET does not: 1024 frames of 1 MiB would be a gigabyte. Chosen.
	queueBytes = 16 << 20
	// maxPatterns bounds the subscriptions of one connection, since each costs a comparison per event. Chosen.
	maxPatterns = 4096
	// maxPeers bounds the connections. Chosen: DECNET has some twenty workers; each costs some 70 KiB.
	maxPeers = 1024
	// healthEvery is the heartbeat of the bus. Source: DECNET's bus.
	healthEvery = 10 * time.Second
	// quietFor is the least time between two warnings of one kind. Chosen.
	quietFor = 10 * time.Second
	// flushFor is how long an orderly close lets a connection empty its queue. Chosen: below the second a stop may take.
	flushFor = 500 * time.Millisecond
	// acceptPause follows a failed accept (no file descriptors left). Chosen.
	acceptPause = 100 * time.Millisecond
)

// ServerConfig configures the built-in bus.
type ServerConfig struct {
	Path  string           // of the socket; required
	Group string           // the socket's group; "" or one that does not exist leaves it
	Now   func() time.Time // required
	Spawn func(func())     // starts a guarded goroutine; nil is a plain one
	Log   zerolog.Logger
}

// Server is the built-in bus. It speaks to every client of DECNET's.
type Server struct {
	cfg     ServerConfig
	sock    *unixsock.Listener
	started time.Time

	mu      sync.Mutex              // guards peers' writers
	peers   atomic.Pointer[[]*peer] // copied on change, so that publishing takes no lock
	running sync.WaitGroup
	noise   quiet

	published, delivered, dropped, refused atomic.Int64
}

// ServerStats counts since the start.
type ServerStats struct {
	Peers     int   // connections now
	Published int64 // PUBs fanned out
	Delivered int64 // frames written to subscribers
	Dropped   int64 // frames pushed out of a full queue, and events too large to pass on
	Refused   int64 // connections closed for a violation or for want of room
}

// Listen binds the socket. The error wraps unixsock.ErrInUse where another bus is alive there.
func Listen(ctx context.Context, cfg ServerConfig) (*Server, error) {
	if cfg.Spawn == nil {
		cfg.Spawn = func(f func()) { go f() }
	}
	sock, err := unixsock.Listen(ctx, unixsock.Spec{
		Path: cfg.Path, Group: cfg.Group, Name: "bus", Owner: "a bus", Remedy: "choose another path",
	})
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, sock: sock, started: cfg.Now()}
	s.peers.Store(new([]*peer))
	return s, nil
}

// Stats may be called at any time.
func (s *Server) Stats() ServerStats {
	return ServerStats{
		Peers: len(*s.peers.Load()), Published: s.published.Load(), Delivered: s.delivered.Load(),
		Dropped: s.dropped.Load(), Refused: s.refused.Load(),
	}
}

// Serve accepts connections until ctx ends; then it takes the socket away, lets every connection empty its queue for
// half a second, closes them and returns nil. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	s.cfg.Log.Info().Str("socket", s.cfg.Path).Msg("bus listening")
	stop := context.AfterFunc(ctx, s.hangUp)
	defer stop()
	s.start(func() { s.beat(ctx) })
	err := s.accept(ctx)
	s.hangUp()
	s.running.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Server) start(f func()) {
	s.running.Add(1)
	s.cfg.Spawn(func() {
		defer s.running.Done()
		f()
	})
}

func (s *Server) accept(ctx context.Context) error {
	for {
		c, err := s.sock.Accept()
		switch {
		case err == nil:
			s.admit(ctx, c)
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on bus socket %q: %w", s.cfg.Path, err)
		default:
			s.warn(s.cfg.Log.Warn().Err(err), "bus cannot accept")
			pause(ctx, acceptPause)
		}
	}
}

func (s *Server) admit(ctx context.Context, c net.Conn) {
	p := newPeer(s, c)
	s.mu.Lock()
	old := *s.peers.Load()
	full := len(old) >= maxPeers || ctx.Err() != nil
	if !full {
		next := append(make([]*peer, 0, len(old)+1), old...)
		next = append(next, p)
		s.peers.Store(&next)
	}
	s.mu.Unlock()
	if full {
		s.refused.Add(1)
		s.warn(s.cfg.Log.Warn().Int("connections", len(old)), "bus has no room for another connection")
		_ = c.Close() // refused; nothing depends on how it ends
		return
	}
	s.start(p.read)
	s.start(p.write)
}

func (s *Server) remove(p *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := *s.peers.Load()
	next := make([]*peer, 0, len(old))
	for _, q := range old {
		if q != p {
			next = append(next, q)
		}
	}
	s.peers.Store(&next)
}

// hangUp takes the socket away and asks every connection to end. It may be called twice.
func (s *Server) hangUp() {
	_ = s.sock.Remove() // if it stays, the next server finds it stale
	_ = s.sock.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range *s.peers.Load() {
		p.finish(s.cfg.Now().Add(flushFor))
	}
}

// fanOut sends one event to every connection with a matching pattern but its origin. The frame is encoded once and
// shared.
func (s *Server) fanOut(origin *peer, e Event) {
	now := s.cfg.Now()
	e.TS = float64(now.UnixNano()) / 1e9
	var frame []byte
	crowded := false
	for _, p := range *s.peers.Load() {
		if p == origin || !p.wants(e.Topic) {
			continue
		}
		if frame == nil {
			var err error
			e.ID = newID()
			if frame, err = AppendEvent(make([]byte, 0, len(e.Payload)+2*len(e.Topic)+256), e); err != nil {
				s.dropped.Add(1)
				s.warn(s.cfg.Log.Warn().Err(err), "bus cannot pass an event on")
				return
			}
		}
		crowded = p.push(frame, now) || crowded
	}
	s.published.Add(1)
	if crowded {
		breathe()
	}
}

// beat publishes the heartbeat of the bus, at once and then every ten seconds.
func (s *Server) beat(ctx context.Context) {
	t := time.NewTicker(healthEvery)
	defer t.Stop()
	for {
		s.fanOut(nil, Event{Topic: "system.bus.health", Type: "bus.health", Payload: s.health()})
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (s *Server) health() []byte {
	now := s.cfg.Now()
	b := strconv.AppendInt([]byte(`{"pid":`), int64(os.Getpid()), 10)
	b = append(b, `,"uptime_sec":`...)
	b = appendSeconds(b, float64(now.Sub(s.started).Milliseconds())/1e3)
	b = append(b, `,"ts":`...)
	return append(appendSeconds(b, float64(now.UnixNano())/1e9), '}')
}

// warn writes one line in ten seconds at most; it says how many it kept back.
func (s *Server) warn(e *zerolog.Event, msg string) {
	if n, ok := s.noise.let(s.cfg.Now()); ok {
		e.Int64("suppressed", n).Msg(msg)
	}
}
