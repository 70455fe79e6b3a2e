package console

import (
	"context"
	"net/http"
	"slices"
)

// Role is what somebody may do.
type Role uint8

// The roles, each with the rights of those before it.
const (
	NoRole   Role = iota // nothing
	ReadOnly             // look
	Operator             // act on deckies and actors
	Admin                // look into the process, kill
)

// String is the word in answers and in the audit.
func (r Role) String() string {
	switch r {
	case ReadOnly:
		return "read-only"
	case Operator:
		return "operator"
	case Admin:
		return "admin"
	case NoRole:
	}
	return "none"
}

// Access says who has which role. Root and the daemon's own user are admins; the zero value knows nobody else.
type Access struct {
	Admins    []uint32 // user ids
	Operators []uint32 // group ids; usually that of decnet-ops
	Readers   []uint32 // group ids; usually that of decnet
	own       uint32   // the daemon's user
}

func (a Access) role(p peer) Role {
	in := func(groups []uint32) bool {
		return slices.ContainsFunc(groups, func(g uint32) bool { return g == p.gid || slices.Contains(p.groups, g) })
	}
	switch {
	case !p.known:
		return NoRole
	case p.cert != nil:
		return p.cert.role
	case p.uid == 0 || p.uid == a.own || slices.Contains(a.Admins, p.uid):
		return Admin
	case in(a.Operators):
		return Operator
	case in(a.Readers):
		return ReadOnly
	}
	return NoRole
}

// Caller is who asks.
type Caller struct {
	UID  int64 // -1: not known
	User string
	Role Role
	Via  string // cli, web, tui, api
	Node string // of the swarm, where the caller sits; "": here
}

// Name is what reasons and pauses call the caller.
func (c Caller) Name() string {
	if c.Node != "" {
		here := c
		here.Node = ""
		return here.Name() + "@" + c.Node
	}
	switch {
	case c.User != "":
		return c.User
	case c.UID >= 0:
		return "uid " + itoa(c.UID)
	}
	return "somebody"
}

type callerKey struct{}

// CallerOf is who asks, as the kernel and the role policy say.
func CallerOf(ctx context.Context) Caller {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		return Caller{UID: -1}
	}
	return c
}

// viaHeader names the face a request comes from. It is for the audit only: nothing is allowed by it.
const viaHeader = "X-Decnet-Via"

func (s *Server) caller(r *http.Request) Caller {
	p := peerFrom(r.Context())
	c := Caller{UID: -1, Role: s.cfg.Access.role(p), Via: "api"}
	if via := r.Header.Get(viaHeader); slices.Contains([]string{"cli", "web", "tui"}, via) {
		c.Via = via
	}
	switch {
	case p.cert != nil:
		c.User = p.cert.name
	case p.known:
		c.UID = int64(p.uid)
		if s.cfg.UserName != nil {
			c.User = s.cfg.UserName(p.uid)
		}
	}
	return c
}

// changes says whether a request changes something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions
}

// needs is the role without which a request is refused. A route may want more.
func needs(r *http.Request) Role {
	if changes(r) {
		return Operator
	}
	return ReadOnly
}

func refuseRole(w http.ResponseWriter, have, need Role) {
	hint := "join the group decnet to look, and decnet-ops as well to act, or use sudo; a client certificate says its role by its unit (OU) or a URI"
	refuse(w, http.StatusForbidden, Permission, "this needs the role "+need.String()+", yours is "+have.String(), hint)
}
