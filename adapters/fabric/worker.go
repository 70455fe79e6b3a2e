package fabric

import (
	"context"
	"crypto/rand"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/decnet/decnet-fleetd/messages"
)

// Worker is a worker's end. Its methods may be called from any goroutine.
type Worker struct {
	cfg      WorkerConfig
	address  string // host:port
	instance string // of this process: two with one identity must not push each other out in turn
	shelf    shelf

	handler  atomic.Pointer[http.Handler]
	live     atomic.Pointer[session] // nil: not connected
	shipping chan struct{}           // one at a time
	shipped  uint64                  // frames; under shipping
	pace     *rate.Limiter           // of batches; under shipping

	telling sync.Mutex // one State callback at a time
	mu      sync.Mutex
	state   messages.LinkState

	end context.CancelFunc
	wg  sync.WaitGroup
}

// Dial starts to connect and goes on until Close, whatever happens: a wrong file or a refusal is a state, with its
// remedy, and is tried again. An error means that no attempt could ever succeed.
func Dial(cfg WorkerConfig) (*Worker, error) {
	address, err := cfg.fill()
	if err != nil {
		return nil, err
	}
	w := &Worker{cfg: cfg, address: address, instance: rand.Text(), shelf: shelf{files: cfg.Files},
		shipping: make(chan struct{}, 1), pace: rate.NewLimiter(batchRate, paceBurst), state: messages.LinkState{Phase: messages.LinkConnecting, Hub: address}}
	w.state.Since.Time = cfg.Now()
	ctx, end := context.WithCancel(context.Background())
	w.end = end
	w.shelf.look()
	w.wg.Go(func() { w.run(ctx) })
	return w, nil
}

// Serve says who answers what the hub asks; nil answers 503. The request's context has the Asker.
func (w *Worker) Serve(h http.Handler) { w.setHandler(h) }

// State is how the worker stands with its hub.
func (w *Worker) State() messages.LinkState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// Leave says goodbye, so that nobody is alarmed, and closes. It waits for the hub to know, as long as ctx lasts.
func (w *Worker) Leave(ctx context.Context) {
	if s := w.live.Load(); s != nil && w.send(kindBye, struct{}{}) == nil {
		select {
		case <-s.byes:
		case <-s.ctx.Done():
		case <-ctx.Done():
		}
	}
	w.Close()
}

// Close ends the connection without a word.
func (w *Worker) Close() {
	w.end()
	w.wg.Wait()
}

// Reconnects. Source: measured; a hundred workers are back within two seconds of their hub.
const (
	retryMin     = 100 * time.Millisecond
	retryMax     = time.Second
	retryRefused = 10 * time.Second // somebody has to act; every attempt costs the hub a handshake
)

// run connects again and again.
func (w *Worker) run(ctx context.Context) {
	wait := retryMin
	for {
		lasted, phase := w.once(ctx)
		limit := retryMax
		if phase == messages.LinkRefused {
			limit = retryRefused
		}
		if lasted {
			wait = retryMin
		}
		if ctx.Err() != nil {
			w.says(messages.LinkClosed, nil, nil)
			return
		}
		w.pause(ctx, time.Duration((0.5+w.cfg.Jitter()/2)*float64(wait)))
		wait = min(2*wait, limit)
	}
}

// pause waits, but no longer than until there are new files.
func (w *Worker) pause(ctx context.Context, d time.Duration) {
	next := time.NewTimer(d)
	defer next.Stop()
	look := time.NewTicker(w.cfg.Reread)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			return
		case <-look.C:
			if w.shelf.look().changed {
				return
			}
		}
	}
}

// once makes one connection and keeps it to its end. lasted: it came about.
func (w *Worker) once(ctx context.Context) (lasted bool, phase messages.LinkPhase) {
	m := w.shelf.current()
	if m == nil {
		w.shelf.look()
		if m = w.shelf.current(); m == nil {
			return false, w.failed(nil, *w.shelf.fault)
		}
	}
	s, err := w.connect(ctx, m)
	if err != nil {
		return false, w.failed(m, err)
	}
	defer s.close()
	v, err := s.greet()
	if err != nil {
		return false, w.failed(m, err)
	}
	w.live.Store(s)
	defer w.live.Store(nil)
	w.says(messages.LinkConnected, nil, func(st *messages.LinkState) { w.learn(st, m, s, v) })
	if err := w.keep(ctx, s); err != nil {
		return true, w.failed(m, err)
	}
	return true, messages.LinkConnecting
}

// learn notes what the connection told of the hub.
func (w *Worker) learn(st *messages.LinkState, m *material, s *session, v hello) {
	now := w.cfg.Now()
	st.HubVersion = quoted(v.Version)
	st.CertExpires.Time = m.pair.Leaf.NotAfter
	st.HubFingerprint, st.HubCertExpires = s.hubCert()
	st.SkewSeconds = v.At.Sub(v.Echo.Add(now.Sub(v.Echo.Time) / 2)).Seconds()
}

// keep waits for the end of a connection. It ends one itself, and gives nil, when there are new files.
func (w *Worker) keep(ctx context.Context, s *session) error {
	look := time.NewTicker(w.cfg.Reread)
	defer look.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return s.why()
		case <-ctx.Done():
			return nil
		case <-look.C:
			if w.shelf.look().changed {
				return nil
			}
		}
	}
}

// failed says what is wrong and gives the phase that follows.
func (w *Worker) failed(m *material, err error) messages.LinkPhase {
	a := attempt{hub: w.address, ownPath: w.cfg.Files.Cert, err: err, now: w.cfg.Now()}
	if m != nil {
		a.own = m.pair.Leaf
	}
	phase, fault := explain(a)
	w.says(phase, &fault, func(st *messages.LinkState) {
		if a.own != nil {
			st.CertExpires.Time = a.own.NotAfter
		}
	})
	return phase
}

// says tells of a state that differs from the last.
func (w *Worker) says(p messages.LinkPhase, f *messages.Fault, more func(*messages.LinkState)) {
	w.telling.Lock()
	defer w.telling.Unlock()
	if st, differs := w.moves(p, f, more); differs {
		w.cfg.State(st)
	}
}

func (w *Worker) moves(p messages.LinkPhase, f *messages.Fault, more func(*messages.LinkState)) (st messages.LinkState, differs bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := w.state.Phase == p && (f == nil) == (w.state.Fault == nil) && (f == nil || *f == *w.state.Fault)
	if w.state.Phase != p {
		w.state.Since.Time = w.cfg.Now()
	}
	w.state.Phase, w.state.Fault = p, f
	if more != nil {
		more(&w.state)
	}
	return w.state, !same || p == messages.LinkConnected
}
