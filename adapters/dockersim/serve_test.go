package dockersim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/docker/docker/api/types/filters"
)

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
		e.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), row.method, row.path, strings.NewReader("{}")))
		if w.Code != row.want || row.want != 304 && row.path != "/images/json" && !strings.Contains(w.Body.String(), "message") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
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

func TestControlsSteerFromAnotherProcess(t *testing.T) {
	e := engine(t, Fleet{Deckies: 10})
	c := dial(t, e)
	post := func(path, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim/_sim/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.HTTPClient().Do(req)
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
	e.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/containers/json?all=1&filters="+url.QueryEscape(`{}`), http.NoBody))
	if !json.Valid(w.Body.Bytes()) {
		t.Errorf("%q", w.Body)
	}
	if body := encodeEvent(e.snapshot()[0], time.Now(), "die", []string{"x", name}); !json.Valid(body) {
		t.Errorf("%q", body)
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
