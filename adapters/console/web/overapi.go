package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Shortcuts spare the lists that are long, and asked for all the time, the way through JSON. They are optional, and only
// used for callers whose role the API has told.
type Shortcuts struct {
	Deckies func(ctx context.Context) ([]messages.DeckyStatus, error) // all, by name
	Actors  func(ctx context.Context) ([]messages.ActorStatus, error) // all
	Events  func(q EventQuery) EventPage
}

// OverAPI asks the API's own handler, in process and as the caller of the context: what is not allowed over the API is
// not allowed here either, and every order is in the audit.
func OverAPI(api http.Handler, s Shortcuts) Model { return &overAPI{api, s} }

type overAPI struct {
	api   http.Handler
	short Shortcuts
}

// list is how the API wraps items.
type list[T any] struct {
	Items []T   `json:"items"`
	Seq   int64 `json:"seq"`
	Total int64 `json:"total"`
	Gap   bool  `json:"gap"`
}

func ask[T any](ctx context.Context, m *overAPI, path string, query url.Values) (T, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return send[T](ctx, m, http.MethodGet, path, nil, nil)
}

//nolint:revive // a request has as many parts
func send[T any](ctx context.Context, m *overAPI, method, path string, body any, head http.Header) (T, error) {
	var v T
	got, err := m.call(ctx, method, path, body, head)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(got.body.Bytes(), &v); err != nil {
		return v, &Problem{Status: http.StatusInternalServerError, Code: "internal", Detail: "the answer to " + path + " cannot be read: " + err.Error()}
	}
	return v, nil
}

// call makes one request and waits for all of its answer.
func (m *overAPI) call(ctx context.Context, method, path string, body any, head http.Header) (*answer, error) {
	got := &answer{header: http.Header{}}
	r, err := request(ctx, method, path, body, head)
	if err != nil {
		return nil, err
	}
	if broken := serves(m.api, got, r); broken {
		return nil, &Problem{Status: http.StatusBadGateway, Code: "node_away", Detail: "the answer of the host broke off", Hint: "the page Cluster says how it is"}
	}
	return got, got.problem()
}

// serves has a handler answer, and says whether it gave up halfway: one that passes on what another host says may.
func serves(h http.Handler, w http.ResponseWriter, r *http.Request) (broken bool) {
	defer func() {
		if e := recover(); e != nil {
			if e != http.ErrAbortHandler { //nolint:errorlint // it is thrown as it is
				panic(e) //nolint:forbidigo // it is not ours
			}
			broken = true
		}
	}()
	h.ServeHTTP(w, r)
	return false
}

// atNode is where the chosen host answers a path. Who asks, and what concerns the cluster, this host knows.
func atNode(ctx context.Context, path string) string {
	node := siteOf(ctx).node.HostUUID
	if node == "" || strings.HasPrefix(path, "/v1/whoami") || strings.HasPrefix(path, "/v1/cluster/") {
		return path
	}
	return "/v1/nodes/" + url.PathEscape(node) + strings.TrimPrefix(path, "/v1")
}

func request(ctx context.Context, method, path string, body any, head http.Header) (*http.Request, error) {
	raw := []byte{}
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode the request %s: %w", path, err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+atNode(ctx, path), bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("make the request %s: %w", path, err)
	}
	maps.Copy(r.Header, head)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Decnet-Via", "web")
	return r, nil
}

// answer collects what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header is the answer's.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the first status.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

// Write keeps the text.
func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// problem is why there is no answer; nil if there is one.
func (a *answer) problem() error {
	if a.status < 400 {
		return nil
	}
	p := &Problem{Status: a.status, Code: "internal", Detail: http.StatusText(a.status)}
	_ = json.Unmarshal(a.body.Bytes(), p) // one that is no problem document keeps the words above
	if a.status == http.StatusNotFound && strings.HasPrefix(p.Detail, "there is no /v1/") {
		return fmt.Errorf("%w: %s", ErrNotOffered, strings.TrimPrefix(p.Detail, "there is no "))
	}
	return p
}

