package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// allPages are the pages and a part that each must have.
var allPages = map[string]string{
	"/": `id="attention"`, "/deckies": `id="d-web-2"`, "/deckies/local:web-2": `id="timeline"`, "/actors": `class="tree"`, "/actors?view=table": `id="a-store/store"`,
	"/actors/decky/web-1": `decky/web-1`, "/events": `id="e4"`, "/crashes": `/crashes/5`, "/crashes/5": `main.go:2`, "/deadletters": `RuntimeObserved`, "/taps": `action="/taps"`,
	"/logs": `id="l1"`, "/cluster": `Solo`, "/runtime": `48.0 MiB`, "/runtime?goroutines=1": `chan receive`, "/audit": `release`, "/help": `quarantine, release`, "/act?verb=release&target=web-1": `action="/act"`,
}

func TestEveryPageIsCompleteWithoutAScript(t *testing.T) {
	p := open(t, sick())
	for path, part := range allPages {
		page := text(t, p, path)
		for _, want := range []string{part, `<html lang="en">`, `<main id="main"`, `<nav id="nav" aria-label=`, `class="skip" href="#main"`, `<title>`, `</html>`, `<h1`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %s", path, want)
			}
		}
	}
}

// inline finds what the policy would stop: a page that needed it would look right in a test and be broken in a browser.
var inline = regexp.MustCompile(`(?i)\sstyle=|<style|\son[a-z]+=|<script[^>]*>[^<]|javascript:|https?://(?:[^lw]|l[^o]|w[^w3])`)

func TestNoPageNeedsMoreThanThePolicyAllows(t *testing.T) {
	p := open(t, sick())
	for path := range allPages {
		if found := inline.FindString(text(t, p, path)); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
	got := get(t, p, "/").Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:", "form-action 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(got, want) {
			t.Errorf("the policy has no %s", want)
		}
	}
	if strings.Contains(got, "unsafe") {
		t.Errorf("the policy allows too much: %s", got)
	}
}

