package console

import (
	"net/http"
	"slices"
	"strings"
)

// route is one operation of the API, as it is served and as the OpenAPI document tells of it.
type route struct {
	method, path string
	needs        Role // beyond what its method needs; NoRole: nothing beyond
	handle       http.HandlerFunc
	says         string  // what it does
	query        []param // what may stand after the question mark
	body, reply  any     // examples of the documents; nil: none, or no JSON
	media        string  // of the answer; "" is JSON
}

// param is one of a query.
type param struct{ name, says string }

var (
	filterParam = param{"filter", "select items, see the CLI's --filter"}
	sortParam   = param{"sort", "a key to sort by, -key the other way round"}
	limitParam  = param{"limit", "at most this many items"}
)

// addAPI registers the routes. Those of one path share a handler, so that a wrong method is told which there are.
func (s *Server) addAPI(mux *http.ServeMux) {
	byPath := map[string]methods{}
	for _, r := range slices.Concat(s.api(), s.clusterAPI()) {
		if byPath[r.path] == nil {
			byPath[r.path] = methods{}
			mux.Handle(r.path, s.atNode(byPath[r.path]))
		}
		byPath[r.path][r.method] = r
	}
}

// methods serves one path.
type methods map[string]route

// ServeHTTP finds the method's handler and checks the role it needs beyond the method's.
func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	x, is := m[method]
	if !is {
		allowed := make([]string, 0, len(m))
		for name := range m {
			allowed = append(allowed, name)
		}
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		refuse(w, http.StatusMethodNotAllowed, BadRequest, r.URL.Path+" takes "+strings.Join(allowed, " or ")+", not "+r.Method, "")
		return
	}
	if who := CallerOf(r.Context()); who.Role < x.needs {
		refuseRole(w, who.Role, x.needs)
		return
	}
	x.handle(w, r)
}

// api is every operation of the console. Those of server and sources stand in routes.
func (s *Server) api() []route {
	lists := []param{filterParam, sortParam, limitParam}
	return []route{
		{method: "GET", path: "/v1/whoami", handle: s.whoami, says: "who the caller is, and which role it has", reply: WhoReply{}},
		{method: "GET", path: "/v1/actors", handle: s.actors, query: lists, says: "all actors, by their counters; nobody is asked", reply: ActorList{}},
		{method: "GET", path: "/v1/actors/{pid...}", handle: s.actor, says: "one actor, with its crashes", reply: ActorReply{}},
		{method: "GET", path: "/v1/handlers", handle: s.handlers, query: lists, says: "how long handlers take, by kind of actor and type of message", reply: HandlerList{}},
		{method: "GET", path: "/v1/crashes", handle: s.crashes, query: append([]param{{"actor", "kind/id"}}, lists...),
			says: "crash records, newest first, without stack and state", reply: CrashList{}},
		{method: "GET", path: "/v1/crashes/{id}", handle: s.crash, says: "one crash record, whole", reply: CrashReply{}},
		{method: "GET", path: "/v1/deadletters", handle: s.deadLetters, query: append([]param{{"group", "target, type or why: add up what has it in common"}}, lists...),
			says: "messages nobody took", reply: DeadLetterList{}},
		{method: "GET", path: "/v1/pauses", handle: s.pauses, query: lists, says: "what is paused", reply: PauseList{}},
		{method: "GET", path: "/v1/audit", handle: s.audit, query: lists, says: "what somebody asked for that changes something, newest first", reply: AuditList{}},
		{method: "GET", path: "/v1/config", handle: s.config, says: "the settings in force, secrets masked", reply: ConfigList{}},
		{method: "GET", path: "/v1/runtime", handle: s.runtime, says: "memory, collector, scheduler and goroutines of the process", reply: RuntimeReply{}},
		{method: "GET", path: "/v1/logs", handle: s.logs, query: append([]param{{"actor", "kind/id, or a pattern"}, {"since", "lines after this number"}}, lists...),
			says: "the last lines of the log", reply: LogList{}},
		{method: "GET", path: "/v1/deckies/{id}/inspect", handle: s.inspect, query: []param{{"decisions", "how many; 8 by default"}},
			says: "why a decky is as it is", reply: InspectionReply{}},
		{method: "GET", path: "/v1/deckies/{id}/state", handle: s.inspect, says: "the same as inspect", reply: InspectionReply{}},
		{method: "GET", path: "/v1/deckies/{id}/timeline", handle: s.timeline, query: []param{{"since", "events after this seq"}, limitParam},
			says: "the events of one decky", reply: EventList{}},
		{method: "GET", path: "/v1/deckies/{id}/decisions", handle: s.decisions, query: []param{limitParam}, says: "what a decky concluded, newest first", reply: DecisionList{}},
		{method: "GET", path: "/v1/deckies/{id}/logs", handle: s.deckyLogs, query: []param{{"since", "lines after this number"}, limitParam},
			says: "the last lines of the log of one decky's actor", reply: LogList{}},
		{method: "POST", path: "/v1/deckies/{id}/actions/{verb}", handle: s.actOne, says: "act on one decky: " + strings.Join(verbNames, ", "), body: ActionRequest{}, reply: ActionReply{}},
		{method: "POST", path: "/v1/actions/{verb}", handle: s.act, says: "act on many deckies or actors", body: ActionRequest{}, reply: ActionReply{}},
		{method: "GET", path: "/v1/taps", handle: s.listTaps, says: "the taps that are open", reply: TapList{}},
		{method: "POST", path: "/v1/taps", handle: s.openTap, says: "show the messages some actors handle, for a while", body: TapRequest{}, reply: TapReply{}},
		{method: "GET", path: "/v1/taps/{id}/stream", needs: Operator, handle: s.streamTap, says: "the messages of a tap", media: "text/event-stream"},
		{method: "DELETE", path: "/v1/taps/{id}", handle: s.closeTap, says: "end a tap", reply: TapReply{}},
		{method: "GET", path: "/v1/debug/bundle", needs: Admin, handle: s.bundle, query: []param{{"seconds", "how long the processor is profiled"}},
			says: "a support bundle: all of this in a tar.gz with a manifest of checksums", media: "application/gzip"},
		{method: "GET", path: "/v1/deckies/{id}/messages", handle: s.messages, says: "the last messages one decky handled, newest first: types and times", reply: MessageList{}},
		{method: "GET", path: "/v1/debug/goroutines", needs: Admin, handle: s.goroutines, query: lists, says: "goroutines by actor and stack", reply: GoroutineList{}},
		{method: "GET", path: "/v1/debug/pprof/{kind}", needs: Admin, handle: s.pprof, query: []param{{"seconds", "how long to measure: cpu and trace"}},
			says: "a profile: " + strings.Join(profileKinds, ", "), media: "application/octet-stream"},
		{method: "GET", path: "/v1/openapi.json", handle: s.openAPI, says: "this document"},
	}
}
