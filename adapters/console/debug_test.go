package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLogsAreKeptByActorAndTheLostAreCounted(t *testing.T) {
	s := launch(t, nil)
	write := func(line string) {
		if _, err := s.logs.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"level":"info","actor":"decky/decky-01","message":"a\u001b[31m"}` + "\n")
	write(`{"level":"warn","actor":"store/store","message":"b"}` + "\n")
	write(`{"level":"error","actor":"decky/decky-01","stack":"` + strings.Repeat("x", 5000) + `","message":"cut"}` + "\n")
	write(`no JSON`)
	var l LogList
	read := func(path string) LogList {
		t.Helper()
		code, got := s.get(t, path)
		l = LogList{}
		if err := json.Unmarshal([]byte(got), &l); code != 200 || err != nil {
			t.Fatalf("%s: %d %s", path, code, got)
		}
		return l
	}
	if l = read("/v1/logs"); len(l.Items) != 4 || l.Seq != 4 || l.Dropped != 0 || l.Items[3].Actor != "" || l.Items[3].Line != "no JSON" {
		t.Errorf("%+v", l)
	}
	if l = read("/v1/deckies/local:decky-01/logs"); len(l.Items) != 2 || l.Items[1].Level != "error" || len(l.Items[1].Line) != logLine {
		t.Errorf("%+v", l)
	}
	if l = read("/v1/logs?actor=store/*&since=1"); len(l.Items) != 1 || l.Items[0].Seq != 2 {
		t.Errorf("%+v", l)
	}
	if l = read("/v1/logs?filter=level:warn,error"); len(l.Items) != 2 {
		t.Errorf("%+v", l)
	}
	if l = read("/v1/logs?limit=1"); len(l.Items) != 1 || l.Items[0].Seq != 4 {
		t.Errorf("the tail: %+v", l)
	}
	for i := range 20 {
		write(fmt.Sprintf(`{"level":"info","n":%d}`, i))
	}
	if l = read("/v1/logs?since=4"); len(l.Items) != 8 || l.Dropped != 12 || l.Seq != 24 {
		t.Errorf("%d lines, dropped %d, seq %d", len(l.Items), l.Dropped, l.Seq)
	}
	if l = read("/v1/logs?since=999"); len(l.Items) != 8 {
		t.Errorf("a place in another life: %d lines", len(l.Items))
	}
}

func TestGoroutinesAreGroupedByActor(t *testing.T) {
	gate, ready := make(chan struct{}), make(chan struct{}, 3)
	defer close(gate)
	for range 3 {
		go pprof.Do(context.Background(), pprof.Labels("actor", `decky/"a b"`, "goroutine", "observe"), func(context.Context) {
			ready <- struct{}{}
			<-gate
		})
	}
	for range 3 {
		<-ready
	}
	s := launch(t, nil)
	var l GoroutineList
	eventually(t, func() bool {
		_, got := s.get(t, "/v1/debug/goroutines")
		if err := json.Unmarshal([]byte(got), &l); err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(l.Items, func(g GoroutineGroup) bool {
			return g.Actor == `decky/"a b"` && g.Name == "observe" && g.Count == 3 && strings.Contains(g.Stack, "TestGoroutinesAreGroupedByActor") && g.Top != ""
		})
	})
	sum := 0
	for _, g := range l.Items {
		sum += g.Count
	}
	if sum != l.Total {
		t.Errorf("%d of %d", sum, l.Total)
	}
}

func TestAProfileThatIsNoProfileIsReadWithoutHarm(t *testing.T) {
	for _, text := range []string{"", "x", "1 @", "# labels: {\"actor\":\"", "#\t0x1", "1 @ 0x1\n# labels: {\"actor\":5}\n#\tx\n2 @ 0x2\n#\t0x1\tf+0x1\tfile:1"} {
		got := parseGoroutines(bytes.NewBufferString(text))
		if strings.HasPrefix(text, "1 @ 0x1") && (len(got) != 2 || got[1].Count != 2 || got[1].Top != "f") {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestOneProfileAtATime(t *testing.T) {
	s := launch(t, nil)
	first := make(chan int, 1)
	go func() {
		code := http.StatusConflict
		for code == http.StatusConflict { // one of those below may be taken just now
			code, _ = s.get(t, "/v1/debug/pprof/cpu?seconds=1")
		}
		first <- code
	}()
	eventually(t, func() bool {
		code, _ := s.get(t, "/v1/debug/pprof/heap")
		return code == http.StatusConflict
	})
	if code := <-first; code != 200 {
		t.Errorf("the first: %d", code)
	}
	eventually(t, func() bool {
		code, got := s.get(t, "/v1/debug/pprof/goroutine")
		return code == 200 && strings.HasPrefix(got, "\x1f\x8b") // gzip
	})
}

// served asks one documented operation of a real server.
func served(t *testing.T, s *ship, method, path, body string) (int, string, http.Header) {
	t.Helper()
	r := request(t, method, path, body)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	resp, err := s.http.Do(r.WithContext(ctx))
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, resp.Body)
	var b bytes.Buffer
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
	}
	return resp.StatusCode, b.String(), resp.Header
}

func TestEveryDocumentedOperationIsServedAsDocumented(t *testing.T) {
	s, _ := found(t, nil)
	_, doc, _ := served(t, s, "GET", "/v1/openapi.json", "")
	var api struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			Role      string `json:"x-role"`
			Responses map[string]struct {
				Content map[string]struct {
					Schema schema `json:"schema"`
				} `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(doc), &api); err != nil || api.OpenAPI != "3.1.0" || len(api.Paths) < 30 {
		t.Fatalf("%v: %d paths", err, len(api.Paths))
	}
	fill := strings.NewReplacer("/actors/{pid}", "/actors/store/store", "{verb}", "pause", "/bundle", "/bundle?seconds=1", "{kind}", "heap", "/deckies/{id}", "/deckies/local:decky-01",
		"/crashes/{id}", "/crashes/1", "/taps/{id}", "/taps/1", "/hosts/{host}", "/hosts/w1", "/nodes/{host}/{path}", "/nodes/w1/taps")
	bodies := map[string]string{"/v1/actions/{verb}": `{"targets":["decky-01"]}`, "/v1/taps": `{"actor":"decky/*"}`, "/v1/deckies/{id}/actions/{verb}": `{}`, "/v1/reconcile": `{}`, "/v1/approve": `{"hash":"abc"}`,
		"/v1/nodes/{host}/{path}": `{"actor":"decky/*"}`}
	// What ends a tap comes last.
	for _, method := range []string{"post", "get", "delete"} {
		for path, ops := range api.Paths {
			op, is := ops[method]
			if !is {
				continue
			}
			if op.Role == "" {
				t.Errorf("%s %s names no role", method, path)
			}
			asked := fill.Replace(path)
			if asked == "/v1/nodes/w1/taps" && method == "delete" {
				asked += "/1"
			}
			code, got, head := served(t, s, strings.ToUpper(method), asked, bodies[path])
			if code != 200 {
				t.Errorf("%s %s: %d %s", method, path, code, got)
				continue
			}
			for media, c := range op.Responses["200"].Content {
				if kind, _, _ := strings.Cut(head.Get("Content-Type"), ";"); kind != media && media != "*/*" {
					t.Errorf("%s %s is %s, documented as %s", method, path, kind, media)
				}
				if c.Schema.Type != nil {
					var v any
					if err := json.Unmarshal([]byte(got), &v); err != nil {
						t.Errorf("%s: %v", path, err)
					}
					if why := c.Schema.fits(v, path); why != "" {
						t.Errorf("%s %s: %s", method, path, why)
					}
				}
			}
		}
	}
}

