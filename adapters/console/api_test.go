package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// book is an audit in memory.
type book struct {
	mu  sync.Mutex
	all []messages.AuditEntry
	err error
}

func (b *book) Record(e messages.AuditEntry) (messages.AuditEntry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Seq = int64(len(b.all) + 1)
	b.all = append(b.all, e)
	return e, b.err
}

func (b *book) Entries() []messages.AuditEntry {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Clone(b.all)
	slices.Reverse(out)
	return out
}

func (b *book) last() messages.AuditEntry {
	all := b.Entries()
	if len(all) == 0 {
		return messages.AuditEntry{}
	}
	return all[0]
}

// crew is a backend with actors, crashes and everything else the console asks for.
type crew struct {
	fleet
	mu   sync.Mutex
	acts []messages.Act
	wait chan struct{} // an action waits for it; nil: it does not
	fail error
}

func (c *crew) Ask(ctx context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.GetActors:
		return messages.ActorList{Items: []messages.ActorStatus{{PID: "store/store", Kind: "store", ID: "store", State: "running", Mailbox: 3},
			{PID: "decky/a/b", Kind: "decky", ID: "a/b", State: "backoff", Mailbox: 40}}, Sampled: true}, nil
	case messages.GetHandlerTimes:
		return []messages.HandlerTime{{Kind: "store", Type: "messages.RowChange", Count: 2}}, nil
	case messages.GetCrashes:
		if q.ID == 9 {
			return []messages.CrashRecord{}, nil
		}
		return []messages.CrashRecord{{ID: 1, Actor: "store/store", Reason: "boom", Stack: "goroutine 1"}}, nil
	case messages.GetDeadLetters:
		return messages.DeadLetterList{Total: 9, Items: []messages.DeadLetter{{Target: "decky/a", Type: "x", Why: "full", Count: 2},
			{Target: "decky/b", Type: "x", Why: "full", Count: 3}}}, nil
	case messages.GetPauses:
		return []messages.Pause{{Target: "*", By: "alice"}}, nil
	case messages.GetMessages:
		return []messages.HandledMessage{{Type: "messages.FactsTold"}}, nil
	case messages.GetConfig:
		return []messages.Setting{{Key: "database", Value: "mysql://u:***@h/d"}}, nil
	case messages.GetInspection:
		if q.Name != "decky-01" {
			return nil, messages.ErrUnknownTarget
		}
		return messages.Inspection{Decky: twoDeckies[0], Decisions: make([]messages.Decision, max(1, q.Most))}, nil
	case messages.Act:
		return c.act(ctx, q)
	}
	return c.fleet.Ask(ctx, question)
}

func (c *crew) act(ctx context.Context, q messages.Act) (any, error) {
	c.mu.Lock()
	c.acts = append(c.acts, q)
	c.mu.Unlock()
	if c.wait != nil {
		select {
		case <-c.wait:
		case <-ctx.Done():
			return nil, context.DeadlineExceeded
		}
	}
	var out []messages.ActionResult
	for _, name := range q.Targets {
		r := messages.ActionResult{Name: name, Before: "running", After: "running", Result: "done"}
		switch {
		case strings.HasPrefix(name, "nobody"):
			r.Result = "not found"
		case strings.HasPrefix(name, "no "):
			r.Result, r.Detail = "refused", "because"
		}
		out = append(out, r)
	}
	return out, c.fail
}

func (c *crew) asked() []messages.Act {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.acts)
}

// ship is a server whose backend is a crew.
type ship struct {
	*up
	crew *crew
	book *book
	logs *LogRing
	taps *fakeTaps
}

func launch(t *testing.T, change func(*Config)) *ship {
	t.Helper()
	s := &ship{crew: &crew{fleet: fleet{status: messages.Status{HostUUID: "local", Role: "owner"}, deckies: twoDeckies}}, book: &book{},
		logs: NewLogRing(8, time.Now), taps: &fakeTaps{}}
	s.up = startWith(t, func(c *Config) {
		c.Backend, c.Audit, c.Logs, c.Taps = s.crew, s.book, s.logs, s.taps
		c.UserName = func(uint32) string { return "alice" }
		if change != nil {
			change(c)
		}
	})
	return s
}

func (s *ship) get(t *testing.T, path string) (int, string) {
	return s.do(t, request(t, "GET", path, ""))
}

