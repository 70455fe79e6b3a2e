package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/time/rate"

	"github.com/decnet/decnet-fleetd/messages"
)

// Values of a worker's connection. Source: measured; with them a cut link is noticed in 2 to 3 s.
const (
	// connectTimeout has room for one repeated SYN, which Linux sends after a second. Together with retryMax it keeps a
	// worker from being away for more than two seconds after its link is back.
	connectTimeout = 1500 * time.Millisecond
	dialTimeout    = 2 * time.Second
	greetTimeout   = 3 * time.Second // the hub's hello; as long as its own patience with a mute client
	askEvery       = time.Second     // ping; two unanswered ones end the connection
	ackQueue       = 16
	ackTimeout     = 30 * time.Second // as long as DECNET's own writers may hold the hub's database
	downQueue      = 4096             // frames; the hub sends one for each it gets, and what consoles ask
)

// A worker keeps below what the hub takes from it, frameRate with frameBurst: a frame over that would be lost.
const (
	partRate  = 500 // a second
	batchRate = 300 // a second
	paceBurst = 64  // of each
)

// session is one connection to the hub, from its dial to its end.
type session struct {
	w       *Worker
	nc      *nats.Conn
	ctx     context.Context //nolint:containedctx // the connection's life
	end     context.CancelFunc
	wire    *wire
	acks    chan ackFrame
	hellos  chan hello
	byes    chan struct{}
	answers answers
	closed  sync.Once
}

// connect dials and logs in. What it returns has still to say hello.
func (w *Worker) connect(ctx context.Context, m *material) (*session, error) {
	s := &session{w: w, acks: make(chan ackFrame, ackQueue), hellos: make(chan hello, 1), byes: make(chan struct{}, 1)}
	s.answers = answers{s: s, open: map[uint64]*reply{}, pace: rate.NewLimiter(partRate, paceBurst)}
	s.ctx, s.end = context.WithCancel(ctx)
	d := &dialer{ctx: s.ctx, cfg: w.tlsConfig(m)}
	nc, err := nats.Connect("tls://"+w.address,
		nats.SetCustomDialer(d), nats.SkipHostLookup(), nats.TLSHandshakeFirst(), nats.Name(clientName(w.instance)),
		nats.NoReconnect(), nats.NoEcho(), nats.IgnoreDiscoveredServers(), nats.Timeout(dialTimeout),
		nats.PingInterval(askEvery), nats.MaxPingsOutstanding(2), nats.FlusherTimeout(dialTimeout),
		nats.ClosedHandler(func(*nats.Conn) { s.end() }),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // the default one prints
	)
	if err != nil {
		s.end()
		return nil, d.explain(err)
	}
	s.nc, s.wire = nc, d.wire.Load()
	sub, err := nc.Subscribe(downSubject(w.cfg.HostUUID, "*"), s.receive)
	if err == nil {
		err = errors.Join(sub.SetPendingLimits(downQueue, 4*maxFrame), nc.FlushTimeout(dialTimeout))
	}
	if err != nil {
		s.close()
		return nil, d.explain(err)
	}
	return s, nil
}

// greet says hello and waits for the hub's: only then is it known that the hub hears this worker.
func (s *session) greet() (hello, error) {
	b, err := json.Marshal(hello{Wire: wireVersion, Oldest: wireOldest, Version: s.w.cfg.Version, Instance: s.w.instance,
		At: messages.Moment{Time: s.w.cfg.Now()}})
	if err != nil {
		return hello{}, err
	}
	if err := s.nc.Publish(upSubject(s.w.cfg.HostUUID, kindHello), b); err != nil {
		return hello{}, err
	}
	t := time.NewTimer(greetTimeout)
	defer t.Stop()
	select {
	case v := <-s.hellos:
		if v.Why != "" || v.Wire < wireOldest || v.Oldest > wireVersion {
			return v, &wireFault{hub: v}
		}
		return v, nil
	case <-t.C:
		return hello{}, errors.New("the hub does not answer")
	case <-s.ctx.Done():
		return hello{}, s.why()
	}
}

// why is what the connection ended with.
func (s *session) why() error {
	if err := s.nc.LastError(); err != nil {
		return err
	}
	if err := s.wire.fault(); err != nil {
		return err
	}
	return errors.New("the connection was closed")
}

func (s *session) receive(m *nats.Msg) {
	switch m.Subject[strings.LastIndexByte(m.Subject, '.')+1:] {
	case kindHello:
		if v, err := decode[hello](m.Data, maxSmall); err == nil {
			put(s.hellos, v)
		}
	case kindAck:
		if v, err := decode[ackFrame](m.Data, maxFrame); err == nil {
			put(s.acks, v)
		}
	case kindBye:
		put(s.byes, struct{}{})
	case kindAsk:
		s.answers.ask(m.Data)
	case kindFlow:
		s.answers.flow(m.Data)
	} // other kinds are those of a newer hub
}

// put makes room for the newest.
func put[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

// close ends the session and waits for the requests it was working on.
func (s *session) close() {
	s.closed.Do(func() {
		s.end()
		s.nc.Close()
		s.answers.close()
	})
}

// wireFault says that hub and worker do not speak the same protocol.
type wireFault struct{ hub hello }

// Error implements error.
func (f *wireFault) Error() string {
	if f.hub.Why != "" {
		return quoted(f.hub.Why)
	}
	return fmt.Sprintf("the hub speaks version %d of the protocol, this worker %d to %d", f.hub.Wire, wireOldest, wireVersion)
}
