package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) messages.Moment { return messages.Moment{Time: noon.Add(-d)} }

// host is a model in memory.
type host struct {
	who     Who
	whoErr  error
	status  messages.Status
	deckies []messages.DeckyStatus
	inspect messages.Inspection
	events  []messages.Event
	actors  []messages.ActorStatus
	crash   messages.CrashRecord
	old     bool // offers status, deckies and events only
	orders  []Order
	approve []string
	passes  int
	tapped  []Tapped
	members []messages.Member // none: it is alone
	self    string
	hosts   []Order  // of whole hosts
	nodes   []string // the hosts that were asked for, "" for this one
}

func (h *host) lacks() error {
	if h.old {
		return fmt.Errorf("%w: it is old", ErrNotOffered)
	}
	return nil
}

func (h *host) Who(context.Context) (Who, error) { return h.who, h.whoErr }
func (h *host) Status(ctx context.Context) (messages.Status, error) {
	h.nodes = append(h.nodes, siteOf(ctx).node.HostUUID)
	return h.status, nil
}

func (h *host) Members(context.Context) (all []messages.Member, self string, err error) {
	if h.members == nil {
		return nil, "", &Problem{Status: 409, Code: "conflict", Detail: "this host runs alone"}
	}
	return h.members, h.self, nil
}

func (h *host) Host(_ context.Context, o Order) ([]messages.ActionResult, error) {
	h.hosts = append(h.hosts, o)
	return []messages.ActionResult{{Name: o.Targets[0], Before: "running", After: "paused", Result: "done"}}, nil
}

func (h *host) Deckies(_ context.Context, filter string) ([]messages.DeckyStatus, error) {
	return slices.DeleteFunc(slices.Clone(h.deckies), func(d messages.DeckyStatus) bool { return !strings.Contains(d.Name, filter) }), nil
}

func (h *host) Inspect(_ context.Context, id string) (messages.Inspection, error) {
	for _, d := range h.deckies {
		if d.HostUUID+":"+d.Name == id {
			i := h.inspect
			i.Decky = d
			return i, nil
		}
	}
	return messages.Inspection{}, &Problem{Status: 404, Code: "not_found", Detail: "there is no decky " + id}
}

func (h *host) Events(_ context.Context, q EventQuery) (EventPage, error) {
	out := EventPage{Seq: int64(len(h.events))}
	for _, e := range h.events {
		if (q.Type == "" || e.Type == q.Type) && strings.Contains(e.Target, q.Target) {
			out.Items = append(out.Items, e)
		}
	}
	return out, nil
}

func (h *host) Actors(context.Context, string) ([]messages.ActorStatus, error) {
	return h.actors, h.lacks()
}
func (h *host) Crashes(context.Context, string) ([]messages.CrashRecord, error) {
	return []messages.CrashRecord{h.crash}, h.lacks()
}
func (h *host) Crash(context.Context, string) (messages.CrashRecord, error) {
	return h.crash, h.lacks()
}
func (h *host) DeadLetters(context.Context, string) (DeadLetters, error) {
	return DeadLetters{Items: []messages.DeadLetter{{At: ago(time.Minute), Target: "decky/gone", Type: "RuntimeObserved", Why: "stopped", Count: 3}}, Total: 3}, h.lacks()
}
func (h *host) Audit(context.Context, string) ([]messages.AuditEntry, error) {
	return []messages.AuditEntry{{Seq: 9, Time: ago(time.Minute), UID: 0, User: "root", Role: "admin", Via: "web", Verb: "release", Target: "web-1", Reason: "fixed", Result: "done"}}, h.lacks()
}
func (h *host) Runtime(context.Context) (Runtime, error) {
	return Runtime{GoVersion: "go1.26", RSSBytes: 48 << 20, Goroutines: 61}, h.lacks()
}
func (h *host) Handlers(context.Context) ([]HandlerTime, error) {
	return []HandlerTime{{Kind: "decky", Type: "RuntimeObserved", Count: 5, P50Seconds: 0.0002, P99Seconds: 0.009}}, h.lacks()
}
func (h *host) Goroutines(context.Context) ([]Goroutines, error) {
	return []Goroutines{{Actor: "decky/web-1", Count: 2, Top: "chan receive", Stack: "a\nb"}}, h.lacks()
}
func (h *host) Settings(context.Context) ([]Setting, error) {
	return []Setting{{Key: "database", Value: "sqlite:///x", Source: "default"}}, h.lacks()
}
func (h *host) Logs(context.Context, string) ([]LogLine, error) {
	return []LogLine{{Seq: 1, At: ago(time.Second), Level: "warn", Line: "{}"}}, h.lacks()
}
func (h *host) Act(_ context.Context, o Order) ([]messages.ActionResult, error) {
	h.orders = append(h.orders, o)
	var out []messages.ActionResult
	for _, t := range o.Targets {
		out = append(out, messages.ActionResult{Name: t, Before: "quarantined", After: "running", Result: "done"})
	}
	return out, nil
}
func (h *host) Reconcile(context.Context, bool) (messages.PassReport, error) {
	h.passes++
	return messages.PassReport{StateUpdated: 1}, nil
}
func (h *host) Approve(_ context.Context, hash, _ string, _ bool) ([]string, error) {
	h.approve = append(h.approve, hash)
	return []string{"web-1"}, nil
}
func (h *host) Tap(_ context.Context, _ TapWanted, each func(Tapped) error) (int64, error) {
	for _, m := range append([]Tapped{{}}, h.tapped...) {
		if err := each(m); err != nil {
			return 0, err
		}
	}
	return 2, nil
}

