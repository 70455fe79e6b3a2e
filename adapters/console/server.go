package console

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
	"github.com/decnet/decnet-fleetd/messages"
)

// Limits of the server; all chosen, for a handful of people and scripts on one host.
const (
	maxConns    = 128
	maxStreams  = 64
	maxBody     = 64 << 10
	maxHeader   = 16 << 10
	headerWait  = 5 * time.Second
	bodyWait    = 5 * time.Second
	writeWait   = 10 * time.Second
	idleWait    = time.Minute
	answerWait  = 2 * time.Second
	passWait    = 90 * time.Second // reading, settling and publishing have bounds of their own below it
	pingEvery   = 15 * time.Second // below the idle limits of what stands between a browser and a forwarded socket
	goodbyeWait = 250 * time.Millisecond
)

// dirMode lets the group reach the socket. Source: the unit's RuntimeDirectoryMode.
const dirMode = 0o750

// Config is what a Server needs. Path, Backend, Feed and Now are required.
type Config struct {
	Path    string // of the socket
	Group   string // the socket's group; "" or one that does not exist leaves it
	Backend Backend
	Feed    *Feed
	Version string           // of the program, for bundles
	Node    string           // host id, for the header X-Decnet-Node
	Now     func() time.Time // for deadlines
	Spawn   func(func())     // starts a guarded goroutine; nil is a plain one
	Log     zerolog.Logger
	Pages   func(api http.Handler) http.Handler // makes what answers beside the API; nil: nothing does
	Metrics http.Handler                        // serves /metrics; nil: there are none

	Access   Access
	UserName func(uid uint32) string // for the audit; "" if unknown. It must not block; nil knows nobody
	Audit    Auditor                 // nil: the log alone has it
	Taps     Taps                    // nil: there are none
	Logs     *LogRing                // nil: none are kept
	Remote   *Remote                 // where other hosts reach the console; nil: nowhere

	// AskMember puts a request to the API of another host of the cluster, on behalf of who asks. Its errors wrap ErrAway and
	// ErrBusy. nil: this is no hub.
	AskMember func(ctx context.Context, hostUUID string, who messages.Asker, r *http.Request) (*http.Response, error)
}

// Server is the control socket.
type Server struct {
	cfg     Config
	sock    *unixsock.Listener
	streams chan struct{}
	pem     *shelf // of Remote; nil without one
	root    func() http.Handler

	mux      *http.ServeMux
	refusals refusals
	answers  answers
	taps     taps
	roster   roster
	asking   chan struct{} // room for members that are asked for their lists
	profiler chan struct{} // room for the one profile that is taken
	gone     chan struct{} // closed when Serve returns
	leave    func()        // closes it
}

// Listen binds the socket. The error wraps unixsock.ErrInUse where another daemon is alive there.
func Listen(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Spawn == nil {
		cfg.Spawn = func(f func()) { go f() }
	}
	if cfg.Backend == nil || cfg.Feed == nil || cfg.Now == nil {
		return nil, errors.New("control socket: Backend, Feed and Now are required")
	}
	var pem *shelf
	if cfg.Remote != nil {
		pem = newShelf(*cfg.Remote, cfg.Now, cfg.Log)
		if err := pem.look(); err != nil {
			return nil, err
		}
	}
	sock, err := unixsock.Listen(ctx, unixsock.Spec{
		Path: cfg.Path, Group: cfg.Group, DirMode: dirMode,
		GroupOptional: true, // a user's own daemon need not be a member
		Name:          "control", Owner: "a daemon", Remedy: "choose another path with --control-socket",
	})
	if err != nil {
		return nil, err
	}
	cfg.Access.own = uint32(os.Getuid()) //nolint:gosec // a user id has 32 bits
	s := &Server{cfg: cfg, sock: sock, pem: pem, streams: make(chan struct{}, maxStreams), profiler: make(chan struct{}, 1), asking: make(chan struct{}, askAtOnce),
		gone: make(chan struct{})}
	s.leave = sync.OnceFunc(func() { close(s.gone) })
	s.mux = s.routes()
	s.root = sync.OnceValue(s.handler)
	return s, nil
}

