package web

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Bounds of a gate. Chosen: a link is followed at once; a session is a shift; a person has a few browsers.
const (
	linkLife    = time.Minute
	sessionLife = 12 * time.Hour
	maxLinks    = 8
	maxSessions = 16
)

// Gate lets a browser on this machine through to the control socket: everybody here can reach a loopback port, so only
// who opens a link that was told to the socket's user gets in. What is done goes to the daemon over that user's
// connection, and the daemon judges it by that user's role. Safe from any goroutine.
type Gate struct {
	addr   string // host:port it is reached by
	cookie string
	to     http.Handler
	now    func() time.Time

	mu       sync.Mutex
	links    map[[32]byte]time.Time // until when; by the hash, so that a dump of the memory opens nothing
	sessions map[[32]byte]time.Time
}

// ErrNotLoopback means that the address can be reached from other machines.
var ErrNotLoopback = errors.New("web: the address is not a loopback one")

// NewGate makes a gate for a listener's address, which must be a loopback one, in front of to.
func NewGate(addr net.Addr, to http.Handler, now func() time.Time) (*Gate, error) {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().IsLoopback() {
		return nil, ErrNotLoopback
	}
	return &Gate{addr: at.String(), cookie: "fleetd_" + itoa(int64(at.Port())), to: to, now: now,
		links: map[[32]byte]time.Time{}, sessions: map[[32]byte]time.Time{}}, nil
}

// Link makes a link that lets one browser in, once, within a minute.
func (g *Gate) Link() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return "http://" + g.addr + "/login?token=" + g.add(g.links, maxLinks, linkLife)
}

// add makes a secret and remembers it. Where there is no room the one that ends first makes it.
func (g *Gate) add(to map[[32]byte]time.Time, most int, life time.Duration) string {
	now := g.now()
	for len(to) >= most {
		var first [32]byte
		end := now.Add(2 * sessionLife)
		for k, until := range to {
			if until.Before(end) {
				first, end = k, until
			}
		}
		delete(to, first)
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // it never fails, by its documentation
	secret := base64.RawURLEncoding.EncodeToString(raw[:])
	to[sha256.Sum256([]byte(secret))] = now.Add(life)
	return secret
}

// ServeHTTP lets a request with a session through.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Referrer-Policy", "same-origin") // "no-referrer" would make the origin of forms null
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !g.ours(r) {
		g.say(w, http.StatusForbidden, "This request names another host or comes from another site.")
		return
	}
	if r.URL.Path == "/login" {
		g.login(w, r)
		return
	}
	if !g.known(r) {
		g.say(w, http.StatusUnauthorized, "Nobody is logged in here. Run <code>decnet-fleetd console --web</code>, or press Enter where it runs, and open the link it prints: "+
			"it works once, for a minute.")
		return
	}
	g.to.ServeHTTP(w, stripped(r, g.cookie))
}

// ours: a page of another site must not reach us by a name of its own, nor send anything here.
func (g *Gate) ours(r *http.Request) bool {
	_, port, err := net.SplitHostPort(g.addr)
	if err != nil || r.Host != g.addr && r.Host != "localhost:"+port {
		return false
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" && r.URL.Path != "/login" {
		return false
	}
	origin := r.Header.Get("Origin")
	return origin == "" || origin == "http://"+r.Host
}

// login turns a link into a session.
func (g *Gate) login(w http.ResponseWriter, r *http.Request) {
	session, ok := g.redeem(r.URL.Query().Get("token"))
	if r.Method != http.MethodGet || !ok {
		g.say(w, http.StatusForbidden, "This link has been used, or is older than a minute. Press Enter where <code>decnet-fleetd console --web</code> runs: it prints another.")
		return
	}
	http.SetCookie(w, &http.Cookie{Name: g.cookie, Value: session, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}) //nolint:gosec // plain HTTP on loopback
	// No redirect: a browser that followed a link of another program sends strict cookies only to where a page of ours leads it.
	w.Header().Set("Refresh", "0;url=/")
	g.say(w, http.StatusOK, `You are in: <a href="/">to the console</a>.`)
}

func (g *Gate) redeem(token string) (session string, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := sha256.Sum256([]byte(token))
	until, there := g.links[key]
	delete(g.links, key)
	if !there || !g.now().Before(until) {
		return "", false
	}
	return g.add(g.sessions, maxSessions, sessionLife), true
}

func (g *Gate) known(r *http.Request) bool {
	c, err := r.Cookie(g.cookie)
	if err != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	until, there := g.sessions[sha256.Sum256([]byte(c.Value))]
	return there && g.now().Before(until)
}

// say writes a page of one sentence, which is markup of ours.
func (g *Gate) say(w http.ResponseWriter, code int, words string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">` + // the reader may have gone
		`<title>decnet-fleetd</title><main><h1>decnet-fleetd</h1><p>` + words + `</p></main></html>`))
}

// stripped takes our cookie from a request: the daemon has no use for it.
func stripped(r *http.Request, cookie string) *http.Request {
	out := r.Clone(r.Context())
	out.Header.Del("Cookie")
	for _, c := range r.Cookies() {
		if c.Name != cookie {
			out.AddCookie(c)
		}
	}
	return out
}

// Through passes requests on to a control socket, as the user this process runs as.
func Through(dial func(ctx context.Context) (net.Conn, error)) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: "localhost"})
			p.Out.Host = "localhost"
			if p.In.Header.Get("Origin") != "" {
				p.Out.Header.Set("Origin", "http://localhost") // the gate has compared it with the name we were called by
			}
		},
		Transport: &http.Transport{
			DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
			DisableCompression: true,
			IdleConnTimeout:    30 * time.Second, // below the daemon's, so that none is used while it is being closed
		},
		FlushInterval: -1, // events and taps are shown as they come
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			http.Error(w, "the daemon cannot be reached: "+err.Error(), http.StatusServiceUnavailable)
		},
	}
}
