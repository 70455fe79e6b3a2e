package web

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/messages"
)

// Config is what the pages need. Model and Now are required.
type Config struct {
	Model  Model
	Now    func() time.Time
	Escape func(string) string // makes text from outside safe to look at, on one line; nil leaves what cannot be printed out
	Node   string              // host id, for the header
	Log    zerolog.Logger
	// Concerns are what somebody should know of a host of the cluster, the worst first; nil: nothing is said.
	Concerns func(m messages.Member, now time.Time) []string
}

// Pages serves the console. Whoever mounts it has checked Host and Origin.
type Pages struct {
	cfg    Config
	mux    *http.ServeMux
	views  *views
	tokens tokens
	past   pasts
}

// policy lets a page load its own style, scripts and stream, and nothing of anybody else's. There is no inline style or
// script, so that markup that slipped through would do nothing.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// New makes the pages. An error means that the program was built wrong.
func New(cfg Config) (*Pages, error) {
	if cfg.Model == nil || cfg.Now == nil {
		return nil, errors.New("web: Model and Now are required")
	}
	if cfg.Escape == nil {
		cfg.Escape = printable
	}
	p := &Pages{cfg: cfg, views: newViews(cfg.Escape, cfg.Now)}
	if _, err := rand.Read(p.tokens.key[:]); err != nil {
		return nil, err
	}
	p.mux = p.routes()
	return p, nil
}

// printable drops control bytes and what does not print.
func printable(s string) string { return strings.Map(keepPrintable, s) }

func (p *Pages) routes() *http.ServeMux {
	mux := http.NewServeMux()
	get := func(path string, h handler) { mux.Handle("GET "+path, p.page(h)) }
	get("/{$}", p.overview)
	get("/deckies", p.deckies)
	get("/deckies/{id}", p.decky)
	get("/actors", p.actors)
	get("/actors/{pid...}", p.actor)
	get("/events", p.events)
	get("/crashes", p.crashes)
	get("/crashes/{id}", p.crash)
	get("/deadletters", p.deadLetters)
	get("/taps", p.taps)
	get("/logs", p.logs)
	get("/cluster", p.cluster)
	get("/runtime", p.runtime)
	get("/audit", p.audit)
	get("/help", p.help)
	get("/act", p.ask)
	mux.Handle("GET /static/{version}/{file}", http.HandlerFunc(p.static))
	mux.Handle("POST /act", p.order(p.act))
	mux.Handle("POST /taps", http.HandlerFunc(p.tap))
	mux.Handle("POST /node", http.HandlerFunc(p.chooseNode))
	mux.Handle("/", p.page(p.lost))
	return mux
}

// ServeHTTP answers one request.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // "no-referrer" would make the origin of forms null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !strings.HasPrefix(r.URL.Path, "/static/") {
		r = p.placed(r)
	}
	p.mux.ServeHTTP(w, r)
}

// content is what a handler has found out: a template with its data, and the documents behind it.
type content struct {
	view  string // name of the template
	title string
	nav   string // entry of the navigation; "" is none
	data  any    // of the template
	doc   any    // of ?format=json; nil is data
	code  int    // of HTTP; 0 is 200
}

// handler makes the content of a page.
type handler func(r *http.Request, who Who) (content, error)

// page finds out who asks and renders what a handler found.
func (p *Pages) page(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, c, err := p.answer(r, h)
		if err != nil {
			c = refusal(err)
		}
		if wantsJSON(r) {
			p.writeDocument(w, r, c)
			return
		}
		p.write(w, r, who, c)
	}
}

func (p *Pages) answer(r *http.Request, h handler) (Who, content, error) {
	who, err := p.who(r.Context())
	if err != nil {
		return who, content{}, err
	}
	c, err := h(r, who)
	return who, c, err
}

// who asks for the caller's role. A daemon that knows none lets everybody in who can open its socket.
func (p *Pages) who(ctx context.Context) (Who, error) {
	who, err := p.cfg.Model.Who(ctx)
	if notOffered(err) {
		return Who{UID: -1}, nil
	}
	return who, err
}

func notOffered(err error) bool { return errors.Is(err, ErrNotOffered) }

// refusal is the page of an error.
func refusal(err error) content {
	p := &Problem{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: err.Error()}
	switch {
	case errors.As(err, &p):
	case notOffered(err):
		p = &Problem{Status: http.StatusNotFound, Code: "not_offered", Detail: "this daemon does not offer that", Hint: "it may be older than this page"}
	case errors.Is(err, context.DeadlineExceeded):
		p = &Problem{Status: http.StatusGatewayTimeout, Code: "timeout", Detail: "the daemon did not answer in time", Hint: "its log says what it waits for"}
	}
	return content{view: "problem", title: http.StatusText(p.Status), data: p, doc: map[string]any{"error": p}, code: p.Status}
}

func wantsJSON(r *http.Request) bool {
	if f := r.URL.Query().Get("format"); f != "" {
		return f == "json"
	}
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

func (p *Pages) lost(r *http.Request, _ Who) (content, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return content{}, &Problem{Status: http.StatusMethodNotAllowed, Code: "bad_request", Detail: "there is nothing to send to " + r.URL.Path}
	}
	return content{}, &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "there is no page " + r.URL.Path, Hint: "the navigation above lists the pages"}
}

// with is the query of a request with some of it changed: pairs of key and value, "" takes a key away.
func with(q url.Values, pairs ...string) string {
	out := url.Values{}
	maps.Copy(out, q)
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Del(pairs[i])
		if pairs[i+1] != "" {
			out.Set(pairs[i], pairs[i+1])
		}
	}
	if len(out) == 0 {
		return "?"
	}
	return "?" + out.Encode()
}