// sick is a host on which something is wrong in most ways.
func sick() *host {
	return &host{
		who: Who{UID: 0, User: "root", Role: "admin"},
		status: messages.Status{HostUUID: "local", Version: "v1", Role: "owner", UptimeSeconds: 3700, StartedAt: ago(time.Hour),
			Components: []messages.ComponentStatus{{Component: "bus", State: "ok", Since: ago(time.Hour)}, {Component: "docker", State: "down", Since: ago(time.Minute), Detail: "dial: no such file"}},
			Deckies:    map[string]int{"running": 1, "failed": 1},
			Held:       []messages.DeckyHeld{{Name: "old-1", Held: messages.Held{What: "delete", Why: "4 of 5 rows", Hash: "cafe"}}, {Name: "old-2", Held: messages.Held{What: "delete", Why: "4 of 5 rows", Hash: "cafe"}}},
			Warnings:   []string{"another reconciler beats"}, Counters: map[string]int64{"coalesced": 4}},
		deckies: []messages.DeckyStatus{
			{HostUUID: "local", Name: "web-1", State: "running", Phase: "quarantined", Reason: "index out of range [3]", Expected: []string{"ssh"}, Up: 1, IP: "10.0.4.12", ChangedAt: ago(4 * time.Minute), Restarts: 5},
			{HostUUID: "local", Name: "web-2", State: "failed", Declared: "present", Recorded: "present", Observed: "present", Expected: []string{"http", "ssh"},
				Services: []messages.ServiceSeen{{ID: "0123456789abcdef", Service: "ssh", State: "exited"}}, Phase: "quiet", Reason: "converged", IP: "10.0.4.7", ChangedAt: ago(time.Minute), Mailbox: 7},
			{HostUUID: "local", Name: "web-3", State: "running", Phase: "quiet", Reason: "converged", Expected: []string{"ssh"}, Up: 1, IP: "10.0.4.8", ChangedAt: ago(time.Hour)},
		},
		events: []messages.Event{
			{Seq: 1, At: ago(50 * time.Minute), Type: "inserted", Target: "web-2", To: "running", Cause: "file"},
			{Seq: 2, At: ago(10 * time.Minute), Type: "state_changed", Target: "web-2", From: "running", To: "degraded", Cause: "docker:die"},
			{Seq: 3, At: ago(5 * time.Minute), Type: "restarting", Target: "decky/web-2", Cause: "boom"},
			{Seq: 4, At: ago(time.Minute), Type: "state_changed", Target: "web-2", From: "degraded", To: "failed", Cause: "docker:die"},
		},
		actors: []messages.ActorStatus{
			{PID: "fleet/fleet", Kind: "fleet", ID: "fleet", Group: "sources", State: "running", Done: 99},
			{PID: "store/store", Kind: "store", ID: "store", Group: "delivery", State: "running", Stuck: true, InHandlerSeconds: 9, Mailbox: 12},
			{PID: "decky/web-1", Kind: "decky", ID: "web-1", State: "quarantined", Crashes: 5},
		},
		inspect: messages.Inspection{
			Facts:     []messages.FactSeen{{Source: "declared", Presence: "present", SeenAt: ago(time.Second), AgeSeconds: 1, Epoch: 2, Detail: "services http ssh"}},
			Decisions: []messages.Decision{{At: ago(time.Minute), Reason: "containers differ from the row", State: "failed", Action: "update", Times: 2}},
			Actor:     messages.ActorStatus{PID: "decky/web-2", State: "running", HighWater: 41},
			Crashes:   []messages.CrashRecord{{ID: 5, At: ago(time.Minute), Actor: "decky/web-2", Reason: "index out of range [3]", Message: "RuntimeObserved"}},
		},
		crash: messages.CrashRecord{ID: 5, At: ago(time.Minute), Actor: "decky/web-1", Reason: "index out of range [3]", Message: "RuntimeObserved", Stack: "main.go:1\nmain.go:2", State: "{}"},
	}
}

func open(t *testing.T, h *host) *Pages {
	t.Helper()
	p, err := New(Config{Model: h, Now: func() time.Time { return noon }, Node: "local"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(t *testing.T, p *Pages, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost"+path, nil))
	return w
}

// text gets a page that must be there.
func text(t *testing.T, p *Pages, path string) string {
	t.Helper()
	w := get(t, p, path)
	if w.Code != http.StatusOK {
		t.Fatalf("%s: %d\n%s", path, w.Code, w.Body)
	}
	return w.Body.String()
}

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// submit fills in the form of a page and sends it with some fields added or changed.
//
//nolint:revive // page and where its form goes, what is filled in and how it is sent
func submit(t *testing.T, p *Pages, page, to string, fields url.Values, change func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	m := tokenField.FindStringSubmatch(text(t, p, page))
	if m == nil {
		t.Fatalf("%s has no form", page)
	}
	form := url.Values{"token": {m[1]}}
	maps.Copy(form, fields)
	r := httptest.NewRequest(http.MethodPost, "http://localhost"+to, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://localhost")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w
}
