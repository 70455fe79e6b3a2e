package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed static/*
var staticFiles embed.FS

// views are the pages. They are parsed when the first one is shown: most daemons are never looked at in a browser, and the
// parsed pages take 2 MiB.
type views struct {
	parsed  func() (map[string]*template.Template, error)
	version string // of the static files: changes when one does
}

func newViews(escape func(string) string, now func() time.Time) *views {
	return &views{version: staticVersion(), parsed: sync.OnceValues(func() (map[string]*template.Template, error) { return parseViews(escape, now) })}
}

// named gives one page.
func (v *views) named(name string) (*template.Template, error) {
	all, err := v.parsed()
	if err == nil && all[name] == nil {
		err = fmt.Errorf("there is no template %q", name)
	}
	return all[name], err
}

func parseViews(escape func(string) string, now func() time.Time) (map[string]*template.Template, error) {
	byName := map[string]*template.Template{}
	base, err := template.New("layout.html").Funcs(functions(escape, now)).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(pageFiles, name)
		}
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", name, err)
		}
		byName[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return byName, nil
}

func staticVersion() string {
	sum := sha256.New()
	_ = fs.WalkDir(staticFiles, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := staticFiles.ReadFile(name)
		sum.Write(raw)
		return err
	}) // what is embedded can be read
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// tab is one entry of the navigation.
type tab struct {
	Name, Path, Key string
	Count           string
	Bad             bool
	Here            bool
}

// frame is everything the layout shows.
type frame struct {
	Title   string
	Who     Who
	Status  messages.Status
	Lost    string // why there is no status; "" if there is one
	Tabs    []tab
	Node    string
	Seq     int64 // of the newest event in the page
	Refresh int   // seconds between two loads without JavaScript; 0: none
	Query   url.Values
	Path    string
	Token   string
	Version string            // of the static files
	Nodes   []messages.Member // that can be chosen; none on a host that is no hub
	Chosen  messages.Member   // the host the page is about; zero: none was chosen
	API     string            // where the API of that host is
	Now     time.Time
	Data    any
}

// minRefresh keeps a page from asking faster than a person reads.
const minRefresh, maxRefresh = 2, 3600

func (p *Pages) frame(r *http.Request, who Who, c content) frame {
	f := frame{Title: c.title, Who: who, Node: p.cfg.Node, Query: r.URL.Query(), Path: r.URL.Path, Version: p.views.version,
		Now: p.cfg.Now(), Data: c.data, Token: p.tokens.issue(who, p.cfg.Now())}
	if n, err := strconv.Atoi(f.Query.Get("refresh")); err == nil {
		f.Refresh = max(minRefresh, min(n, maxRefresh))
	}
	if page, err := p.cfg.Model.Events(r.Context(), EventQuery{Limit: 1}); err == nil && c.code == 0 {
		f.Seq = page.Seq
	}
	if c.code != http.StatusForbidden {
		st, err := p.cfg.Model.Status(r.Context())
		if f.Status = st; err != nil {
			f.Lost = err.Error()
		}
	}
	f.Tabs = tabs(c.nav, f.Status)
	f.API = atNode(r.Context(), "/v1/")
	if s := siteOf(r.Context()); s.hub() {
		f.Nodes, f.Chosen = s.members, s.node
	}
	if n := len(f.Nodes); n > 1 {
		clusterTab(f.Tabs, f.Nodes)
	}
	return f
}

func tabs(here string, st messages.Status) []tab {
	total, bad := 0, 0
	for state, n := range st.Deckies {
		total += n
		if tone(state) == "bad" {
			bad += n
		}
	}
	all := []tab{{Name: "Overview", Path: "/", Key: "1"}, {Name: "Deckies", Path: "/deckies", Key: "2", Bad: bad > 0}, {Name: "Actors", Path: "/actors", Key: "3"},
		{Name: "Events", Path: "/events", Key: "4"}, {Name: "Crashes", Path: "/crashes", Key: "5"}, {Name: "Dead letters", Path: "/deadletters", Key: "6"},
		{Name: "Taps", Path: "/taps", Key: "7"}, {Name: "Cluster", Path: "/cluster", Key: "8"}, {Name: "Runtime", Path: "/runtime", Key: "9"},
		{Name: "Audit", Path: "/audit", Key: "0"}}
	if total > 0 {
		all[1].Count = grouped(int64(total))
	}
	for i := range all {
		all[i].Here = all[i].Name == here
	}
	return all
}

// clusterTab counts the hosts, and says that one of them is silent.
func clusterTab(all []tab, members []messages.Member) {
	for i := range all {
		if all[i].Path == "/cluster" {
			all[i].Count = itoa(int64(len(members)))
			all[i].Bad = slices.ContainsFunc(members, func(m messages.Member) bool { return m.Status == messages.MemberStale })
		}
	}
}

func (p *Pages) write(w http.ResponseWriter, r *http.Request, who Who, c content) {
	var page bytes.Buffer
	if err := p.render(&page, r, who, c); err != nil {
		p.cfg.Log.Error().Err(err).Str("page", c.view).Msg("page cannot be rendered")
		http.Error(w, "this page cannot be rendered: the daemon's log says why", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if c.code != 0 {
		w.WriteHeader(c.code)
	}
	_, _ = w.Write(page.Bytes()) // an error means that the reader has gone
}

// render writes a page to memory first: one that fails halfway is never shown.
func (p *Pages) render(to *bytes.Buffer, r *http.Request, who Who, c content) error {
	t, err := p.views.named(c.view)
	if err != nil {
		return err
	}
	return t.ExecuteTemplate(to, "layout.html", p.frame(r, who, c))
}

// document wraps what a page shows.
type document struct {
	API  string `json:"api"`
	Kind string `json:"kind"`
	Data any    `json:"data"`
}

func (p *Pages) writeDocument(w http.ResponseWriter, _ *http.Request, c content) {
	doc := c.doc
	if doc == nil {
		doc = c.data
	}
	raw, err := json.MarshalIndent(document{"v1", "page:" + c.view, doc}, "", "  ")
	if err != nil {
		http.Error(w, "this page has no JSON: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if c.code != 0 {
		w.WriteHeader(c.code)
	}
	_, _ = w.Write(append(raw, '\n'))
}

// kinds of the static files.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// static serves what is embedded. Its path has the version, so that a browser may keep it, and modules find each other.
func (p *Pages) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	raw, err := staticFiles.ReadFile("static/" + name)
	kind := kinds[path.Ext(name)]
	if err != nil || kind == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", kind)
	if r.PathValue("version") == p.views.version {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(raw) // an error means that the reader has gone
}
