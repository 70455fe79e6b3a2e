package dockersim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func engine(t testing.TB, f Fleet) *Engine {
	t.Helper()
	e, err := New(Config{Now: time.Now, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Add(f); err != nil {
		t.Fatal(err)
	}
	return e
}

// dial serves e on a socket and gives Docker's own client of it.
func dial(t testing.TB, e *Engine) *client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "d.sock")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx, socket) }()
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+socket), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	eventually(t, "it answers", func() bool { _, err := c.Ping(t.Context()); return err == nil })
	return c
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

func names(list []container.Summary) []string {
	var n []string
	for _, c := range list {
		n = append(n, strings.TrimPrefix(c.Names[0], "/"))
	}
	slices.Sort(n)
	return n
}

func TestNamesAndLabelsAreWhatDecnetDeploys(t *testing.T) {
	raw, err := os.ReadFile("testdata/compose_naming.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Services []struct {
			Service       string            `json:"service"`
			Singleton     bool              `json:"fleet_singleton"`
			ContainerName string            `json:"container_name"`
			ComposeKey    string            `json:"compose_service_key"`
			Labels        map[string]string `json:"labels"`
		} `json:"services"`
		Custom string `json:"custom_service_my_svc_container_name"`
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	var services []string
	for _, s := range golden.Services {
		services = append(services, s.Service)
	}
	e := engine(t, Fleet{Deckies: 1, Services: services})
	for _, s := range golden.Services {
		if s.Singleton {
			if e.State("decky-01-"+s.Service) != "" {
				t.Errorf("%s has a container", s.Service)
			}
			continue
		}
		slot, err := e.find(s.ContainerName)
		if err != nil {
			t.Errorf("%s: %v", s.Service, err)
			continue
		}
		for k, v := range s.Labels {
			if slot.rec.labels[k] != v {
				t.Errorf("%s: label %s is %q, want %q", s.Service, k, slot.rec.labels[k], v)
			}
		}
		if got := slot.rec.labels["com.docker.compose.service"]; got != s.ComposeKey {
			t.Errorf("%s: compose key %q, want %q", s.Service, got, s.ComposeKey)
		}
	}
	if got := ContainerName("decky-01", "my_svc"); got != golden.Custom {
		t.Errorf("custom service: %q, want %q", got, golden.Custom)
	}
	for k := range e.names["decky-01"].rec.labels {
		if strings.HasPrefix(k, "decnet.") {
			t.Errorf("the base has label %s", k)
		}
	}
}

func TestListsFilterAsDockerDoes(t *testing.T) {
	e := engine(t, Fleet{Deckies: 2, Services: []string{"ssh", "smtp_relay"}})
	c := dial(t, e)
	if err := e.Kill("decky-02-ssh"); err != nil {
		t.Fatal(err)
	}
	id := e.names["decky-01-ssh"].rec.id
	for name, row := range map[string]struct {
		all  bool
		args filters.Args
		want []string
	}{
		"running only":  {false, filters.NewArgs(), []string{"decky-01", "decky-01-smtp_relay", "decky-01-ssh", "decky-02", "decky-02-smtp_relay"}},
		"all":           {true, filters.NewArgs(), []string{"decky-01", "decky-01-smtp_relay", "decky-01-ssh", "decky-02", "decky-02-smtp_relay", "decky-02-ssh"}},
		"by id":         {true, filters.NewArgs(filters.Arg("id", id)), []string{"decky-01-ssh"}},
		"by short id":   {true, filters.NewArgs(filters.Arg("id", id[:12])), []string{"decky-01-ssh"}},
		"by ids, twice": {true, filters.NewArgs(filters.Arg("id", id), filters.Arg("id", id[:12]), filters.Arg("id", "none")), []string{"decky-01-ssh"}},
		"by name":       {true, filters.NewArgs(filters.Arg("name", "ssh")), []string{"decky-01-ssh", "decky-02-ssh"}},
		"by exact name": {true, filters.NewArgs(filters.Arg("name", "^/decky-02$")), []string{"decky-02"}},
		"by label":      {true, filters.NewArgs(filters.Arg("label", "decnet.fleet.decky=decky-02")), []string{"decky-02-smtp_relay", "decky-02-ssh"}},
		"by status":     {false, filters.NewArgs(filters.Arg("status", "exited")), []string{"decky-02-ssh"}},
	} {
		list, err := c.ContainerList(t.Context(), container.ListOptions{All: row.all, Filters: row.args})
		if err != nil || !slices.Equal(names(list), row.want) {
			t.Errorf("%s: got %v, %v", name, names(list), err)
		}
	}
	if _, err := c.ContainerInspect(t.Context(), "decky-01"); err != nil {
		t.Error(err)
	}
	if s := e.Stats(); s.Looks != 3 || s.Lists != 6 || s.Inspects != 1 {
		t.Errorf("counted %+v", s)
	}
}

