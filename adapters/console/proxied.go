package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Proxied serves the API, and nothing beside it, to users of another host's console. asker says who asks, as whoever
// brings the request vouches for; without a role nothing is answered. It may be called before Serve.
func (s *Server) Proxied(asker func(ctx context.Context) (messages.Asker, bool)) http.Handler {
	mux := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Decnet-Node", headerSafe(s.cfg.Node))
		who, known := asker(r.Context())
		if !known || !strings.HasPrefix(r.URL.Path, "/v1/") {
			refuse(w, http.StatusForbidden, Permission, "only the API is served to other hosts, and only to users they name", "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, bodyLimit(r))
		s.admitAs(w, r, mux, proxiedCaller(who))
	})
}

// proxiedCaller is the user as the other host knows it. An unknown role is none.
func proxiedCaller(a messages.Asker) Caller {
	c := Caller{UID: a.UID, User: headerSafe(clipped(a.User, 64)), Via: "api", Node: headerSafe(clipped(a.Node, 128))}
	if c.Node == "" {
		c.Node = "?"
	}
	if slices.Contains([]string{"cli", "web", "tui"}, a.Via) {
		c.Via = a.Via
	}
	for _, role := range []Role{ReadOnly, Operator, Admin} {
		if role.String() == a.Role {
			c.Role = role
		}
	}
	return c
}