// Serve answers until ctx ends; then it ends streams, takes the socket away and returns nil. It is called once.
func (s *Server) Serve(ctx context.Context) error {
	h := s.httpServer(ctx, s.root())
	h.ConnContext = withPeer
	defer s.leave()
	defer s.taps.endAll()
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		s.unlink()
		goodbye(ctx, h)
	})
	s.cfg.Log.Info().Str("socket", s.cfg.Path).Msg("control socket listening")
	err := h.Serve(limit(s.sock.UnixListener, maxConns, crowded))
	if !stop() {
		<-stopped
		return nil
	}
	s.unlink()
	goodbye(ctx, h)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("control socket %q: %w", s.cfg.Path, err)
}

// Close gives the socket up without serving it.
func (s *Server) Close() error {
	s.unlink()
	return s.sock.Close()
}

// httpServer has the limits that hold wherever we listen.
func (s *Server) httpServer(ctx context.Context, root http.Handler) *http.Server {
	return &http.Server{
		Handler:           root,
		ReadHeaderTimeout: headerWait, // of a handshake too
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          newErrorLog(s.cfg.Log),
	}
}

// goodbye lets requests finish for a moment: their contexts have ended with ours.
func goodbye(ctx context.Context, h *http.Server) {
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeWait)
	defer cancel()
	if h.Shutdown(wait) != nil {
		_ = h.Close() // what is still open is cut; the process ends
	}
}

// unlink removes the socket unless a successor has taken the path.
func (s *Server) unlink() {
	if err := s.sock.Remove(); err != nil {
		s.cfg.Log.Warn().Err(err).Msg("control socket stays behind")
	}
}

// handler checks what holds for every request before it is routed.
func (s *Server) handler() http.Handler {
	mux := s.mux
	pages := s.pages(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.admit(w, r, mux) }))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.allowWriting(w, writeWait)
		h := w.Header()
		h.Set("X-Decnet-Api", "1")
		h.Set("X-Decnet-Node", headerSafe(s.cfg.Node))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if !s.addressed(r) {
			refuse(w, http.StatusForbidden, Permission, "the request names another host or comes from another site", s.address(r))
			return
		}
		if pages != nil && !ofAPI(r.URL.Path) {
			s.admitPage(w, r, pages)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r))
		s.admit(w, r, mux)
	})
}

// bodyLimit: only who acts on many has many to name.
func bodyLimit(r *http.Request) int64 {
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/actions/"):
		return maxActionBody
	case strings.HasPrefix(r.URL.Path, "/v1/nodes/"):
		return maxNodeBody
	}
	return maxBody
}

// admit lets a request through whose caller has the role, and puts on record what changes something.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, next http.Handler) {
	s.admitAs(w, r, next, s.caller(r))
}

func (s *Server) admitAs(w http.ResponseWriter, r *http.Request, next http.Handler, who Caller) {
	r = r.WithContext(context.WithValue(r.Context(), callerKey{}, who))
	switch need := needs(r); {
	case who.Role < need:
		if changes(r) {
			s.recordRefusal(who, r)
		}
		refuseRole(w, who.Role, need)
	case changes(r):
		s.audited(w, r, next)
	default:
		next.ServeHTTP(w, r)
	}
}

// allowWriting gives the response a time limit from now on. Where the connection takes none, a stuck reader costs its
// connection only.
func (s *Server) allowWriting(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(s.cfg.Now().Add(d))
}

// localHost: a forwarded socket meets browsers, and a page of another site must not reach us by a name of its own.
func localHost(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	switch strings.ToLower(strings.Trim(name, "[]")) {
	case "", "localhost", "127.0.0.1", "::1", "unix":
		return true
	}
	return false
}

func localOrigin(origin string) bool {
	if origin == "" {
		return true
	}
	scheme, host, ok := strings.Cut(origin, "://")
	return ok && (scheme == "http" || scheme == "https") && host != "" && localHost(host)
}

// headerSafe: a host id may be any text.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}