// listen collects the actions of events until enough have come.
func listen(t *testing.T, c *client.Client, o events.ListOptions, n int) func() []string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	messages, errs := c.Events(ctx, o)
	return func() (got []string) {
		defer stop()
		for len(got) < n {
			select {
			case m := <-messages:
				if m.Type != "container" || m.TimeNano == 0 || m.Actor.Attributes["image"] == "" {
					t.Errorf("event %+v", m)
				}
				got = append(got, string(m.Action)+" "+m.Actor.Attributes["name"])
			case err := <-errs:
				return append(got, fmt.Sprint(err))
			case <-time.NewTimer(10 * time.Second).C:
				return append(got, "silence")
			}
		}
		return got
	}
}

func TestCommandsChangeTheStateAndTellTheEvents(t *testing.T) {
	e := engine(t, Fleet{Deckies: 1, Services: []string{"ssh"}})
	c, ctx, x := dial(t, e), t.Context(), "decky-01-ssh"
	told := listen(t, c, events.ListOptions{}, 20)
	for _, step := range []struct {
		name  string
		do    func() error
		state string
	}{
		{"kill", func() error { return c.ContainerKill(ctx, x, "KILL") }, "exited"},
		{"start", func() error { return c.ContainerStart(ctx, x, container.StartOptions{}) }, "running"},
		{"start again", func() error { return c.ContainerStart(ctx, x, container.StartOptions{}) }, "running"},
		{"stop", func() error { return c.ContainerStop(ctx, x, container.StopOptions{}) }, "exited"},
		{"stop again", func() error { return c.ContainerStop(ctx, x, container.StopOptions{}) }, "exited"},
		{"restart", func() error { return c.ContainerRestart(ctx, x, container.StopOptions{}) }, "running"},
		{"pause", func() error { return c.ContainerPause(ctx, x) }, "paused"},
		{"unpause", func() error { return c.ContainerUnpause(ctx, x) }, "running"},
		{"health", func() error { return e.SetHealth(x, "healthy") }, "running"},
		{"rename", func() error { return c.ContainerRename(ctx, x, "other") }, ""},
		{"rename back", func() error { return c.ContainerRename(ctx, "other", x) }, "running"},
		{"flip", func() error { return e.Flip(x) }, "exited"},
		{"flip back", func() error { return e.Flip(x) }, "running"},
		{"remove", func() error { return c.ContainerRemove(ctx, x, container.RemoveOptions{Force: true}) }, ""},
		{"create", func() error {
			_, err := c.ContainerCreate(ctx, &container.Config{Image: "i", Labels: map[string]string{"a": "b"}}, nil, nil, nil, x)
			return err
		}, "created"},
	} {
		if err := step.do(); err != nil || e.State(x) != step.state {
			t.Errorf("%s: %v, state %q", step.name, err, e.State(x))
		}
	}
	want := "kill die start kill die stop start restart pause unpause health_status:·healthy rename→other rename kill die start kill die destroy create"
	got := strings.Join(told(), " ")
	got = strings.NewReplacer(" "+x, "", "rename other", "rename→other", "health_status: ", "health_status:·").Replace(got)
	if got != want {
		t.Errorf("told\n%s, want\n%s", got, want)
	}
}

