package console

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fleet is a backend in memory.
type fleet struct {
	status  messages.Status
	deckies []messages.DeckyStatus
	ready   messages.Ready
	dead    error // of a loop that does not answer
	hang    bool
	answer  any // instead of the right one
	version atomic.Uint64
}

func (f *fleet) Ask(ctx context.Context, question any) (any, error) {
	if f.hang {
		<-ctx.Done()
		return nil, context.DeadlineExceeded
	}
	if f.answer != nil {
		return f.answer, nil
	}
	switch q := question.(type) {
	case messages.GetStatus:
		return f.status, nil
	case messages.GetDeckies:
		return f.deckies, nil
	case messages.GetDeckiesVersion:
		return messages.DeckiesVersion(f.version.Load()), nil
	case messages.GetHealth:
		return messages.Alive{}, f.dead
	case messages.GetReady:
		return f.ready, nil
	case messages.GetPass:
		return messages.PassReport{Inserted: 1, DryRun: q.DryRun}, nil
	case messages.ApproveDeletes:
		return messages.ApproveReply{Held: true, Hash: "abc", Accepted: q.Hash == "abc", Released: !q.DryRun}, nil
	}
	return nil, errors.New("unknown question")
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// up is a server on a real socket.
type up struct {
	path   string
	feed   *Feed
	log    *buffer
	client *Client
	stop   func()
	http   *http.Client
	server *Server
}

func start(t *testing.T, f *fleet) *up {
	t.Helper()
	return startWith(t, func(c *Config) { c.Backend = f })
}

func startWith(t *testing.T, change func(*Config)) *up {
	t.Helper()
	u := &up{path: filepath.Join(t.TempDir(), "control.sock"), feed: NewFeed(8, 0), log: &buffer{}}
	ctx, cancel := context.WithCancel(context.Background())
	cfg := Config{Path: u.path, Feed: u.feed, Node: "local", Now: time.Now, Log: zerolog.New(u.log),
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "decnet_fleetd_build_info 1\n") })}
	change(&cfg)
	s, err := Listen(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	u.server = s
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	u.client = NewClient(u.path, 5*time.Second)
	u.http = u.client.http
	u.stop = sync.OnceFunc(func() {
		u.client.Close()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(u.stop)
	return u
}

func (u *up) do(t *testing.T, req *http.Request) (int, string) {
	t.Helper()
	resp, err := u.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, resp.Body)
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func request(t *testing.T, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}

var twoDeckies = []messages.DeckyStatus{{HostUUID: "local", Name: "decky-01"}, {HostUUID: "local", Name: "a/b c:d"}}

func TestAnswersAreEnvelopesWithoutNulls(t *testing.T) {
	u := start(t, &fleet{status: messages.Status{HostUUID: "local", Role: "owner"}, deckies: twoDeckies[:1], ready: messages.Ready{Passed: true, Role: "owner"}})
	fill(u.feed, 2)
	tests := map[string]struct{ method, path, want string }{
		"deckies": {"GET", "/v1/deckies", `{"api":"v1","kind":"deckies","items":[{"host_uuid":"local","name":"decky-01","state":"",` +
			`"aggregate":"","declared":"","recorded":"","observed":"","expected":[],"services":[],"up":0,"ip":"","phase":"","reason":"",` +
			`"rev":0,"cause":"","changed_at":null,"restarts":0,"mailbox":0,"high_water":0}],"seq":2}`},
		"no deckies": {"GET", "/v1/deckies?filter=zzz", `{"api":"v1","kind":"deckies","items":[],"seq":2}`},
		"events": {"GET", "/v1/events?since=1", `{"api":"v1","kind":"events","items":[{"seq":2,"at":null,"type":"state_changed",` +
			`"target":"decky-01"}],"seq":2}`},
		"a pass": {"POST", "/v1/reconcile", `{"api":"v1","kind":"reconcile","inserted":1,"deleted":0,"state_updated":0,"config_updated":0,` +
			`"dry_run":false,"plan":[],"held":[],"faults":[],"file_invalid":false,"database_down":false,"late":false,"not_owner":false,"unpublished":0}`},
		"health":  {"GET", "/healthz", `{"status":"ok"}`},
		"ready":   {"GET", "/readyz", `{"status":"ready","passed":true,"role":"owner","reasons":[]}`},
		"metrics": {"GET", "/metrics", "decnet_fleetd_build_info 1"},
	}
	for name, tt := range tests {
		code, got := u.do(t, request(t, tt.method, tt.path, ""))
		if code != 200 || strings.TrimSpace(got) != tt.want {
			t.Errorf("%s: %d %s\nwant %s", name, code, got, tt.want)
		}
	}
	code, got := u.do(t, request(t, "GET", "/v1/status", ""))
	if code != 200 || !strings.HasPrefix(got, `{"api":"v1","kind":"status","host_uuid":"local"`) || strings.Contains(got, ":null,\"rejected\"") ||
		!strings.Contains(got, `"components":[]`) {
		t.Errorf("status: %d %s", code, got)
	}
}

func TestRefusalsAreProblems(t *testing.T) {
	u := start(t, &fleet{dead: errors.New("store does not answer"), deckies: twoDeckies})
	tests := map[string]struct {
		method, path, body string
		set                func(*http.Request)
		status             int
		code               Code
	}{
		"an unknown path":      {"GET", "/v2/status", "", nil, 404, NotFound},
		"an unknown decky":     {"GET", "/v1/deckies/local:nobody", "", nil, 404, NotFound},
		"the wrong method":     {"POST", "/v1/status", "", nil, 405, BadRequest},
		"a pass by GET":        {"GET", "/v1/reconcile", "", nil, 405, BadRequest},
		"a strange host":       {"GET", "/v1/status", "", func(r *http.Request) { r.Host = "evil.example:80" }, 403, Permission},
		"a strange origin":     {"POST", "/v1/reconcile", "", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403, Permission},
		"an opaque origin":     {"POST", "/v1/reconcile", "", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403, Permission},
		"no JSON":              {"POST", "/v1/reconcile", "dry_run=1", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415, BadRequest},
		"broken JSON":          {"POST", "/v1/reconcile", "{", nil, 400, BadRequest},
		"an unknown field":     {"POST", "/v1/reconcile", `{"dry":true}`, nil, 400, BadRequest},
		"two documents":        {"POST", "/v1/reconcile", `{} {}`, nil, 400, BadRequest},
		"a large body":         {"POST", "/v1/reconcile", `{"x":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413, TooLarge},
		"since what":           {"GET", "/v1/events?since=yesterday", "", nil, 400, BadRequest},
		"a negative since":     {"GET", "/v1/events?since=-1", "", nil, 400, BadRequest},
		"no limit":             {"GET", "/v1/events?limit=0", "", nil, 400, BadRequest},
		"a time of day":        {"GET", "/v1/events?not_before=noon", "", nil, 400, BadRequest},
		"a bad place to go on": {"GET", "/v1/stream", "", func(r *http.Request) { r.Header.Set("Last-Event-ID", "x") }, 400, BadRequest},
		"a dead loop":          {"GET", "/healthz", "", nil, 503, Unavailable},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := request(t, tt.method, tt.path, tt.body)
			if tt.set != nil {
				tt.set(r)
			}
			status, got := u.do(t, r)
			var p problem
			if err := json.Unmarshal([]byte(got), &p); err != nil || status != tt.status || p.Status != tt.status || p.Code != tt.code || p.Detail == "" {
				t.Errorf("%d %s (%v); want %d %s", status, got, err, tt.status, tt.code)
			}
		})
	}
}

func TestLocalNamesAreAllowedAsHost(t *testing.T) {
	u := start(t, &fleet{})
	for _, host := range []string{"localhost", "localhost:8844", "127.0.0.1:1", "[::1]:80", "[::1]", "unix"} {
		r := request(t, "GET", "/healthz", "")
		r.Host = host
		if code, got := u.do(t, r); code != 200 {
			t.Errorf("host %q: %d %s", host, code, got)
		}
	}
}

func TestDeckyIsFoundByItsWholeIDWhateverItsName(t *testing.T) {
	u := start(t, &fleet{deckies: twoDeckies})
	d, err := u.client.Decky(t.Context(), "local:a/b c:d")
	if err != nil || d.Name != "a/b c:d" {
		t.Errorf("got %q, %v", d.Name, err)
	}
}

func TestPassesAreLoggedWithWhoAskedForThem(t *testing.T) {
	u := start(t, &fleet{})
	for hash, want := range map[string]bool{"abc": true, "abd": false} {
		if r, err := u.client.Approve(t.Context(), ApproveRequest{Hash: hash}); err != nil || r.Accepted != want || !r.Held {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if _, err := u.client.Approve(t.Context(), ApproveRequest{}); err == nil {
		t.Error("approved without a hash")
	}
	report, err := u.client.Reconcile(t.Context(), true)
	if err != nil || !report.DryRun || report.Inserted != 1 {
		t.Fatalf("got %+v, %v", report, err)
	}
	want := fmt.Sprintf(`"uid":%d,"pid":%d,"peer_known":true,"user":"","dry_run":true`, os.Getuid(), os.Getpid())
	if got := u.log.String(); !strings.Contains(got, want) {
		t.Errorf("log %s\nlacks %s", got, want)
	}
}

func TestSocketGoesWithTheServer(t *testing.T) {
	u := start(t, &fleet{})
	u.stop()
	if _, err := os.Lstat(u.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays behind: %v", err)
	}
}

func TestSocketOfALiveDaemonIsLeftAlone(t *testing.T) {
	u := start(t, &fleet{})
	_, err := Listen(t.Context(), Config{Path: u.path, Backend: &fleet{}, Feed: u.feed, Now: time.Now})
	if !errors.Is(err, unixsock.ErrInUse) || !strings.Contains(err.Error(), "--control-socket") {
		t.Errorf("got %v, want unixsock.ErrInUse with a remedy", err)
	}
	if _, err := u.client.Status(t.Context()); err != nil {
		t.Errorf("the first daemon is gone: %v", err)
	}
}

func TestSuccessorKeepsItsSocketWhenThePredecessorStops(t *testing.T) {
	u := start(t, &fleet{})
	if err := os.Remove(u.path); err != nil {
		t.Fatal(err)
	}
	s, err := Listen(t.Context(), Config{Path: u.path, Backend: &fleet{}, Feed: u.feed, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	u.stop()
	if _, err := os.Lstat(u.path); err != nil {
		t.Errorf("the successor's socket is gone: %v", err)
	}
}

func TestWrongAnswersOfTheBackendAreReported(t *testing.T) {
	u := start(t, &fleet{answer: 42})
	var e *Error
	if _, err := u.client.Status(t.Context()); !errors.As(err, &e) || e.Code != Unavailable {
		t.Errorf("got %v, want unavailable", err)
	}
}

func TestManyConnectionsAreTurnedAwayAndRoomIsGivenBack(t *testing.T) {
	u := start(t, &fleet{})
	var open []net.Conn
	for range maxConns {
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", u.path)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	extra, err := new(net.Dialer).DialContext(t.Context(), "unix", u.path)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, extra)
	got, err := io.ReadAll(extra)
	if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 503 ") || !strings.HasSuffix(string(got), "\r\n\r\n"+crowdedBody) {
		t.Errorf("connection %d: %q, %v, want it refused with 503 and closed", maxConns+1, got, err)
	}
	for _, c := range open {
		closed(t, c)
	}
	eventually(t, func() bool {
		_, err := u.client.Status(t.Context())
		return err == nil
	})
}

// eventually asks until the answer is yes.
func eventually(t *testing.T, yes func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !yes() {
		select {
		case <-ctx.Done():
			t.Fatal("never came true")
		case <-tick.C:
		}
	}
}

// openStream reads a stream line by line.
func openStream(t *testing.T, u *up, path, accept, last string) *bufio.Scanner {
	t.Helper()
	r := request(t, "GET", path, "")
	r.Header.Set("Accept", accept)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	resp, err := u.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, resp.Body) })
	if resp.StatusCode != 200 {
		t.Fatalf("status %d", resp.StatusCode)
	}
	return bufio.NewScanner(resp.Body)
}

func expect(t *testing.T, lines *bufio.Scanner, want ...string) {
	t.Helper()
	for _, w := range want {
		if !lines.Scan() {
			t.Fatalf("the stream ended (%v), want %q", lines.Err(), w)
		}
		if lines.Text() != w {
			t.Fatalf("line %q, want %q", lines.Text(), w)
		}
	}
}

func TestStreamResumesAfterTheLastEventID(t *testing.T) {
	u := start(t, &fleet{})
	fill(u.feed, 3)
	lines := openStream(t, u, "/v1/stream", "text/event-stream", "2")
	expect(t, lines, "id: 3", `data: {"seq":3,"at":null,"type":"state_changed","target":"decky-02"}`, "")
	u.feed.Append(event("crash", "x"))
	expect(t, lines, "id: 4", `data: {"seq":4,"at":null,"type":"crash","target":"x"}`, "")
}

func TestStreamSaysResetWhereEventsAreMissing(t *testing.T) {
	u := start(t, &fleet{})
	fill(u.feed, 10) // 3 to 10 are kept
	lines := openStream(t, u, "/v1/stream", "text/event-stream", "1")
	expect(t, lines, "event: reset", `data: {"kind":"reset","seq":2,"dropped":1}`, "", "id: 3")
}

func TestStreamWithoutAPlaceBeginsNow(t *testing.T) {
	u := start(t, &fleet{})
	fill(u.feed, 3)
	lines := openStream(t, u, "/v1/stream", "application/jsonl", "")
	u.feed.Append(event("crash", "x"))
	expect(t, lines, `{"seq":4,"at":null,"type":"crash","target":"x"}`)
}

func TestStreamsEndWithTheServer(t *testing.T) {
	u := start(t, &fleet{})
	lines := openStream(t, u, "/v1/stream", "application/jsonl", "")
	began := time.Now()
	u.stop()
	if lines.Scan() {
		t.Errorf("unexpected line %q", lines.Text())
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func TestTooManyStreamsAreRefused(t *testing.T) {
	u := start(t, &fleet{})
	for range maxStreams {
		openStream(t, u, "/v1/stream", "application/jsonl", "")
	}
	if code, got := u.do(t, request(t, "GET", "/v1/stream", "")); code != 503 {
		t.Errorf("stream %d: %d %s", maxStreams+1, code, got)
	}
}

func TestHostileBytesOfAPayloadDoNotBreakTheStream(t *testing.T) {
	u := start(t, &fleet{})
	lines := openStream(t, u, "/v1/stream", "text/event-stream", "")
	u.feed.Append(messages.Event{Type: "x\ndata: forged\n\n", Target: "y", Payload: json.RawMessage("{\n")})
	expect(t, lines, "id: 1", `data: {"seq":1,"at":null,"type":"x\ndata: forged\n\n","target":"y"}`, "")
}
