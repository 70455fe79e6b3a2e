package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"
)

type door struct {
	t    *testing.T
	gate *Gate
	now  time.Time
	seen []*http.Request // what came through
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: noon}
	g, err := NewGate(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8844}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { d.seen = append(d.seen, r) }), func() time.Time { return d.now })
	if err != nil {
		t.Fatal(err)
	}
	d.gate = g
	return d
}

func (d *door) ask(method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	d.gate.ServeHTTP(w, r)
	return w
}

// login follows a link and gives the session's cookie.
func (d *door) login() *http.Cookie {
	d.t.Helper()
	w := d.ask(http.MethodGet, d.gate.Link(), nil)
	if w.Code != http.StatusOK || len(w.Result().Cookies()) != 1 {
		d.t.Fatalf("login: %d\n%s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0]
}

func TestTheGateIsForThisMachineOnly(t *testing.T) {
	for _, ip := range []string{"0.0.0.0", "10.0.0.1", "::"} {
		if _, err := NewGate(&net.TCPAddr{IP: net.ParseIP(ip), Port: 1}, nil, nil); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v", ip, err)
		}
	}
	if _, err := NewGate(&net.TCPAddr{IP: net.ParseIP("::1"), Port: 1}, nil, nil); err != nil {
		t.Errorf("::1: %v", err)
	}
}

func TestALinkLetsOneBrowserInOnceWithinAMinute(t *testing.T) {
	d := newDoor(t)
	link := d.gate.Link()
	w := d.ask(http.MethodGet, link, nil)
	if w.Code != http.StatusOK {
		t.Fatalf("%d", w.Code)
	}
	c := w.Result().Cookies()[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
	if w := d.ask(http.MethodGet, link, nil); w.Code != http.StatusForbidden || len(w.Result().Cookies()) > 0 {
		t.Errorf("a second time: %d", w.Code)
	}
	late := d.gate.Link()
	d.now = d.now.Add(linkLife)
	if w := d.ask(http.MethodGet, late, nil); w.Code != http.StatusForbidden {
		t.Errorf("after a minute: %d", w.Code)
	}
	if w := d.ask(http.MethodGet, "http://127.0.0.1:8844/login?token=guess", nil); w.Code != http.StatusForbidden {
		t.Errorf("a guess: %d", w.Code)
	}
}

func TestNothingComesThroughWithoutASession(t *testing.T) {
	d := newDoor(t)
	c := d.login()
	with := func(r *http.Request) { r.AddCookie(c) }
	for name, x := range map[string]struct {
		target string
		change func(*http.Request)
		code   int
	}{
		"no cookie":                {"http://127.0.0.1:8844/", nil, 401},
		"a made up cookie":         {"http://127.0.0.1:8844/v1/status", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: c.Name, Value: "x"}) }, 401},
		"a cookie of another port": {"http://127.0.0.1:8844/", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "fleetd_1", Value: c.Value}) }, 401},
		"another name of ours":     {"http://evil.example:8844/", with, 403},
		"another port":             {"http://127.0.0.1:1/", with, 403},
		"no port":                  {"http://127.0.0.1/", with, 403},
		"another site":             {"http://127.0.0.1:8844/act", func(r *http.Request) { with(r); r.Header.Set("Origin", "http://evil.example") }, 403},
		"another port's page":      {"http://127.0.0.1:8844/act", func(r *http.Request) { with(r); r.Header.Set("Origin", "http://127.0.0.1:9") }, 403},
		"the other of our names":   {"http://127.0.0.1:8844/act", func(r *http.Request) { with(r); r.Header.Set("Origin", "http://localhost:8844") }, 403},
		"across sites":             {"http://127.0.0.1:8844/", func(r *http.Request) { with(r); r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
	} {
		if w := d.ask(http.MethodPost, x.target, x.change); w.Code != x.code || len(d.seen) > 0 {
			t.Errorf("%s: %d, came through %v", name, w.Code, d.seen)
		}
	}
	d.ask(http.MethodGet, "http://127.0.0.1:8844/deckies", func(r *http.Request) { with(r); r.AddCookie(&http.Cookie{Name: "other", Value: "1"}) })
	if len(d.seen) != 1 || strings.Contains(d.seen[0].Header.Get("Cookie"), c.Value) {
		t.Errorf("with a session %v", d.seen)
	}
	d.now = d.now.Add(sessionLife)
	if w := d.ask(http.MethodGet, "http://127.0.0.1:8844/", with); w.Code != 401 {
		t.Errorf("after the session: %d", w.Code)
	}
}

func TestLinksAndSessionsAreBoundedTheOldestGoes(t *testing.T) {
	d := newDoor(t)
	first := d.gate.Link()
	for range 100 {
		d.now = d.now.Add(time.Millisecond)
		d.login()
	}
	for range maxLinks {
		d.gate.Link()
	}
	if len(d.gate.links) != maxLinks || len(d.gate.sessions) != maxSessions {
		t.Errorf("%d links, %d sessions", len(d.gate.links), len(d.gate.sessions))
	}
	if w := d.ask(http.MethodGet, first, nil); w.Code != http.StatusForbidden {
		t.Errorf("the oldest link: %d", w.Code)
	}
}

func TestWhatComesThroughNamesTheSocket(t *testing.T) {
	var got *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r }))
	defer srv.Close()
	at, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	h := Through(func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", at.Host) })
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8844/act", strings.NewReader("a=b"))
	r.Header.Set("Origin", "http://127.0.0.1:8844")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if got == nil || got.Host != "localhost" || got.Header.Get("Origin") != "http://localhost" || got.URL.Path != "/act" {
		t.Errorf("%+v", got)
	}
	srv.Client().CloseIdleConnections()
	closeIdle(h)
	down := Through(func(context.Context) (net.Conn, error) { return nil, errors.New("gone") })
	w := httptest.NewRecorder()
	down.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8844/", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a daemon: %d", w.Code)
	}
}

func closeIdle(h http.Handler) {
	if p, is := h.(*httputil.ReverseProxy); is {
		p.Transport.(*http.Transport).CloseIdleConnections()
	}
}
