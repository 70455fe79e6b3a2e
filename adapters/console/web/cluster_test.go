package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

const (
	oneID  = "11111111-1111-4111-8111-111111111111"
	goneID = "33333333-3333-4333-8333-333333333333"
)

// hubOf is a hub with a worker that is stale, one that is up, one that is drained and one that is gone.
func hubOf() *host {
	h := sick()
	h.self = "local"
	h.members = []messages.Member{
		{HostUUID: "local", Name: "master", Role: "hub", Status: messages.MemberUp, LastContact: ago(0), Deckies: 3, Version: "v1"},
		{HostUUID: oneID, Name: "fw-1", Role: "worker", Status: messages.MemberUp, LastContact: ago(time.Second), Deckies: 12, Lag: 7, Version: "v0", Skewed: true, SkewSeconds: -2.5,
			CertExpires: ago(-12 * 24 * time.Hour), Address: "10.0.0.2:40112"},
		{HostUUID: "22222222-2222-4222-8222-222222222222", Name: "fw-2", Role: "worker", Status: messages.MemberStale, LastContact: ago(time.Minute), Since: ago(time.Minute), Why: "<script>"},
		{HostUUID: "44444444-4444-4444-8444-444444444444", Name: "fw-4", Role: "worker", Status: messages.MemberUp, Paused: true},
		{HostUUID: goneID, Name: "fw-3", Role: "worker", Status: messages.MemberGone, Deckies: 2},
	}
	h.deckies[2].Node, h.deckies[2].HostUUID, h.deckies[2].Stale = "fw-1", oneID, true
	return h
}