func TestEveryPageIsAlsoJSON(t *testing.T) {
	p := open(t, sick())
	for path := range allPages {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		w := get(t, p, path+sep+"format=json")
		var doc struct {
			API  string `json:"api"`
			Kind string `json:"kind"`
			Data any    `json:"data"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.API != "v1" || !strings.HasPrefix(doc.Kind, "page:") || doc.Data == nil {
			t.Errorf("%s: %v, %+v", path, err, doc)
		}
		if kind := w.Header().Get("Content-Type"); kind != "application/json" {
			t.Errorf("%s is %s", path, kind)
		}
	}
}

func TestWhatNeedsSomebodyComesFirstCausesBeforeEffects(t *testing.T) {
	page := text(t, open(t, sick()), "/")
	last := 0
	for _, want := range []string{`id="attention"`, "docker", "2 deletions", "store/store", "web-1", "web-2", "another reconciler beats", `id="fleet"`, `id="parts"`} {
		i := strings.Index(page[last:], want)
		if i < 0 {
			t.Fatalf("%q does not follow in its place", want)
		}
		last += i
	}
}

func TestACalmHostSaysSo(t *testing.T) {
	h := sick()
	h.status = messages.Status{HostUUID: "local", Role: "owner"}
	h.deckies, h.actors = h.deckies[2:], nil
	if page := text(t, open(t, h), "/"); !strings.Contains(page, "Everything is as it should be") {
		t.Error("it does not say that all is well")
	}
}

var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'); DROP TABLE x;--`, "a\u202egnp.exe", "a\x1b[2Jb", "a/b?c#d", "javascript:alert(1)", "../../etc", "</title><svg onload=alert(1)>", "{{.}}", "a\u0000b",
}

// data are attributes that carry a name as it is, for scripts and forms: nobody sees them, and quotes in them are escaped.
var data = regexp.MustCompile(`\s(?:value|id|data-name|data-actor|data-standing)="[^"<>]*"`)

func TestHostileTextIsInertOnEveryPage(t *testing.T) {
	for _, name := range hostile {
		h := sick()
		d := &h.deckies[1]
		d.Name, d.Reason, d.IP, d.State, d.Cause, d.Expected = name, name, name, name, name, []string{name}
		d.Services = []messages.ServiceSeen{{ID: name, Service: name, State: name, Health: name}}
		h.status.Components[1].Detail, h.status.HostUUID, h.status.Warnings = name, name, []string{name}
		for i := range h.events {
			h.events[i].Target, h.events[i].Cause, h.events[i].To, h.events[i].Type = name, name, name, name
		}
		h.actors[2].PID, h.actors[2].ID = "decky/"+name, name
		h.crash.Reason, h.crash.Stack, h.crash.Message, h.crash.Actor = name, name, name, "decky/"+name
		h.inspect.Facts[0].Detail, h.inspect.Decisions[0].Reason, h.who.User = name, name, name
		p := open(t, h)
		for _, path := range []string{"/", "/deckies?wide=1", deckyPath("local", name), "/actors", "/actors?view=table", actorPath("decky/" + name), "/events", "/crashes/5", orderPath("restart", name, false)} {
			page := data.ReplaceAllString(text(t, p, path), "")
			for _, bad := range []string{"<script>alert", "<img", "onerror=alert(1)>", "<svg onload", "\x1b", "\u202e", "\x00", `href="javascript:`} {
				if i := strings.Index(page, bad); i >= 0 {
					t.Errorf("%q on %s: %q is alive: %q", name, path, bad, page[max(0, i-60):i+20])
				}
			}
		}
	}
}

func TestADeckyWithAnyNameHasItsPage(t *testing.T) {
	h := sick()
	for i, name := range hostile {
		h.deckies = append(h.deckies, messages.DeckyStatus{HostUUID: "local", Name: name, State: "running", IP: fmt.Sprint(i)})
	}
	p := open(t, h)
	for i, name := range hostile {
		var doc struct {
			Data struct{ Decky messages.DeckyStatus }
		}
		w := get(t, p, deckyPath("local", name)+"?format=json")
		if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || doc.Data.Decky.IP != fmt.Sprint(i) {
			t.Errorf("%q: %d %v %s", name, w.Code, err, doc.Data.Decky.IP)
		}
	}
}

func TestFormsOfOthersAreRefusedAndDoNothing(t *testing.T) {
	other := Who{UID: 7, Role: "operator"}
	for name, x := range map[string]struct {
		fields url.Values
		change func(*http.Request)
	}{
		"no token":               {url.Values{"token": {""}}, nil},
		"a made up token":        {url.Values{"token": {"zzz.AAAA"}}, nil},
		"a token of another day": {url.Values{"token": {open(t, sick()).tokens.issue(other, noon.Add(-13*time.Hour))}}, nil},
		"another site":           {nil, func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") }},
		"another port here":      {nil, func(r *http.Request) { r.Header.Set("Origin", "http://localhost:9") }},
		"an opaque origin":       {nil, func(r *http.Request) { r.Header.Set("Origin", "null") }},
		"sent across sites":      {nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }},
		"sent from a sibling":    {nil, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") }},
	} {
		h := sick()
		fields := url.Values{"verb": {"release"}, "target": {"web-1"}}
		maps.Copy(fields, x.fields)
		w := submit(t, open(t, h), "/act?verb=release&target=web-1", "/act", fields, x.change)
		if w.Code != http.StatusForbidden || len(h.orders) > 0 {
			t.Errorf("%s: %d, orders %v", name, w.Code, h.orders)
		}
		if w := submit(t, open(t, h), "/taps", "/taps", url.Values{"actor": {"x"}, "token": {"no"}}, nil); w.Code != http.StatusForbidden {
			t.Errorf("a tap without a token: %d", w.Code)
		}
	}
}

func TestATokenIsGoodForItsOwnerAndItsTimeOnly(t *testing.T) {
	var tk tokens
	me, other := Who{UID: 1, Role: "operator"}, Who{UID: 2, Role: "operator"}
	token := tk.issue(me, noon)
	for name, ok := range map[string]bool{
		"me, now":           tk.valid(token, me, noon),
		"me, half a day on": tk.valid(token, me, noon.Add(tokenLife-time.Second)),
	} {
		if !ok {
			t.Errorf("%s is refused", name)
		}
	}
	for name, ok := range map[string]bool{
		"another user":       tk.valid(token, other, noon),
		"me with more role":  tk.valid(token, Who{UID: 1, Role: "admin"}, noon),
		"too late":           tk.valid(token, me, noon.Add(tokenLife)),
		"of another process": (&tokens{key: [32]byte{1}}).valid(token, me, noon),
		"cut":                tk.valid(token[:len(token)-1], me, noon),
		"empty":              tk.valid("", me, noon),
	} {
		if ok {
			t.Errorf("%s is let through", name)
		}
	}
}

func TestAnOrderGivenWithoutAScriptReachesTheDaemonOnceWithItsReason(t *testing.T) {
	h := sick()
	p := open(t, h)
	w := submit(t, p, "/act?verb=release&target=web-1", "/act", url.Values{"verb": {"release"}, "target": {"web-1"}, "reason": {"fixed"}, "key": {"k1"}}, nil)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "done") {
		t.Fatalf("%d\n%s", w.Code, w.Body)
	}
	want := Order{Verb: "release", Targets: []string{"web-1"}, Reason: "fixed", Key: "k1"}
	if got := fmt.Sprintf("%+v", h.orders); got != fmt.Sprintf("%+v", []Order{want}) {
		t.Errorf("orders %s", got)
	}
	w = submit(t, p, "/act?verb=release&target=web-1", "/act", url.Values{"verb": {"release"}, "target": {"web-1"}, "key": {"k1"}, "dry_run": {"1"}}, nil)
	if last := h.orders[len(h.orders)-1]; w.Code != 200 || !last.DryRun || last.Key == "k1" {
		t.Errorf("the dry run was %+v", last)
	}
}

func TestRolesDecideWhichButtonsWork(t *testing.T) {
	for _, x := range []struct {
		role            string
		restarts, kills bool
	}{{"read-only", false, false}, {"operator", true, false}, {"admin", true, true}, {"", true, true}} {
		h := sick()
		h.who = Who{UID: 5, Role: x.role}
		p := open(t, h)
		page := text(t, p, "/deckies/local:web-2")
		if got := strings.Contains(page, `href="/act?target=web-2&amp;verb=restart"`); got != x.restarts {
			t.Errorf("%q: restart offered: %v", x.role, got)
		}
		if !strings.Contains(page, "Restart actor") {
			t.Errorf("%q is not shown that there is a restart", x.role)
		}
		if got := strings.Contains(text(t, p, "/actors/store/store"), "verb=kill"); got != x.kills {
			t.Errorf("%q: kill offered: %v", x.role, got)
		}
		if got := strings.Contains(text(t, p, "/act?verb=restart&target=web-2"), "<form"); got != x.restarts {
			t.Errorf("%q: the form of restart: %v", x.role, got)
		}
		w := submit(t, p, "/taps", "/act", url.Values{"verb": {"kill"}, "target": {"web-2"}, "actors": {"1"}}, nil)
		if (w.Code == http.StatusOK) != x.kills || (len(h.orders) > 0) != x.kills {
			t.Errorf("%q kills: %d, orders %v", x.role, w.Code, h.orders)
		}
	}
}

func TestWhoHasNoRoleSeesNothing(t *testing.T) {
	h := sick()
	h.whoErr = &Problem{Status: 403, Code: "permission", Detail: "this needs the role read-only, yours is none"}
	w := get(t, open(t, h), "/deckies")
	if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "web-1") || strings.Contains(w.Body.String(), "local") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}

func TestWhatIsHardToUndoHasToBeTyped(t *testing.T) {
	h := sick()
	p := open(t, h)
	for name, x := range map[string]struct {
		page   string
		fields url.Values
		typed  string
	}{
		"the whole host":    {"/act?verb=pause&target=*", url.Values{"verb": {"pause"}, "target": {"*"}}, "all"},
		"a set of deletes":  {"/act?verb=approve&target=cafe", url.Values{"verb": {"approve"}, "target": {"cafe"}, "must": {"2"}}, "2"},
		"a dozen of them":   {"/act?verb=restart&target=a", url.Values{"verb": {"restart"}, "target": strings.Split("a b c d e f g h i j k l", " ")}, "12"},
		"a set with a host": {"/act?verb=resync&target=*", url.Values{"verb": {"resync"}, "target": {"*", "a"}}, "all"},
	} {
		h.orders, h.approve = nil, nil
		x.fields.Set("typed", "no")
		if w := submit(t, p, x.page, "/act", x.fields, nil); w.Code != http.StatusBadRequest || len(h.orders)+len(h.approve) > 0 {
			t.Errorf("%s goes with a slip of the hand: %d", name, w.Code)
		}
		x.fields.Set("typed", x.typed)
		if w := submit(t, p, x.page, "/act", x.fields, nil); w.Code != http.StatusOK || len(h.orders)+len(h.approve) != 1 {
			t.Errorf("%s: %d\n%s", name, w.Code, w.Body)
		}
	}
}

func TestBadOrdersAreRefusedAndSayWhy(t *testing.T) {
	p := open(t, sick())
	for path, code := range map[string]int{"/act?verb=explode&target=a": 404, "/act?verb=restart": 400, "/nothing": 404, "/deckies/local:nobody": 404, "/actors/no/body": 404} {
		if w := get(t, p, path); w.Code != code || !strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d, not %d", path, w.Code, code)
		}
	}
	big := submit(t, p, "/taps", "/act", url.Values{"verb": {"restart"}, "target": {strings.Repeat("x", maxForm)}}, nil)
	if big.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 256 KiB: %d", big.Code)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "http://localhost/deckies", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("DELETE: %d", w.Code)
	}
}

