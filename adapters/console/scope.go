package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// atNode sends a request to the host it is about: that of the decky in its path, or the one its filter names by @. All
// else is answered here.
func (s *Server) atNode(next methods) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if m, is := s.ownerOf(r); is {
			s.atOwner(w, r, m)
			return
		}
		if x, is := next[http.MethodGet]; is && !changes(r) && slices.Contains(x.query, filterParam) {
			if done := s.scoped(w, r); done {
				return
			}
		}
		next.ServeHTTP(w, r)
	}
}

// ownerOf finds the other host whose decky the path names.
func (s *Server) ownerOf(r *http.Request) (messages.Member, bool) {
	host, _, is := strings.Cut(r.PathValue("id"), ":")
	if !is || host == s.cfg.Node || !s.hub() || !strings.HasPrefix(r.URL.Path, "/v1/deckies/") {
		return messages.Member{}, false
	}
	all, err := s.members(r.Context())
	if err != nil {
		return messages.Member{}, false
	}
	i := slices.IndexFunc(all, func(m messages.Member) bool { return m.HostUUID == host })
	if i < 0 {
		return messages.Member{}, false
	}
	return all[i], true
}

// atOwner asks the host of a decky. Where it does not answer, what it said last is better than nothing.
func (s *Server) atOwner(w http.ResponseWriter, r *http.Request, m messages.Member) {
	pass := func(w http.ResponseWriter, r *http.Request) { s.relay(w, r, m, r.URL.EscapedPath()) }
	id := r.PathValue("id")
	switch d, ago, known := s.lastKnown(id); {
	case changes(r):
		s.once(w, r, pass)
	case known && strings.HasSuffix(r.URL.Path, "/inspect") && reachable(m, s.cfg.Now()) != nil:
		reply(w, InspectionReply{Envelope{API, "inspection"}, wholeInspection(messages.Inspection{Decky: d, StaleFor: ago})})
	default:
		pass(w, r)
	}
}

// scoped answers a list whose filter names one host. It is false where it does not, or names this one with nothing to ask.
func (s *Server) scoped(w http.ResponseWriter, r *http.Request) bool {
	q := r.URL.Query()
	f, err := ParseFilter(q.Get("filter"))
	if err != nil {
		return false // the list says what is wrong
	}
	name, rest := f.node()
	if name == "" || strings.HasPrefix(r.URL.Path, "/v1/cluster/") {
		return false
	}
	m, err := s.member(r.Context(), name)
	if err != nil {
		refuseAnswer(w, err)
		return true
	}
	q.Set("filter", rest)
	there := r.Clone(r.Context())
	there.URL.RawQuery = q.Encode()
	s.relay(w, there, m, r.URL.EscapedPath())
	return true
}

// targetOf is how an action names a decky of a list.
func (s *Server) targetOf(d messages.DeckyStatus) string {
	if d.HostUUID == s.cfg.Node || !s.hub() {
		return d.Name
	}
	return d.HostUUID + ":" + d.Name
}

// split sorts targets by the hosts they are of. A name that this host does not know may be that of another's decky:
// names are unique in a cluster. NAME@NODE says it.
func (s *Server) split(ctx context.Context, q messages.Act) (own []string, others map[string][]string, members map[string]messages.Member) {
	all, err := s.members(ctx)
	if q.Actors || err != nil {
		return q.Targets, nil, nil
	}
	deckies, _, err := s.allDeckies(ctx)
	if err != nil {
		return q.Targets, nil, nil
	}
	others, members = map[string][]string{}, map[string]messages.Member{}
	names := map[string][]string{} // of a decky: its hosts
	for _, m := range all {
		members[m.HostUUID] = m
	}
	for _, d := range deckies {
		names[d.Name] = append(names[d.Name], d.HostUUID)
	}
	for _, t := range q.Targets {
		if host, name := whose(t, s.cfg.Node, names, all); host == s.cfg.Node {
			own = append(own, name)
		} else {
			others[host] = append(others[host], name)
		}
	}
	return own, others, members
}

// whose says which host's decky a target is, and what it is called there.
func whose(target, own string, names map[string][]string, all []messages.Member) (host, name string) {
	if of := names[target]; target == messages.PauseHost || slices.Contains(of, own) {
		return own, target
	} else if len(of) == 1 {
		return of[0], target
	}
	if id, name, is := strings.Cut(target, ":"); is && slices.ContainsFunc(all, func(m messages.Member) bool { return m.HostUUID == id }) {
		return id, name
	}
	if i := strings.LastIndexByte(target, '@'); i > 0 {
		if m, err := find(all, target[i+1:]); err == nil {
			return m.HostUUID, target[:i]
		}
	}
	return own, target
}