func (s *ship) post(t *testing.T, path, body string) (int, string) {
	return s.do(t, request(t, "POST", path, body))
}

func TestListsAnswerWithWhatTheBackendKnows(t *testing.T) {
	s := launch(t, nil)
	s.feed.Append(messages.Event{Type: "state_changed", Target: "decky-01"})
	s.feed.Append(messages.Event{Type: "state_changed", Target: "decky-010"})
	s.feed.Append(messages.Event{Type: "restarting", Target: "decky/decky-01"})
	for path, want := range map[string][]string{
		"/v1/whoami":                                   {`"role":"admin"`, `"user":"alice"`},
		"/v1/actors":                                   {`"pid":"store/store"`, `"pid":"decky/a/b"`, `"sampled":true`, `"seq":3`},
		"/v1/actors?filter=kind%3Ddecky":               {`"items":[{"pid":"decky/a/b"`},
		"/v1/actors?filter=mailbox%3E10":               {`"items":[{"pid":"decky/a/b"`},
		"/v1/actors?sort=mbox":                         {`"items":[{"pid":"decky/a/b"`},
		"/v1/actors?sort=-mbox&limit=1":                {`"items":[{"pid":"store/store"`},
		"/v1/actors/decky/a%2Fb":                       {`"actor":{"pid":"decky/a/b"`, `"crashes":[{"id":1`},
		"/v1/handlers":                                 {`"type":"messages.RowChange"`},
		"/v1/crashes":                                  {`"reason":"boom"`},
		"/v1/crashes/1":                                {`"id":1`, `"stack":"goroutine 1"`},
		"/v1/deadletters":                              {`"total":9`, `"count":3`},
		"/v1/deadletters?group=type":                   {`"items":[{"at":null,"target":"*","type":"x","why":"full","count":5}]`},
		"/v1/pauses":                                   {`"target":"*"`},
		"/v1/config":                                   {`mysql://u:***@h/d`},
		"/v1/audit":                                    {`"items":[]`},
		"/v1/runtime":                                  {`"goroutines":`, `"rss_bytes":`},
		"/v1/deckies/local:decky-01/inspect":           {`"kind":"inspection"`, `"seq":3,"at":null,"type":"restarting"`, `"facts":[]`},
		"/v1/deckies/local:decky-01/timeline":          {`"seq":1`, `"seq":3`},
		"/v1/deckies/local:decky-01/decisions?limit=3": {`"times":0},{`},
		"/v1/deckies/local:decky-01/logs":              {`"items":[]`},
		"/v1/taps":                                     {`"items":[]`},
		"/v1/debug/goroutines":                         {`"top":"`, `"total":`},
	} {
		code, got := s.get(t, path)
		if code != 200 {
			t.Errorf("%s: %d %s", path, code, got)
		}
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %s\nlacks %s", path, got, w)
			}
		}
	}
	if _, got := s.get(t, "/v1/deckies/local:decky-01/timeline"); strings.Contains(got, "decky-010") {
		t.Errorf("another decky's events: %s", got)
	}
}