// schema is as much of JSON schema as the document uses.
type schema struct {
	Type       any               `json:"type"`
	Properties map[string]schema `json:"properties"`
	Required   []string          `json:"required"`
	Items      *schema           `json:"items"`
	Additional *schema           `json:"additionalProperties"`
}

// fits says what is wrong with a value; "" if nothing is.
func (s schema) fits(v any, at string) string {
	kinds, _ := s.Type.([]any)
	if k, is := s.Type.(string); is {
		kinds = []any{k}
	}
	kind := map[bool]string{true: "integer", false: "number"}[false]
	switch x := v.(type) {
	case nil:
		kind = "null"
	case string:
		kind = "string"
	case bool:
		kind = "boolean"
	case []any:
		kind = "array"
		for _, item := range x {
			if s.Items == nil {
				break
			}
			if why := s.Items.fits(item, at+"[]"); why != "" {
				return why
			}
		}
	case map[string]any:
		kind = "object"
		for _, key := range s.Required {
			if _, there := x[key]; !there {
				return at + " lacks " + key
			}
		}
		for key, member := range x {
			p, documented := s.Properties[key]
			if !documented && s.Additional == nil && len(s.Properties) > 0 {
				return at + "." + key + " is not documented"
			}
			if why := p.fits(member, at+"."+key); documented && why != "" {
				return why
			}
		}
	case float64:
		if x == float64(int64(x)) && slices.Contains(kinds, any("integer")) {
			kind = "integer"
		}
	}
	if len(kinds) > 0 && !slices.Contains(kinds, any(kind)) {
		return fmt.Sprintf("%s is %s, documented as %v", at, kind, kinds)
	}
	return ""
}