func TestRefusalsCarryDockersStatus(t *testing.T) {
	e := engine(t, Fleet{Deckies: 1, Services: []string{"ssh"}})
	if err := e.Kill("decky-01-ssh"); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		method, path string
		want         int
	}{
		"kill what does not run":      {"POST", "/v1.41/containers/decky-01-ssh/kill", 409},
		"stop what does not run":      {"POST", "/containers/decky-01-ssh/stop", 304},
		"start what runs":             {"POST", "/containers/decky-01/start", 304},
		"unpause what is not paused":  {"POST", "/containers/decky-01/unpause", 500},
		"pause what does not run":     {"POST", "/containers/decky-01-ssh/pause", 409},
		"remove what runs":            {"DELETE", "/containers/decky-01", 409},
		"kill nobody":                 {"POST", "/containers/nobody/kill", 404},
		"inspect nobody":              {"GET", "/containers/nobody/json", 404},
		"rename to a taken name":      {"POST", "/containers/decky-01/rename?name=decky-01-ssh", 409},
		"rename to nothing":           {"POST", "/containers/decky-01/rename", 400},
		"create under a taken name":   {"POST", "/containers/create?name=decky-01", 409},
		"filters that are none":       {"GET", "/containers/json?filters=x", 400},
		"events since the day before": {"GET", "/events?since=yesterday", 400},
		"a version from the future":   {"GET", "/v9.99/containers/json", 400},
		"what is not there":           {"GET", "/images/json", 404},
		"flip how many":               {"POST", "/_sim/flip", 400},
		"a storm without wind":        {"POST", "/_sim/storm?rate=0&seconds=1", 400},
	} {
		w := httptest.NewRecorder()
		e.Handler().ServeHTTP(w, httptest.NewRequest(row.method, row.path, strings.NewReader("{}")))
		if w.Code != row.want || row.want != 304 && row.path != "/images/json" && !strings.Contains(w.Body.String(), "message") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestReplayIsTheLast256(t *testing.T) {
	e := engine(t, Fleet{Deckies: 200, Services: []string{"ssh"}})
	c := dial(t, e)
	e.FlipMany(200) // 400 events
	since := fmt.Sprint(time.Now().Add(-time.Hour).Unix())
	got := listen(t, c, events.ListOptions{Since: since}, 256)()
	if len(got) != 256 || got[0] != "kill decky-73-ssh" || got[255] != "die decky-200-ssh" {
		t.Errorf("%d: %v … %v", len(got), got[0], got[len(got)-1])
	}
	old := listen(t, c, events.ListOptions{Since: since, Until: fmt.Sprint(time.Now().Add(-time.Minute).Unix())}, 1)()
	if !slices.Equal(old, []string{"EOF"}) {
		t.Errorf("until a minute ago: %v", old)
	}
}

func TestStreamFilters(t *testing.T) {
	e := engine(t, Fleet{Deckies: 2, Services: []string{"ssh"}})
	c := dial(t, e)
	streams := map[string]func() []string{}
	for name, args := range map[string]filters.Args{
		"die decky-01-ssh, die decky-02-ssh":  filters.NewArgs(filters.Arg("event", "die"), filters.Arg("type", "container")),
		"health_status: unhealthy decky-02":   filters.NewArgs(filters.Arg("event", "health_status")),
		"kill decky-02-ssh, die decky-02-ssh": filters.NewArgs(filters.Arg("container", "decky-02-ssh")),
		"kill decky-01-ssh, die decky-01-ssh": filters.NewArgs(filters.Arg("label", "decnet.fleet.decky=decky-01")),
	} {
		streams[name] = listen(t, c, events.ListOptions{Filters: args}, strings.Count(name, ",")+1)
	}
	for _, do := range []error{e.Kill("decky-01-ssh"), e.Kill("decky-02-ssh"), e.SetHealth("decky-02", "unhealthy")} {
		if do != nil {
			t.Fatal(do)
		}
	}
	for want, told := range streams {
		if got := strings.Join(told(), ", "); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestSlowReaderLosesEventsAndSlowsNobody(t *testing.T) {
	e, err := New(Config{Now: time.Now, Queue: 16})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Add(Fleet{Deckies: 1}); err != nil {
		t.Fatal(err)
	}
	s, _ := e.hub.subscribe(filters.NewArgs(), time.Time{})
	for range 100 {
		if err := e.Flip("decky-01-ssh"); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.events) != 16 || e.Stats().Lost != e.Stats().Events-16 {
		t.Errorf("%d wait, %+v", len(s.events), e.Stats())
	}
}

func TestListAfterAnEventShowsAtLeastThatEvent(t *testing.T) {
	e := engine(t, Fleet{Deckies: 1, Services: []string{"ssh"}})
	c := dial(t, e)
	messages, _ := c.Events(t.Context(), events.ListOptions{Filters: filters.NewArgs(filters.Arg("event", "die"))})
	for range 50 {
		if err := e.Kill("decky-01-ssh"); err != nil {
			t.Fatal(err)
		}
		<-messages
		list, err := c.ContainerList(t.Context(), container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("id", e.names["decky-01-ssh"].rec.id))})
		if err != nil || list[0].State != "exited" || !strings.HasPrefix(list[0].Status, "Exited (137) ") {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := e.Start("decky-01-ssh"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFaultsBreakWhatTheySay(t *testing.T) {
	e := engine(t, Fleet{Deckies: 4})
	c := dial(t, e)
	list := func(wait time.Duration) error {
		ctx, stop := context.WithTimeout(t.Context(), wait)
		defer stop()
		_, err := c.ContainerList(ctx, container.ListOptions{All: true})
		return err
	}
	for name, row := range map[string]struct {
		faults Faults
		is     func(error) bool
	}{
		"hang":       {Faults{Hang: true}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"hang lists": {Faults{HangLists: true}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"slow":       {Faults{Slow: time.Minute}, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"status":     {Faults{Status: 503}, func(err error) bool { return strings.Contains(err.Error(), "simulated failure") }},
		"truncate":   {Faults{Truncate: true}, func(err error) bool { return errors.Is(err, io.ErrUnexpectedEOF) }},
		"body":       {Faults{Body: "<html>"}, func(err error) bool { return strings.Contains(err.Error(), "invalid character") }},
	} {
		e.SetFaults(row.faults)
		if err := list(50 * time.Millisecond); err == nil || !row.is(err) {
			t.Errorf("%s: %v", name, err)
		}
		e.SetFaults(Faults{})
		if err := list(10 * time.Second); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

func TestCutStreamIsNoCleanEnd(t *testing.T) {
	e := engine(t, Fleet{Deckies: 1})
	c := dial(t, e)
	resp, err := c.HTTPClient().Get("http://sim/events")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := e.Kill("decky-01-ssh"); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(resp.Body)
	for range 2 {
		if line, err := lines.ReadBytes('\n'); err != nil || !json.Valid(line) {
			t.Fatalf("%q, %v", line, err)
		}
	}
	e.CutStreams()
	if _, err := lines.ReadByte(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the end is %v", err)
	}
}

func TestControlsSteerFromAnotherProcess(t *testing.T) {
	e := engine(t, Fleet{Deckies: 10})
	c := dial(t, e)
	post := func(path, body string) string {
		resp, err := c.HTTPClient().Post("http://sim/_sim/"+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, _ := io.ReadAll(resp.Body)
		return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", string(b)))
	}
	if got := post("faults", `{"hang":true}`); got != "204" {
		t.Errorf("faults: %s", got)
	}
	if got := post("faults", `{}`); got != "204" {
		t.Errorf("a hanging engine cannot be mended: %s", got)
	}
	if got := post("flip?n=7", ""); got != `200 {"flipped":7}` {
		t.Errorf("flip: %s", got)
	}
	if got := post("cut", ""); got != "204" {
		t.Errorf("cut: %s", got)
	}
	if got := post("storm?rate=1000&seconds=0.1", ""); !strings.HasPrefix(got, `200 {"events":`) {
		t.Errorf("storm: %s", got)
	}
	if e.State("decky-07-ssh") == "" || e.Stats().Events < 64 {
		t.Errorf("%+v", e.Stats())
	}
}

func TestHostileNamesAndStatesStayJSON(t *testing.T) {
	e := engine(t, Fleet{})
	name := "a\"\\\x00\x1b\xff é\u2028"
	if _, err := e.Create(Spec{Name: name, State: "\"\x01", Labels: map[string]string{name: name}}); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	e.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/containers/json?all=1&filters="+url.QueryEscape(`{}`), http.NoBody))
	if !json.Valid(w.Body.Bytes()) {
		t.Errorf("%q", w.Body)
	}
	if body := encodeEvent(e.snapshot()[0], time.Now(), "die", []string{"x", name}); !json.Valid(body) {
		t.Errorf("%q", body)
	}
}

func TestEqualSeedsMakeEqualFleets(t *testing.T) {
	a, b := engine(t, Fleet{Deckies: 3}), engine(t, Fleet{Deckies: 3})
	if !slices.Equal(slices.Sorted(maps.Keys(a.ids)), slices.Sorted(maps.Keys(b.ids))) {
		t.Error("ids differ")
	}
	if err := a.Add(Fleet{Deckies: 1}); err == nil {
		t.Error("two of a name")
	}
}

func TestServeTakesOnlyADeadSocketsPlace(t *testing.T) {
	e := engine(t, Fleet{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Serve(t.Context(), file); err == nil {
		t.Error("it replaced a file")
	}
	c := dial(t, e)
	if err := e.Serve(t.Context(), strings.TrimPrefix(c.DaemonHost(), "unix://")); err == nil {
		t.Error("it replaced a living socket")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an engine without a clock")
	}
}

func BenchmarkList30000(b *testing.B) {
	e := engine(b, Fleet{Deckies: 7500})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		w.Body = nil
		e.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/containers/json?all=1", http.NoBody))
	}
}

func BenchmarkFlipWithAReader(b *testing.B) {
	e := engine(b, Fleet{Deckies: 7500})
	s, _ := e.hub.subscribe(filters.NewArgs(), time.Time{})
	go func() {
		for range s.events {
		}
	}()
	defer close(s.events)
	b.ReportAllocs()
	for b.Loop() {
		e.flipAny()
	}
}
