package dockersim

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
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

func TestEqualSeedsMakeEqualFleets(t *testing.T) {
	a, b := engine(t, Fleet{Deckies: 3}), engine(t, Fleet{Deckies: 3})
	if !slices.Equal(slices.Sorted(maps.Keys(a.ids)), slices.Sorted(maps.Keys(b.ids))) {
		t.Error("ids differ")
	}
	if err := a.Add(Fleet{Deckies: 1}); err == nil {
		t.Error("two of a name")
	}
}

func BenchmarkList30000(b *testing.B) {
	e := engine(b, Fleet{Deckies: 7500})
	b.ReportAllocs()
	for b.Loop() {
		w := httptest.NewRecorder()
		w.Body = nil
		e.Handler().ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), "GET", "/containers/json?all=1", http.NoBody))
	}
}