func TestAnOlderDaemonShowsWhatItHas(t *testing.T) {
	h := sick()
	h.old, h.whoErr = true, fmt.Errorf("%w: /v1/whoami", ErrNotOffered)
	p := open(t, h)
	for _, path := range []string{"/", "/deckies", "/deckies/local:web-2", "/events", "/runtime", "/cluster"} {
		text(t, p, path)
	}
	if w := get(t, p, "/actors"); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "does not offer") {
		t.Errorf("/actors: %d\n%s", w.Code, w.Body)
	}
}

func TestTheListIsFilteredSortedAndPagedByItsAddress(t *testing.T) {
	h := sick()
	h.deckies = nil
	for i := range 250 {
		d := messages.DeckyStatus{HostUUID: "local", Name: fmt.Sprintf("d-%03d", i), State: "running", IP: fmt.Sprintf("10.0.0.%d", i), Mailbox: int64(i)}
		if i%50 == 0 {
			d.State = "failed"
		}
		h.deckies = append(h.deckies, d)
	}
	p := open(t, h)
	names := func(path string) (out []string) {
		for _, m := range regexp.MustCompile(`<tr id="d-([^"]+)"`).FindAllStringSubmatch(text(t, p, path), -1) {
			out = append(out, m[1])
		}
		return out
	}
	for path, want := range map[string]struct {
		first string
		n     int
	}{
		"/deckies": {"d-000", 100}, "/deckies?page=3": {"d-200", 50}, "/deckies?page=99": {"d-200", 50}, "/deckies?sort=-name": {"d-249", 100}, "/deckies?sort=mailbox": {"d-249", 100},
		"/deckies?sort=-ip&size=5": {"d-249", 5}, "/deckies?state=failed": {"d-000", 5}, "/deckies?faults=1&sort=-name": {"d-200", 5}, "/deckies?filter=d-01": {"d-010", 10}, "/deckies?sort=nonsense&page=-1": {"d-000", 100},
	} {
		if got := names(path); len(got) != want.n || got[0] != want.first {
			t.Errorf("%s: %d from %v", path, len(got), got[:min(1, len(got))])
		}
	}
	if page := text(t, p, "/deckies?sort=state&page=2"); !strings.Contains(page, `aria-sort="ascending"`) || !strings.Contains(page, `href="?page=3&amp;sort=state"`) {
		t.Error("the next page forgets how the list is sorted")
	}
}