func TestWrongQuestionsAreProblems(t *testing.T) {
	s := launch(t, nil)
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
	}{
		"no such actor":         {"GET", "/v1/actors/x/y", "", 404},
		"no such crash":         {"GET", "/v1/crashes/9", "", 404},
		"a crash by name":       {"GET", "/v1/crashes/last", "", 400},
		"another host's decky":  {"GET", "/v1/deckies/h2:decky-01/inspect", "", 404},
		"no such decky":         {"GET", "/v1/deckies/local:x/inspect", "", 404},
		"an unknown field":      {"GET", "/v1/actors?filter=sate:x", "", 400},
		"an unclosed quote":     {"GET", "/v1/actors?filter=%22x", "", 400},
		"a long filter":         {"GET", "/v1/actors?filter=" + strings.Repeat("a", 2000), "", 400},
		"an unknown sort":       {"GET", "/v1/actors?sort=x", "", 400},
		"a limit of nothing":    {"GET", "/v1/actors?limit=0", "", 400},
		"an odd group":          {"GET", "/v1/deadletters?group=x", "", 400},
		"an odd place":          {"GET", "/v1/logs?since=x", "", 400},
		"the wrong method":      {"DELETE", "/v1/actors", "", 405},
		"an unknown verb":       {"POST", "/v1/actions/explode", `{"targets":["a"]}`, 404},
		"no targets":            {"POST", "/v1/actions/pause", `{}`, 400},
		"targets and filter":    {"POST", "/v1/actions/pause", `{"targets":["a"],"filter":"b"}`, 400},
		"a filter for nobody":   {"POST", "/v1/actions/pause", `{"filter":"zzz"}`, 404},
		"a broken filter":       {"POST", "/v1/actions/pause", `{"filter":"x:\""}`, 400},
		"the host killed":       {"POST", "/v1/actions/kill", `{"targets":["*"]}`, 400},
		"a long reason":         {"POST", "/v1/actions/pause", `{"targets":["a"],"reason":"` + strings.Repeat("x", 2000) + `"}`, 400},
		"a wait of an hour":     {"POST", "/v1/actions/pause", `{"targets":["a"],"wait":"1h"}`, 400},
		"an odd wait":           {"POST", "/v1/actions/pause", `{"targets":["a"],"wait":[]}`, 400},
		"a misspelt key":        {"POST", "/v1/actions/pause", `{"target":["a"]}`, 400},
		"a form":                {"POST", "/v1/actions/pause", `targets=a`, 400},
		"targets of one decky":  {"POST", "/v1/deckies/local:a/actions/pause", `{"targets":["b"]}`, 400},
		"an unknown decky":      {"POST", "/v1/deckies/local:nobody/actions/pause", `{}`, 404},
		"a refusal":             {"POST", "/v1/deckies/local:no%20way/actions/release", `{}`, 409},
		"a huge body":           {"POST", "/v1/taps", `{"actor":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		"a huge list":           {"POST", "/v1/actions/pause", `{"targets":["` + strings.Repeat("x", maxActionBody) + `"]}`, 413},
		"too many targets":      {"POST", "/v1/actions/pause", `{"targets":[` + strings.Repeat(`"a",`, maxTargets) + `"a"]}`, 400},
		"a tap of nobody":       {"POST", "/v1/taps", `{}`, 400},
		"a tap for ever":        {"POST", "/v1/taps", `{"actor":"x","for_seconds":1e9}`, 400},
		"a tap without end":     {"POST", "/v1/taps", `{"actor":"x","count":-1}`, 400},
		"a tap of odd fields":   {"POST", "/v1/taps", `{"actor":"x","match":"colour:red"}`, 400},
		"a tap with much to do": {"POST", "/v1/taps", `{"actor":"x","match":"` + strings.Repeat("*a", 100) + `"}`, 400},
		"no such tap":           {"GET", "/v1/taps/7/stream", "", 404},
		"no such tap to end":    {"DELETE", "/v1/taps/7", "", 404},
		"an odd profile":        {"GET", "/v1/debug/pprof/cmdline", "", 404},
		"a profile of an hour":  {"GET", "/v1/debug/pprof/cpu?seconds=3600", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			status, got := s.do(t, request(t, tt.method, tt.path, tt.body))
			var p problem
			if err := json.Unmarshal([]byte(got), &p); err != nil || status != tt.status || p.Detail == "" || len(got) > 4096 {
				t.Errorf("%d %s (%v), want %d", status, got, err, tt.status)
			}
		})
	}
	if len(s.crew.asked()) != 2 { // an unknown decky and a refusal
		t.Errorf("%+v", s.crew.asked())
	}
}

func TestActionsReachTheBackendAndTheAudit(t *testing.T) {
	s := launch(t, nil)
	r := request(t, "POST", "/v1/actions/pause", `{"filter":"decky-*","reason":"ticket 4711","wait":"2s"}`)
	r.Header.Set("X-Decnet-Via", "tui")
	code, got := s.do(t, r)
	if code != 200 || !strings.Contains(got, `"items":[{"name":"decky-01","before":"running","after":"running","result":"done"}]`) {
		t.Errorf("%d %s", code, got)
	}
	a := s.crew.asked()
	if len(a) != 1 || a[0].By != "alice" || a[0].Reason != "ticket 4711" || a[0].Wait != 2*time.Second || a[0].DryRun || a[0].Verb != "pause" {
		t.Errorf("%+v", a)
	}
	e := s.book.last()
	if e.Verb != "pause" || e.Target != "decky-01" || e.User != "alice" || e.UID != int64(os.Getuid()) || e.Role != "admin" || e.Via != "tui" ||
		e.Reason != "ticket 4711" || e.Result != "done" || e.Time.IsZero() {
		t.Errorf("%+v", e)
	}
	s.post(t, "/v1/actions/restart", `{"targets":["a","nobody","no way","a"],"actors":true}`)
	s.post(t, "/v1/actions/restart", `{"targets":["dry"],"dry_run":true}`)
	if e := s.book.last(); e.Result != "done 1, refused 1 (because), not found 1" && e.Result != "done 1, not found 1, refused 1 (because)" {
		t.Errorf("%q", e.Result)
	}
	s.post(t, "/v1/reconcile", `{}`)
	if e := s.book.last(); e.Verb != "reconcile" || e.Result != "done" {
		t.Errorf("a route that knows nothing of the audit: %+v", e)
	}
	s.crew.fail = errors.New("disk full")
	if code, _ := s.post(t, "/v1/deckies/local:decky-01/actions/pause", ``); code != 503 || s.book.last().Result != "failed 503" {
		t.Errorf("%d %+v", code, s.book.last())
	}
	s.book.err = errors.New("disk full")
	s.crew.fail = nil
	if code, _ := s.post(t, "/v1/deckies/local:decky-01/actions/pause", ``); code != 200 || !strings.Contains(s.log.String(), "the audit cannot be written") {
		t.Errorf("with a full disk: %d", code)
	}
}

func TestARepeatedRequestIsDoneOnce(t *testing.T) {
	s := launch(t, nil)
	send := func(key, body string) (int, string) {
		r := request(t, "POST", "/v1/actions/restart", body)
		r.Header.Set("Idempotency-Key", key)
		return s.do(t, r)
	}
	_, first := send("k1", `{"targets":["a"]}`)
	code, again := send("k1", `{"targets":["a"]}`)
	if code != 200 || again != first || len(s.crew.asked()) != 1 {
		t.Errorf("%d %s, done %d times", code, again, len(s.crew.asked()))
	}
	if e := s.book.last(); !strings.Contains(e.Result, "repeated") {
		t.Errorf("%+v", e)
	}
	if code, _ = send("k1", `{"targets":["b"]}`); code != 409 {
		t.Errorf("the key for another request: %d", code)
	}
	if code, _ = send("k2", `{"targets":["a"]}`); code != 200 || len(s.crew.asked()) != 2 {
		t.Errorf("another key: %d", code)
	}
	if code, _ = send(strings.Repeat("k", 200), `{"targets":["a"]}`); code != 400 {
		t.Errorf("a long key: %d", code)
	}
	s.crew.wait = make(chan struct{})
	done := make(chan int, 1)
	go func() { code, _ := send("k3", `{"targets":["a"]}`); done <- code }()
	eventually(t, func() bool { return len(s.crew.asked()) == 3 })
	if code, _ = send("k3", `{"targets":["a"]}`); code != 409 {
		t.Errorf("while the first is under way: %d", code)
	}
	close(s.crew.wait)
	if code := <-done; code != 200 {
		t.Errorf("the first: %d", code)
	}
	for i := range 2 * keptAnswers {
		s.http.CloseIdleConnections()
		if code, got := send("many"+itoa(int64(i)), `{"targets":["a"]}`); code != 200 {
			t.Fatalf("%d: %d %s", i, code, got)
		}
	}
}

// TestMain helper: with GUEST_SOCKET set the test binary is a client of another user.
func TestGuest(t *testing.T) {
	socket := os.Getenv("GUEST_SOCKET")
	if socket == "" {
		t.Skip("run by TestRolesFollowThePeersUserAndGroups")
	}
	c := NewClient(socket, 5*time.Second)
	defer c.Close()
	var out []string
	for _, x := range [][2]string{{"GET", "/v1/whoami"}, {"GET", "/v1/deckies"}, {"POST", "/v1/actions/pause"}, {"POST", "/v1/actions/kill"}, {"POST", "/v1/reconcile"},
		{"GET", "/v1/debug/goroutines"}, {"GET", "/v1/taps/1/stream"}} {
		r, err := http.NewRequestWithContext(t.Context(), x[0], "http://localhost"+x[1], strings.NewReader(map[string]string{"POST": `{"targets":["a"]}`}[x[0]]))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		code, _ := (&up{http: c.http}).do(t, r)
		out = append(out, itoa(int64(code)))
	}
	_, _ = os.Stdout.WriteString("codes " + strings.Join(out, " ") + "\n")
}

func TestRolesFollowThePeersUserAndGroups(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	s := launch(t, func(c *Config) {
		c.Access = Access{Admins: []uint32{4001}, Operators: []uint32{5002}, Readers: []uint32{5003}}
	})
	dir := strings.TrimSuffix(s.path, "/control.sock")
	for _, p := range []string{dir, strings.TrimSuffix(dir, "/001")} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(s.path, 0o666); err != nil { // as if the file's own mode had been lost
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary := dir + "/guest.test"
	raw, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(binary, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	for who, tt := range map[string]struct {
		cred syscall.Credential
		want string
	}{
		"an admin by uid":                   {syscall.Credential{Uid: 4001, Gid: 6000}, "200 200 200 200 400 200 404"},
		"an operator by group":              {syscall.Credential{Uid: 4002, Gid: 6000, Groups: []uint32{1, 2, 5002}}, "200 200 200 403 400 403 404"},
		"a reader by primary group":         {syscall.Credential{Uid: 4003, Gid: 5003}, "200 200 403 403 403 403 403"},
		"somebody":                          {syscall.Credential{Uid: 4004, Gid: 6000}, "403 403 403 403 403 403 403"},
		"an operator among a lot of groups": {syscall.Credential{Uid: 4005, Gid: 6000, Groups: append(many(200), 5002)}, "200 200 200 403 400 403 404"},
	} {
		t.Run(who, func(t *testing.T) {
			c := exec.CommandContext(t.Context(), binary, "-test.run", "^TestGuest$")
			c.Env, c.Dir = append(os.Environ(), "GUEST_SOCKET="+s.path, "GORACE=atexit_sleep_ms=0"), dir
			c.SysProcAttr = &syscall.SysProcAttr{Credential: &tt.cred}
			out, err := c.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "codes "+tt.want+"\n") {
				t.Errorf("%s (%v), want %s", out, err, tt.want)
			}
		})
	}
	refused := 0
	for _, e := range s.book.Entries() {
		if strings.HasPrefix(e.Result, "refused: role") {
			refused++
		}
	}
	if refused != 6 { // three of the reader, three of somebody; looking is not put on record
		t.Errorf("%d refusals on record: %+v", refused, s.book.Entries())
	}
}

func many(n int) (out []uint32) {
	for i := range n {
		out = append(out, uint32(7000+i))
	}
	return out
}

func TestRoleOfAPeer(t *testing.T) {
	a := Access{Admins: []uint32{7}, Operators: []uint32{20}, Readers: []uint32{30}, own: 5}
	for name, tt := range map[string]struct {
		p    peer
		want Role
	}{
		"root":                      {peer{known: true}, Admin},
		"the daemon's user":         {peer{known: true, uid: 5, gid: 9}, Admin},
		"a named admin":             {peer{known: true, uid: 7, gid: 9}, Admin},
		"operator and reader":       {peer{known: true, uid: 8, gid: 30, groups: []uint32{20}}, Operator},
		"a reader":                  {peer{known: true, uid: 8, gid: 9, groups: []uint32{1, 30}}, ReadOnly},
		"nobody":                    {peer{known: true, uid: 8, gid: 9}, NoRole},
		"one the kernel hides":      {peer{}, NoRole},
		"one the kernel hides, uid": {peer{uid: 0}, NoRole},
	} {
		if got := a.role(tt.p); got != tt.want {
			t.Errorf("%s is %v, want %v", name, got, tt.want)
		}
	}
}

func TestAFloodOfRefusalsDoesNotFillTheAudit(t *testing.T) {
	var f refusals
	now := time.Unix(1000, 0)
	written := 0
	for range 10_000 {
		if _, ok := f.admit(now); ok {
			written++
		}
	}
	dropped, ok := f.admit(now.Add(refusalEvery))
	if written != refusalBurst || !ok || dropped != 10_000-refusalBurst {
		t.Errorf("written %d, then %v with %d dropped", written, ok, dropped)
	}
}
