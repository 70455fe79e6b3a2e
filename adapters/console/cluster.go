package console

import (
	"errors"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// What other hosts of a cluster may not answer with.
var (
	// ErrAway: there is no connection to the host, or it ended before the answer came. What was asked may have been done.
	ErrAway = errors.New("the connection to the host is gone")
	// ErrBusy: as many requests as may be are open at the host.
	ErrBusy = errors.New("too many requests are open at the host")
	// ErrUnknownMember: the hub knows no such host.
	ErrUnknownMember = errors.New("no such host is enrolled")
)

// MemberList answers GET /v1/cluster/members.
type MemberList struct {
	Envelope
	Items []messages.Member `json:"items"`
	Seq   int64             `json:"seq"`
	Self  string            `json:"self"` // uuid of the host that answers
}

// OwnerList answers GET /v1/cluster/owners.
type OwnerList struct {
	Envelope
	Items []messages.Owner `json:"items"`
	Seq   int64            `json:"seq"`
}

// ClusterRequest is the body of what is ordered of a cluster or one of its hosts; an empty body is its zero value.
type ClusterRequest struct {
	DryRun bool   `json:"dry_run,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// LeaveReply answers POST /v1/cluster/leave.
type LeaveReply struct {
	Envelope
	Host   string `json:"host"` // that left, or would leave
	DryRun bool   `json:"dry_run"`
}

// ForgetReply answers POST /v1/cluster/hosts/{host}/forget.
type ForgetReply struct {
	Envelope
	messages.Forgotten
}

func (s *Server) clusterAPI() []route {
	lists := []param{filterParam, sortParam, limitParam}
	return []route{
		{method: "GET", path: "/v1/cluster/members", handle: s.memberList, query: lists, says: "the hosts of the cluster, as the hub sees them; a worker tells of itself and its hub", reply: MemberList{}},
		{method: "GET", path: "/v1/cluster/owners", handle: s.ownerList, query: lists, says: "which process writes the rows of each host", reply: OwnerList{}},
		{method: "POST", path: "/v1/cluster/leave", handle: s.leaveCluster, says: "have this worker say goodbye to its hub; it goes on with its own host", body: ClusterRequest{}, reply: LeaveReply{}},
		{method: "POST", path: "/v1/cluster/hosts/{host}/drain", handle: s.drain, says: "pause a whole host: it observes, and writes nothing", body: ClusterRequest{}, reply: ActionReply{}},
		{method: "POST", path: "/v1/cluster/hosts/{host}/undrain", handle: s.undrain, says: "end the pause of a whole host", body: ClusterRequest{}, reply: ActionReply{}},
		{method: "POST", path: "/v1/cluster/hosts/{host}/forget", handle: s.forget, says: "remove the rows of a host that is no longer enrolled, and announce it", body: ClusterRequest{}, reply: ForgetReply{}},
		{method: "GET", path: "/v1/nodes/{host}/{path...}", handle: s.node, says: "the answer of another host, by name or uuid, to GET /v1/{path}", media: "*/*"},
		{method: "POST", path: "/v1/nodes/{host}/{path...}", handle: s.nodeOnce, says: "the same for POST", media: "*/*"},
		{method: "DELETE", path: "/v1/nodes/{host}/{path...}", handle: s.node, says: "the same for DELETE", media: "*/*"},
	}
}

func (s *Server) memberList(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.Member](s, w, r, messages.GetMembers{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		replyTagged(w, r, MemberList{Envelope{API, "members"}, items, s.cfg.Feed.Last(), s.cfg.Node})
	}
}

func (s *Server) ownerList(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.Owner](s, w, r, messages.GetOwners{})
	if !ok {
		return
	}
	if items, ok := listed(w, r, all); ok {
		reply(w, OwnerList{Envelope{API, "owners"}, items, s.cfg.Feed.Last()})
	}
}

// readCluster reads the body of an order and puts it on record.
func (s *Server) readCluster(w http.ResponseWriter, r *http.Request, target string) (want ClusterRequest, ok bool) {
	if err := s.readBody(w, r, &want); err != nil {
		refuseBody(w, err, bodyHint)
		return want, false
	}
	if len(want.Reason) > maxNote {
		refuse(w, http.StatusBadRequest, BadRequest, "the reason is longer than "+itoa(maxNote)+" bytes", "")
		return want, false
	}
	if n := noteOf(r.Context()); n != nil {
		n.target, n.reason, n.dry = target, want.Reason, want.DryRun
	}
	return want, true
}

func (s *Server) leaveCluster(w http.ResponseWriter, r *http.Request) {
	want, ok := s.readCluster(w, r, s.cfg.Node)
	if !ok {
		return
	}
	if want.DryRun {
		s.wouldLeave(w, r)
		return
	}
	if _, ok := asked[messages.Alive](s, w, r, messages.LeaveCluster{Reason: want.Reason}); ok {
		reply(w, LeaveReply{Envelope{API, "leave"}, s.cfg.Node, false})
	}
}

func (s *Server) wouldLeave(w http.ResponseWriter, r *http.Request) {
	all, ok := asked[[]messages.Member](s, w, r, messages.GetMembers{})
	if !ok {
		return
	}
	for _, m := range all {
		if m.HostUUID == s.cfg.Node && m.Role == "worker" {
			reply(w, LeaveReply{Envelope{API, "leave"}, s.cfg.Node, true})
			return
		}
	}
	refuseAnswer(w, messages.ErrNotWorker)
}

func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	host := r.PathValue("host")
	want, ok := s.readCluster(w, r, host)
	if !ok {
		return
	}
	s.allowWriting(w, forgetWait+writeWait)
	got, err := ask[messages.Forgotten](r.Context(), s, messages.ForgetHost{Host: host, Reason: want.Reason, DryRun: want.DryRun}, forgetWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	whole(&got.Deckies)
	if n := noteOf(r.Context()); n != nil {
		n.result = "done: " + itoa(int64(len(got.Deckies))) + " deckies"
	}
	reply(w, ForgetReply{Envelope{API, "forget"}, got})
}

// clusterRemedies are what to do about each refusal.
var clusterRemedies = []struct {
	err    error
	status int
	code   Code
	hint   string
}{
	{messages.ErrSolo, http.StatusConflict, Conflict, "docs/cluster.md sets a cluster up"},
	{messages.ErrNotHub, http.StatusConflict, Conflict, "decnet-fleetd cluster members names the hub"},
	{messages.ErrNotWorker, http.StatusConflict, Conflict, "ask it at the worker; to stop a hub's own writing, drain it; to end it, systemctl stop decnet-fleetd"},
	{messages.ErrEnrolled, http.StatusConflict, Conflict, "afterwards cluster members shows the host as gone, and forget removes its rows"},
	{messages.ErrNoSuchHost, http.StatusNotFound, NotFound, "a host is named by its name or its uuid, as decnet-fleetd cluster members shows them"},
	{ErrUnknownMember, http.StatusNotFound, NotFound, "a host is named by its name or its uuid, as decnet-fleetd cluster members shows them"},
	{errTwoHosts, http.StatusConflict, Conflict, "name it by its uuid: decnet-fleetd cluster members -o wide"},
	{ErrBusy, http.StatusTooManyRequests, Unavailable, "close what follows it, such as consoles and events --follow, or try again"},
}

// refuseCluster answers what is refused because of the cluster, and says whether it was that.
func refuseCluster(w http.ResponseWriter, err error) bool {
	if away, is := errors.AsType[*awayError](err); is {
		refuse(w, http.StatusServiceUnavailable, NodeAway, away.Error(), away.hint)
		return true
	}
	for _, x := range clusterRemedies {
		if errors.Is(err, x.err) {
			text := err.Error()
			if x.err == messages.ErrEnrolled { //nolint:errorlint // the database's words before it tell the user nothing
				text = x.err.Error()
			}
			refuse(w, x.status, x.code, text, x.hint)
			return true
		}
	}
	return false
}
