package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestAListOfTheHubHasTheDeckiesOfAllItsHosts(t *testing.T) {
	s, c := found(t, nil)
	list, err := s.client.Select(t.Context(), Selection{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, d := range list.Items {
		got[d.Name] = d.Node + " " + d.HostUUID
	}
	if got["web-01"] != "w1 "+oneID || got["web-02"] != "w2 "+twoID || got["decky-01"] != "master local" || len(got) != 4 {
		t.Errorf("the list has %v: a member tells of itself only", got)
	}
	for filter, want := range map[string]int{"@w1": 1, "@w*": 2, "!@w1": 3, "@w1,master": 3, "@" + twoID: 1, "node:w2": 1, "@w1 state:failed": 0} {
		l, err := s.client.Select(t.Context(), Selection{Filter: filter})
		if err != nil || len(l.Items) != want {
			t.Errorf("%s selects %d (%v), want %d", filter, len(l.Items), err, want)
		}
	}
	s.client.At("master")
	if l, err := s.client.Select(t.Context(), Selection{}); err != nil || len(l.Items) != 2 {
		t.Errorf("the hub by itself has %d deckies, %v", len(l.Items), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.workers[oneID].lists; n > 2 {
		t.Errorf("a worker was asked %d times within a moment", n)
	}
}

func TestAStaleHostsDeckiesAreShownAsItToldThemLast(t *testing.T) {
	now := &ticker{at: time.Now()}
	s, c := found(t, func(cfg *Config) { cfg.Now = now.now })
	if _, err := s.client.Select(t.Context(), Selection{}); err != nil {
		t.Fatal(err)
	}
	c.status(oneID, messages.MemberStale, "")
	now.add(10 * time.Second)
	list, err := s.client.Select(t.Context(), Selection{Filter: "@w1"})
	if err != nil || len(list.Items) != 1 || !list.Items[0].Stale {
		t.Fatalf("the deckies of a stale host: %+v, %v", list.Items, err)
	}
	i := slices.IndexFunc(list.Nodes, func(n NodePart) bool { return n.Name == "w1" })
	if i < 0 || !strings.Contains(list.Nodes[i].Why, "stale") {
		t.Errorf("its part: %+v", list.Nodes)
	}
	got, err := s.client.Inspect(t.Context(), oneID+":web-01", 0)
	if err != nil || got.Decky.Name != "web-01" || got.StaleFor < 9 {
		t.Errorf("its page: %+v, %v", got, err)
	}
}

func TestAHostIsAskedWithTheRoleOfWhoAsks(t *testing.T) {
	s, c := found(t, nil)
	s.client.At("w1")
	s.client.Via("cli")
	who, err := s.client.Who(t.Context())
	if err != nil || who.User != "alice" || who.Role != "admin" {
		t.Errorf("the worker takes the user for %+v, %v", who, err)
	}
	reply, err := s.client.Act(t.Context(), "pause", ActionRequest{Targets: []string{"*"}, Reason: "drill"})
	if err != nil || len(reply.Items) != 1 {
		t.Fatal(reply, err)
	}
	w := c.workers[oneID]
	if e := w.book.last(); e.User != "alice" || e.Node != "master" || e.Via != "cli" || e.Verb != "pause" || e.Reason != "drill" {
		t.Errorf("the worker's audit: %+v", e)
	}
	if e := s.book.last(); e.User != "alice" || e.Target != "w1: *" || e.Verb != "pause" || e.Result != "done" || e.Reason != "drill" {
		t.Errorf("the hub's audit: %+v", e)
	}
	if by := w.crew.asked()[0].By; by != "alice@master" {
		t.Errorf("the worker is told it was %q", by)
	}
}

// No role but that of the asker counts at the other end: neither a word that is none, nor a header.
func TestNobodyHasAHigherRoleAtAnotherHost(t *testing.T) {
	_, c := found(t, nil)
	for role, want := range map[string]int{"read-only": 403, "operator": 200, "admin": 200, "root": 403, "": 403, "none": 403} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/actions/pause", strings.NewReader(`{"targets":["*"]}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Decnet-Role", "admin")
		got, err := c.call(t.Context(), oneID, messages.Asker{User: "mallory", Role: role}, r)
		if err != nil {
			t.Fatal(err)
		}
		if got.StatusCode != want {
			t.Errorf("role %q pauses a host: %d, want %d", role, got.StatusCode, want)
		}
		_ = got.Body.Close()
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/actions/kill", strings.NewReader(`{"targets":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	got, err := c.call(t.Context(), oneID, messages.Asker{User: "oscar", Role: "operator"}, r)
	if err != nil || got.StatusCode != http.StatusForbidden {
		t.Errorf("an operator of the hub kills at a worker: %v, %v", got, err)
	}
	_ = got.Body.Close()
	w := &answerOfTest{header: http.Header{}}
	c.workers[oneID].server.Proxied(func(context.Context) (messages.Asker, bool) { return messages.Asker{}, false }).ServeHTTP(w, r)
	if w.status != http.StatusForbidden {
		t.Errorf("a request that no hub vouches for: %d", w.status)
	}
}

func TestAnOrderGoesToTheHostsWhoseDeckiesItNames(t *testing.T) {
	s, c := found(t, nil)
	reply, err := s.client.Act(t.Context(), "resync", ActionRequest{Targets: []string{"web-01", twoID + ":web-02", "decky-01", "x@w2", "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range reply.Items {
		got[x.Name] = x.Result
	}
	want := map[string]string{"web-01@w1": "done", "web-02@w2": "done", "x@w2": "done", "decky-01": "done", "nobody": "not found"}
	if len(got) != len(want) {
		t.Errorf("results %v, want %v", got, want)
	}
	for n, r := range want {
		if got[n] != r {
			t.Errorf("%s: %q, want %q", n, got[n], r)
		}
	}
	if _, err := s.client.Act(t.Context(), "pause", ActionRequest{Filter: "@w1"}); err != nil {
		t.Fatal(err)
	}
	if a := c.workers[oneID].crew.asked(); len(a) != 2 || a[1].Targets[0] != "web-01" {
		t.Errorf("w1 was asked for %+v", a)
	}
}

func TestTheVerbsOfTheClusterAreAskedAndOnRecord(t *testing.T) {
	s, c := found(t, nil)
	ctx := t.Context()
	members, err := s.client.Members(ctx, Selection{Filter: "status:up", Sort: "name"})
	if err != nil || len(members.Items) != 3 || members.Self != hubID {
		t.Errorf("members: %+v, %v", members, err)
	}
	owners, err := s.client.Owners(ctx, Selection{})
	if err != nil || len(owners.Items) != 2 || !owners.Items[0].Ours {
		t.Errorf("owners: %+v, %v", owners, err)
	}
	drained, err := s.client.Drain(ctx, "w1", false, ClusterRequest{Reason: "disk"})
	if err != nil || drained.Verb != "drain" || drained.Items[0].Name != "w1" || drained.Items[0].Result != "done" {
		t.Errorf("drain: %+v, %v", drained, err)
	}
	if e := s.book.last(); e.Verb != "drain" || e.Target != "w1" || e.Reason != "disk" || e.Result != "done" {
		t.Errorf("the audit: %+v", e)
	}
	if a := c.workers[oneID].crew.asked()[0]; a.Verb != "pause" || a.Targets[0] != "*" || a.Reason != "disk" {
		t.Errorf("w1 was asked for %+v", a)
	}
	if _, err := s.client.Drain(ctx, "master", true, ClusterRequest{}); err != nil || s.crew.asked()[0].Verb != "resume" {
		t.Errorf("undrain of the hub itself: %v, %+v", err, s.crew.asked())
	}
	forgot, err := s.client.Forget(ctx, "w3", ClusterRequest{Reason: "sold"})
	if err != nil || len(forgot.Deckies) != 2 {
		t.Errorf("forget: %+v, %v", forgot, err)
	}
	if e := s.book.last(); e.Verb != "forget" || e.Target != "w3" || e.Result != "done: 2 deckies" {
		t.Errorf("the audit: %+v", e)
	}
	before := len(s.book.Entries())
	if f, err := s.client.Forget(ctx, "w3", ClusterRequest{DryRun: true}); err != nil || !f.DryRun || len(s.book.Entries()) != before {
		t.Errorf("a dry run is on record, or fails: %+v, %v", f, err)
	}
	if _, err := s.client.Leave(ctx, ClusterRequest{Reason: "move"}); err != nil || len(c.left) != 1 || c.left[0].Reason != "move" {
		t.Errorf("leave: %v, %+v", err, c.left)
	}
}

func TestWhatAClusterRefusesNamesItsRemedy(t *testing.T) {
	s, c := found(t, nil)
	for want, code := range map[error]Code{messages.ErrSolo: Conflict, messages.ErrNotHub: Conflict, messages.ErrNotWorker: Conflict,
		messages.ErrEnrolled: Conflict, messages.ErrNoSuchHost: NotFound} {
		c.mu.Lock()
		c.fail = want
		c.mu.Unlock()
		_, err := s.client.Forget(t.Context(), "w3", ClusterRequest{})
		var e *Error
		if !errors.As(err, &e) || e.Code != code || e.Hint == "" || e.Message != want.Error() {
			t.Errorf("%v: %+v", want, err)
		}
	}
	c.mu.Lock()
	c.fail = nil
	c.mu.Unlock()
	if _, err := s.client.Leave(t.Context(), ClusterRequest{DryRun: true}); err == nil {
		t.Error("a hub would leave")
	}
}

func TestAHostThatCannotBeAskedSaysWhyAndWhatToDo(t *testing.T) {
	now := &ticker{at: time.Now()}
	s, c := found(t, func(cfg *Config) { cfg.Now = now.now })
	for _, x := range []struct {
		node   string
		status messages.MemberStatus
		code   Code
		says   string
		hint   string
	}{
		{"nowhere", "", NotFound, `"nowhere": no such host`, "cluster members"},
		{"w1", messages.MemberStale, NodeAway, "w1 is stale: it was last heard", "systemctl status"},
		{"w1", messages.MemberLeft, NodeAway, "w1 has left the cluster", "systemctl restart"},
		{"w1", messages.MemberNever, NodeAway, "w1 has not connected since this hub started", "its log says why it is not let in"},
		{oneID, messages.MemberNever, NodeAway, "w1 has not", "log"},
		{"w3", "", NodeAway, "w3 is no longer enrolled", "cluster forget w3"},
	} {
		if x.status != "" {
			c.status(oneID, x.status, "")
		}
		now.add(2 * time.Second)
		s.client.At(x.node)
		_, err := s.client.Status(t.Context())
		var e *Error
		if !errors.As(err, &e) || e.Code != x.code || !strings.Contains(e.Message, x.says) || !strings.Contains(e.Hint, x.hint) {
			t.Errorf("%s %s: %+v", x.node, x.status, err)
		}
	}
	c.mu.Lock()
	c.members[2].Name = "w1"
	c.mu.Unlock()
	now.add(2 * time.Second)
	s.client.At("w1")
	var e *Error
	if _, err := s.client.Status(t.Context()); !errors.As(err, &e) || e.Code != Conflict || !strings.Contains(e.Hint, "uuid") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestAStreamOfAnotherHostFlowsAndEndsWhenItGoes(t *testing.T) {
	s, c := found(t, nil)
	w := c.workers[oneID]
	w.feed.Append(messages.Event{Type: "inserted", Target: "web-01"})
	s.client.At("w1")
	seen := make(chan messages.Event, 4)
	done := make(chan error, 1)
	go func() {
		done <- s.client.Stream(context.Background(), Query{Since: 0}, func(i Item) error { seen <- i.Event; return nil })
	}()
	if e := <-seen; e.Target != "web-01" {
		t.Errorf("the first event: %+v", e)
	}
	w.feed.Append(messages.Event{Type: "deleted", Target: "web-01"})
	if e := <-seen; e.Type != "deleted" {
		t.Errorf("the next event: %+v", e)
	}
	close(w.cut)
	if err := <-done; err != nil {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestARepeatedOrderToAnotherHostIsCarriedOutOnce(t *testing.T) {
	s, c := found(t, nil)
	for range 2 {
		r := request(t, http.MethodPost, "/v1/nodes/w1/actions/pause", `{"targets":["web-01"]}`)
		r.Header.Set("Idempotency-Key", "k")
		if status, body := s.do(t, r); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	if n := len(c.workers[oneID].crew.asked()); n != 1 {
		t.Errorf("it was carried out %d times", n)
	}
}

func TestAnyListOfAHostIsSelectedByItsName(t *testing.T) {
	s, _ := found(t, nil)
	l, err := s.client.Actors(t.Context(), Selection{Filter: "@w1 store"})
	if err != nil || len(l.Items) != 1 {
		t.Errorf("actors of w1: %+v, %v", l, err)
	}
	var e *Error
	if _, err := s.client.Actors(t.Context(), Selection{Filter: "@w1,w2"}); !errors.As(err, &e) || e.Code != BadRequest {
		t.Errorf("actors of two hosts: %v", err)
	}
	solo := launch(t, nil)
	if l, err := solo.client.Actors(t.Context(), Selection{Filter: "@local"}); err != nil || len(l.Items) != 2 {
		t.Errorf("actors of the host itself: %+v, %v", l, err)
	}
}

func TestEventsOfAHubSayWhichHostTheyAreAbout(t *testing.T) {
	s, _ := found(t, nil)
	s.feed.Append(messages.Event{Type: "state_changed", Target: "web-01", Topic: "decky." + oneID + ":web-01.state"})
	s.feed.Append(messages.Event{Type: "control", Target: "daemon"})
	l, err := s.client.Events(t.Context(), Query{Since: -1})
	if err != nil || l.Items[0].Node != "w1" || l.Items[1].Node != "" {
		t.Errorf("%+v, %v", l.Items, err)
	}
}

func TestTheDocumentKnowsTheCluster(t *testing.T) {
	s := launch(t, nil)
	var doc struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	_, body := s.do(t, request(t, http.MethodGet, "/v1/openapi.json", ""))
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for path, method := range map[string]string{"/v1/cluster/members": "get", "/v1/cluster/owners": "get", "/v1/cluster/leave": "post",
		"/v1/cluster/hosts/{host}/drain": "post", "/v1/cluster/hosts/{host}/undrain": "post", "/v1/cluster/hosts/{host}/forget": "post", "/v1/nodes/{host}/{path}": "delete"} {
		if doc.Paths[path][method] == nil {
			t.Errorf("the document has no %s %s", method, path)
		}
	}
}
