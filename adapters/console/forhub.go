package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// ForHub answers what the hub of this worker asks for its users. asker tells from a request's context who that is; it must
// be what the fabric says, since nothing else proves it. A caller has the role that the hub says and is on record with
// the name of the hub.
func (s *Server) ForHub(asker func(ctx context.Context) (messages.Asker, bool)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, known := asker(r.Context())
		if !known {
			refuseRole(w, NoRole, ReadOnly)
			return
		}
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			refuse(w, http.StatusNotFound, NotFound, "there is no "+r.URL.Path, "only /v1 is answered to another host")
			return
		}
		h := w.Header()
		h.Set("X-Decnet-Api", "1")
		h.Set("X-Decnet-Node", headerSafe(s.cfg.Node))
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxNodeBody)
		s.admitAs(w, r, s.mux, callerFrom(a))
	})
}

// callerFrom: the uid of another host says nothing here, so that the name has it.
func callerFrom(a messages.Asker) Caller {
	c := Caller{UID: -1, User: Caller{UID: a.UID, User: a.User}.Name() + "@" + a.Node, Role: roleOf(a.Role), Via: "api"}
	c.User = clipped(strings.Map(printed, c.User), maxUser)
	if slices.Contains([]string{"cli", "web", "tui"}, a.Via) {
		c.Via = a.Via
	}
	return c
}

// maxUser bounds the name of another host's user. Source: chosen; Linux has 32 bytes.
const maxUser = 128

func printed(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

// roleOf reads a role; a word that is none is no role.
func roleOf(word string) Role {
	for _, r := range []Role{ReadOnly, Operator, Admin} {
		if r.String() == word {
			return r
		}
	}
	return NoRole
}