func TestAReloadWithoutAScriptIsBounded(t *testing.T) {
	p := open(t, sick())
	for path, want := range map[string]string{"/?refresh=5": `content="5"`, "/?refresh=0": `content="2"`, "/?refresh=999999": `content="3600"`} {
		if !strings.Contains(text(t, p, path), `http-equiv="refresh" `+want) {
			t.Errorf("%s is not %s", path, want)
		}
	}
	if strings.Contains(text(t, p, "/?refresh=x"), "http-equiv") {
		t.Error("a reload that nobody asked for")
	}
}

func TestATapIsAPageThatFillsWithoutAScript(t *testing.T) {
	h := sick()
	h.tapped = []Tapped{{Seq: 1, At: ago(0), Actor: "decky/web-1", Type: "RuntimeObserved", Result: "ok", Summary: "<b>x"}, {Seq: 2, Actor: "decky/web-1", Type: "Tick", Result: "crashed"}}
	page := submit(t, open(t, h), "/taps", "/taps", url.Values{"actor": {"decky/web-1"}}, nil).Body.String()
	for _, want := range []string{"RuntimeObserved", "&lt;b&gt;x", "crashed", "2 messages seen, 2 dropped", "</html>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
}

func TestStaticFilesMayBeKeptAndNothingElseIsServed(t *testing.T) {
	p := open(t, sick())
	w := get(t, p, "/static/"+p.views.version+"/app.css")
	if w.Code != 200 || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/css") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := get(t, p, "/static/old/live.js"); w.Code != 200 || strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("of another version: %d %v", w.Code, w.Header())
	}
	for _, path := range []string{"/static/x/nothing.js", "/static/x/..%2Fpages%2Flayout.html", "/static/x/%2e%2e"} {
		if w := get(t, p, path); w.Code == 200 {
			t.Errorf("%s is served", path)
		}
	}
}
