package dockersim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

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

func TestCutStreamIsNoCleanEnd(t *testing.T) {
	e := engine(t, Fleet{Deckies: 1})
	c := dial(t, e)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://sim/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.HTTPClient().Do(req)
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
		e.flipAny(0)
	}
}
