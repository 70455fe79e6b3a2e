package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// errNoRemote: the server was made without one.
var errNoRemote = errors.New("the console listens at its socket alone")

// ListenRemote binds the address of Config.Remote. What is bound belongs to one call of ServeRemote.
func (s *Server) ListenRemote(ctx context.Context) (net.Listener, error) {
	if s.cfg.Remote == nil {
		return nil, errNoRemote
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Remote.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for the console of other hosts: %w", err)
	}
	return l, nil
}

// ServeRemote answers over TLS until ctx ends, then returns nil. Nobody gets an answer but with a certificate that the
// client authority signed and that has not ended. Connections are counted apart from those of the socket, so that a
// crowd out there keeps nobody from the socket.
func (s *Server) ServeRemote(ctx context.Context, l net.Listener) error {
	h := s.httpServer(ctx, s.certified(s.root()))
	h.Protocols = new(http.Protocols) // of a later version one connection may ask without bound
	h.Protocols.SetHTTP1(true)
	h.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return s.pem.config() }}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		goodbye(ctx, h)
	})
	s.cfg.Log.Info().Str("address", l.Addr().String()).Msg("console listening for client certificates")
	err := h.ServeTLS(limit(l, maxConns, ""), "", "")
	if !stop() {
		<-stopped
		return nil
	}
	goodbye(ctx, h)
	return fmt.Errorf("console at %s: %w", l.Addr(), err)
}

// certified puts the client's certificate where the kernel's word stands at the socket. A stream ends with it.
func (s *Server) certified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 { // the handshake has seen to it
			refuse(w, http.StatusForbidden, Permission, "a client certificate is needed", "")
			return
		}
		leaf := r.TLS.VerifiedChains[0][0]
		left := leaf.NotAfter.Sub(s.cfg.Now())
		if left <= 0 {
			w.Header().Set("Connection", "close")
			refuse(w, http.StatusForbidden, Permission, "your certificate has ended", "get another and connect again")
			return
		}
		ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), peerKey{}, peer{known: true, cert: badgeOf(leaf)}), left)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// addressed says whether a request means this server and comes from its own pages: a page of another site must not
// reach us by a name of its own, nor send anything here. Over TLS our names are those our certificate has.
func (s *Server) addressed(r *http.Request) bool {
	if peerFrom(r.Context()).cert == nil {
		return localHost(r.Host) && localOrigin(r.Header.Get("Origin"))
	}
	origin := r.Header.Get("Origin")
	return s.pem.named(r.Host) && (origin == "" || strings.EqualFold(origin, "https://"+r.Host)) && !sentByOthers(r)
}

// sentByOthers: a browser shows its certificate whoever's page asks. A link to one of our pages may stand anywhere.
func sentByOthers(r *http.Request) bool {
	link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate"
	return !link && slices.Contains([]string{"cross-site", "same-site"}, r.Header.Get("Sec-Fetch-Site"))
}

// address says how a request would have reached us.
func (s *Server) address(r *http.Request) string {
	if peerFrom(r.Context()).cert != nil {
		return "use a name that the server's certificate has"
	}
	return "use http://localhost over the socket: curl --unix-socket " + s.cfg.Path + " http://localhost/v1/status"
}