// ordered has an order carried out: here, and at the hosts whose deckies it names.
func (s *Server) ordered(ctx context.Context, q messages.Act) ([]messages.ActionResult, error) {
	if !s.hub() {
		return ask[[]messages.ActionResult](ctx, s, q, q.Wait+answerWait)
	}
	own, others, members := s.split(ctx, q)
	var items []messages.ActionResult
	if len(own) > 0 || len(others) == 0 {
		here := q
		here.Targets = own
		var err error
		if items, err = ask[[]messages.ActionResult](ctx, s, here, q.Wait+answerWait); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for host, names := range others {
		wg.Add(1)
		s.cfg.Spawn(func() {
			defer wg.Done()
			got := s.orderedAt(ctx, members[host], q, names)
			mu.Lock()
			defer mu.Unlock()
			items = append(items, got...)
		})
	}
	wg.Wait()
	slices.SortStableFunc(items, func(a, b messages.ActionResult) int { return strings.Compare(a.Name, b.Name) })
	return items, nil
}

// orderedAt has a member carry an order out. What it does not answer is refused, for each target.
func (s *Server) orderedAt(ctx context.Context, m messages.Member, q messages.Act, names []string) []messages.ActionResult {
	got, err := s.actAt(ctx, m, q.Verb, ActionRequest{DryRun: q.DryRun, Reason: q.Reason, Wait: Wait(q.Wait), Targets: names})
	out := make([]messages.ActionResult, 0, len(names))
	if err != nil {
		for _, n := range names {
			out = append(out, messages.ActionResult{Name: n + "@" + m.Name, Result: "refused", Detail: err.Error()})
		}
		return out
	}
	for _, x := range got.Items {
		x.Name += "@" + m.Name
		out = append(out, x)
	}
	return out
}

// actAt orders an action at another host.
func (s *Server) actAt(ctx context.Context, m messages.Member, verb string, want ActionRequest) (ActionReply, error) {
	var v ActionReply
	ctx, cancel := context.WithTimeout(ctx, time.Duration(want.Wait)+2*answerWait)
	defer cancel()
	raw, err := json.Marshal(want)
	if err != nil {
		return v, err
	}
	got, err := s.askMember(ctx, m, CallerOf(ctx), nodeRequest{http.MethodPost, "/v1/actions/" + verb, bytes.NewReader(raw), http.Header{"Content-Type": {"application/json"}}})
	if err != nil {
		return v, err
	}
	defer func() { _ = got.Body.Close() }() // it was only read
	body := io.LimitReader(got.Body, maxNodeAnswer)
	if got.StatusCode != http.StatusOK {
		var p problem
		if json.NewDecoder(body).Decode(&p) != nil || p.Detail == "" {
			return v, fmt.Errorf("%s answers %d", m.Name, got.StatusCode)
		}
		return v, &refusedThere{got.StatusCode, p}
	}
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		return v, fmt.Errorf("the answer of %s broke off: the order may have been carried out: %w", m.Name, err)
	}
	return v, nil
}

// refusedThere is a problem document of another host.
type refusedThere struct {
	status int
	problem
}

// Error gives the detail.
func (e *refusedThere) Error() string { return e.Detail }

func (s *Server) drain(w http.ResponseWriter, r *http.Request)   { s.wholeHost(w, r, "pause") }
func (s *Server) undrain(w http.ResponseWriter, r *http.Request) { s.wholeHost(w, r, "resume") }

// wholeHost pauses or resumes all of a host.
func (s *Server) wholeHost(w http.ResponseWriter, r *http.Request, verb string) {
	want, ok := s.readCluster(w, r, r.PathValue("host"))
	if !ok {
		return
	}
	m, err := s.member(r.Context(), r.PathValue("host"))
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	if n := noteOf(r.Context()); n != nil {
		n.target = m.Name
	}
	shown := map[string]string{"pause": "drain", "resume": "undrain"}[verb]
	got, err := s.wholeAt(r.Context(), m, verb, want)
	var there *refusedThere
	switch {
	case errors.As(err, &there):
		refuse(w, there.status, there.Code, m.Name+": "+there.Detail, there.Hint)
		return
	case err != nil:
		refuseAnswer(w, err)
		return
	}
	if n := noteOf(r.Context()); n != nil {
		n.result = tally(got)
	}
	for i := range got {
		got[i].Name = m.Name
	}
	whole(&got)
	reply(w, ActionReply{Envelope{API, "action"}, shown, want.DryRun, got})
}

func (s *Server) wholeAt(ctx context.Context, m messages.Member, verb string, want ClusterRequest) ([]messages.ActionResult, error) {
	targets := []string{messages.PauseHost}
	if m.HostUUID != s.cfg.Node {
		got, err := s.actAt(ctx, m, verb, ActionRequest{DryRun: want.DryRun, Reason: want.Reason, Targets: targets})
		return got.Items, err
	}
	return ask[[]messages.ActionResult](ctx, s, messages.Act{Verb: verb, Targets: targets, DryRun: want.DryRun, Reason: want.Reason, By: CallerOf(ctx).Name()}, answerWait)
}