// Who asks who the caller is.
func (m *overAPI) Who(ctx context.Context) (Who, error) { return ask[Who](ctx, m, "/v1/whoami", nil) }

// Status asks for the status of the host.
func (m *overAPI) Status(ctx context.Context) (messages.Status, error) {
	return ask[messages.Status](ctx, m, "/v1/status", nil)
}

// Deckies lists those that a filter selects. The filter is the API's, so that it is the same in every face.
func (m *overAPI) Deckies(ctx context.Context, filter string) ([]messages.DeckyStatus, error) {
	if filter == "" && m.short.Deckies != nil && siteOf(ctx).node.HostUUID == "" {
		return m.short.Deckies(ctx)
	}
	l, err := ask[list[messages.DeckyStatus]](ctx, m, "/v1/deckies", filtered(filter))
	return l.Items, err
}

func filtered(filter string) url.Values {
	if filter == "" {
		return nil
	}
	return url.Values{"filter": {filter}}
}

// Inspect asks why a decky is as it is. A daemon that cannot tell tells its status and its events.
func (m *overAPI) Inspect(ctx context.Context, id string) (messages.Inspection, error) {
	i, err := ask[messages.Inspection](ctx, m, "/v1/deckies/"+url.PathEscape(id)+"/inspect", nil)
	if !notOffered(err) {
		return i, err
	}
	d, err := ask[messages.DeckyStatus](ctx, m, "/v1/deckies/"+url.PathEscape(id), nil)
	return messages.Inspection{Decky: d}, err
}

// Events asks for a page of events.
func (m *overAPI) Events(ctx context.Context, q EventQuery) (EventPage, error) {
	if m.short.Events != nil && siteOf(ctx).node.HostUUID == "" {
		return m.short.Events(q), nil
	}
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.Since > 0 {
		set("since", strconv.FormatInt(q.Since, 10))
	}
	if q.Limit > 0 {
		set("limit", strconv.Itoa(q.Limit))
	}
	if !q.NotBefore.IsZero() {
		set("not_before", q.NotBefore.UTC().Format(time.RFC3339Nano))
	}
	set("type", q.Type)
	set("target", q.Target)
	return ask[EventPage](ctx, m, "/v1/events", v)
}

// Actors lists the actors that a filter selects.
func (m *overAPI) Actors(ctx context.Context, filter string) ([]messages.ActorStatus, error) {
	if filter == "" && m.short.Actors != nil {
		return m.short.Actors(ctx)
	}
	l, err := ask[list[messages.ActorStatus]](ctx, m, "/v1/actors", filtered(filter))
	return l.Items, err
}

// Crashes lists crash records, newest first, without stack and state.
func (m *overAPI) Crashes(ctx context.Context, actor string) ([]messages.CrashRecord, error) {
	v := url.Values{}
	if actor != "" {
		v.Set("actor", actor)
	}
	l, err := ask[list[messages.CrashRecord]](ctx, m, "/v1/crashes", v)
	return l.Items, err
}

// Crash gives one crash record, whole.
func (m *overAPI) Crash(ctx context.Context, id string) (messages.CrashRecord, error) {
	return ask[messages.CrashRecord](ctx, m, "/v1/crashes/"+url.PathEscape(id), nil)
}

// DeadLetters lists the messages nobody took.
func (m *overAPI) DeadLetters(ctx context.Context, group string) (DeadLetters, error) {
	v := url.Values{}
	if group != "" {
		v.Set("group", group)
	}
	return ask[DeadLetters](ctx, m, "/v1/deadletters", v)
}

// Audit lists what somebody asked for, newest first.
func (m *overAPI) Audit(ctx context.Context, filter string) ([]messages.AuditEntry, error) {
	l, err := ask[list[messages.AuditEntry]](ctx, m, "/v1/audit", filtered(filter))
	return l.Items, err
}