func openHub(t *testing.T, h *host) *Pages {
	t.Helper()
	p, err := New(Config{Model: h, Now: func() time.Time { return noon }, Node: "local", Concerns: func(m messages.Member, _ time.Time) []string {
		if m.Status == messages.MemberUp {
			return nil
		}
		return []string{"it is " + string(m.Status) + ": look there " + m.Why}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheClusterPageShowsHostsAndWhatToDoAboutThem(t *testing.T) {
	h := hubOf()
	page := text(t, openHub(t, h), "/cluster")
	for _, want := range []string{`5 hosts`, `id="m-` + oneID + `"`, `Needs attention <span class="count bad">2`, `in 12d`, `class="warn">in 12d`, `another</span>`, `−2s`, `10.0.0.2:40112`,
		`/act?target=` + oneID + `&amp;verb=drain`, `verb=undrain`, `/act?target=` + goneID + `&amp;verb=forget`, `drained</span>`, `href="/deckies?filter=@` + oneID + `"`,
		`it is stale: look there &lt;script&gt;`, `<select id="nodes" name="node">`, `fw-2 (stale)`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	h.who.Role = "read-only"
	if page := text(t, openHub(t, h), "/cluster"); strings.Contains(page, "verb=drain") || !strings.Contains(page, "your role may not do this") {
		t.Error("who may only look is offered to drain a host")
	}
	if page := text(t, openHub(t, hubOf()), "/"); !strings.Contains(page, "look there") {
		t.Error("the overview does not say that a host is silent")
	}
}

func TestAWorkersPageSaysWhichHubItHas(t *testing.T) {
	h := sick()
	h.self = oneID
	h.members = []messages.Member{{HostUUID: oneID, Name: "fw-1", Role: "worker", Status: messages.MemberUp},
		{HostUUID: "hub", Name: "master", Role: "hub", Status: messages.MemberStale, Address: "10.0.0.1:8771", Why: "refused: not enrolled", CertExpires: ago(time.Hour)}}
	page := text(t, openHub(t, h), "/cluster")
	for _, want := range []string{"The hub of this host", "10.0.0.1:8771", "refused: not enrolled", "expired", `verb=leave`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if strings.Contains(page, `id="nodes"`) || strings.Contains(page, "verb=drain") {
		t.Error("a worker offers what a hub does")
	}
}

func TestTheDeckiesOfAHubSayWhoseTheyAre(t *testing.T) {
	page := text(t, openHub(t, hubOf()), "/deckies")
	for _, want := range []string{`>fw-1</a>`, `stale</span>`, `data-sort="host"`, `filter=%40` + oneID} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	if page := text(t, open(t, sick()), "/deckies"); strings.Contains(page, `data-sort="host"`) {
		t.Error("a host alone is named in every row")
	}
}

// choose sends the form of the header and gives the cookie that follows.
func choose(t *testing.T, p *Pages, node, back string) (*http.Cookie, *httptest.ResponseRecorder) {
	t.Helper()
	w := submit(t, p, "/cluster", "/node", url.Values{"node": {node}, "back": {back}}, nil)
	for _, c := range w.Result().Cookies() {
		if c.Name == nodeCookie {
			return c, w
		}
	}
	return nil, w
}

func withCookie(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

func TestTheChosenHostIsTheOneThatIsAskedAndActedOn(t *testing.T) {
	h := hubOf()
	p := openHub(t, h)
	c, w := choose(t, p, oneID, "/actors")
	if c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/actors" {
		t.Fatalf("%v, %d, %v", c, w.Code, w.Header())
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
	r.AddCookie(c)
	out := httptest.NewRecorder()
	h.nodes = nil
	p.ServeHTTP(out, r)
	if !strings.Contains(out.Body.String(), "What fw-1 itself says") || !strings.Contains(out.Body.String(), `data-api="/v1/nodes/`+oneID+`/"`) {
		t.Error("the page does not say which host it is about")
	}
	if len(h.nodes) == 0 || h.nodes[0] != oneID {
		t.Errorf("asked: %q", h.nodes)
	}
	// A form of a page that was made before another host was chosen does nothing.
	w = submit(t, p, "/act?verb=pause&target=web-1", "/act", url.Values{"verb": {"pause"}, "target": {"web-1"}, "node": {""}}, withCookie(c))
	if w.Code != http.StatusConflict || len(h.orders) != 0 {
		t.Errorf("%d, %+v", w.Code, h.orders)
	}
	w = submit(t, p, "/act?verb=pause&target=web-1", "/act", url.Values{"verb": {"pause"}, "target": {"web-1"}, "node": {oneID}}, withCookie(c))
	if w.Code != http.StatusOK || len(h.orders) != 1 {
		t.Errorf("%d, %+v", w.Code, h.orders)
	}
	for _, back := range []string{"/deckies/local:web-1", "//evil", "https://evil/", ""} {
		if _, w := choose(t, p, oneID, back); w.Header().Get("Location") != "/" {
			t.Errorf("back to %q leads to %s", back, w.Header().Get("Location"))
		}
	}
	if c, w := choose(t, p, "nowhere", "/"); c != nil || w.Code != http.StatusNotFound {
		t.Errorf("a host that is none: %v %d", c, w.Code)
	}
	if c, _ := choose(t, p, "", "/"); c == nil || c.MaxAge >= 0 {
		t.Errorf("all: %+v", c)
	}
	r = httptest.NewRequest(http.MethodPost, "http://localhost/node", strings.NewReader("node="+oneID))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	out = httptest.NewRecorder()
	p.ServeHTTP(out, r)
	if out.Code != http.StatusForbidden || len(out.Result().Cookies()) != 0 {
		t.Errorf("a form of another site chooses a host: %d", out.Code)
	}
}

func TestAHostIsDrainedForgottenAndLeftFromAPage(t *testing.T) {
	h := hubOf()
	p := openHub(t, h)
	if page := text(t, p, "/act?verb=drain&target="+oneID); !strings.Contains(page, ">fw-1</span>") {
		t.Error("the question does not name the host")
	}
	w := submit(t, p, "/act?verb=drain&target="+oneID, "/act", url.Values{"verb": {"drain"}, "target": {oneID}, "reason": {"disk"}}, nil)
	if w.Code != http.StatusOK || len(h.hosts) != 1 || h.hosts[0].Verb != "drain" || h.hosts[0].Targets[0] != oneID || h.hosts[0].Reason != "disk" {
		t.Errorf("%d, %+v", w.Code, h.hosts)
	}
	forget := func(typed string) int {
		return submit(t, p, "/act?verb=forget&target="+goneID, "/act", url.Values{"verb": {"forget"}, "target": {goneID}, "typed": {typed}}, nil).Code
	}
	if code := forget("y"); code != http.StatusBadRequest || len(h.hosts) != 1 {
		t.Errorf("%d: rows are deleted without the name", code)
	}
	if code := forget("fw-3"); code != http.StatusOK || len(h.hosts) != 2 {
		t.Errorf("%d, %+v", code, h.hosts)
	}
	h.who.Role = "read-only"
	if w := submit(t, p, "/cluster", "/act", url.Values{"verb": {"drain"}, "target": {oneID}}, nil); w.Code != http.StatusForbidden || len(h.hosts) != 2 {
		t.Errorf("who may only look drains a host: %d", w.Code)
	}
}

func TestAPageOfAnotherHostAsksThatHostsAPI(t *testing.T) {
	var paths []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		switch r.URL.Path {
		case "/v1/cluster/members":
			_, _ = w.Write([]byte(`{"self":"local","items":[{"host_uuid":"local","role":"hub","name":"m"},{"host_uuid":"x y","name":"w","role":"worker"}]}`))
		case "/v1/nodes/x y/actors":
			panic(http.ErrAbortHandler)
		default:
			_, _ = w.Write([]byte(`{}`))
		}
	})
	p, err := New(Config{Model: OverAPI(api, Shortcuts{}), Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "http://localhost/runtime", nil)
	r.AddCookie(&http.Cookie{Name: nodeCookie, Value: url.QueryEscape("x y")})
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	for _, want := range []string{"/v1/whoami", "/v1/nodes/x y/runtime", "/v1/nodes/x y/status"} {
		if !strings.Contains(strings.Join(paths, "\n")+"\n", want+"\n") {
			t.Errorf("%s was not asked: %q", want, paths)
		}
	}
	r = httptest.NewRequest(http.MethodGet, "http://localhost/actors", nil)
	r.AddCookie(&http.Cookie{Name: nodeCookie, Value: url.QueryEscape("x y")})
	w = httptest.NewRecorder()
	p.ServeHTTP(w, r)
	if w.Code != http.StatusBadGateway {
		t.Errorf("an answer that breaks off: %d", w.Code)
	}
}
