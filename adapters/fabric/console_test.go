package fabric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var operator = messages.Asker{Node: "master", UID: 1000, User: "ana", Role: "operator", Via: "cli"}

func (w *world) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Cookie", "secret")
	r.Header.Set("X-Decnet-Role", "admin")
	return w.hub.Do(ctx, host1, operator, r)
}

// askInVain is for what gets no answer.
func (w *world) askInVain(ctx context.Context, method, path string, body io.Reader) error {
	a, err := w.ask(ctx, method, path, body)
	if err == nil {
		_ = a.Body.Close()
	}
	return err
}

// shut closes what no test has a question to any more.
func shut(c io.Closer) { _ = c.Close() }

func TestAConsoleIsAskedThroughTheHubWithTheUsersRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	s.Serve(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		who, ok := AskerOf(r.Context())
		body, _ := io.ReadAll(r.Body)
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Set-Cookie", "x=y")
		out.Header().Set("Location", "https://elsewhere")
		out.Header().Set("Etag", `"7"`)
		out.WriteHeader(http.StatusAccepted)
		_, _ = fmt.Fprintf(out, "%v %+v %s %s %s %q %v", ok, who, r.Method, r.URL.Path, r.URL.RawQuery, body, r.Header)
	}))
	a, err := w.ask(t.Context(), "POST", "/v1/deckies/d%2F1/resync?x=1", strings.NewReader("because"))
	if err != nil {
		t.Fatal(err)
	}
	defer shut(a.Body)
	body, err := io.ReadAll(a.Body)
	if err != nil || a.StatusCode != http.StatusAccepted || a.Header.Get("Etag") != `"7"` || a.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("%v %s %v %s", err, a.Status, a.Header, body)
	}
	want := `true {Node:master UID:1000 User:ana Role:operator Via:cli} POST /v1/deckies/d/1/resync x=1 "because" map[Accept:[application/json]]`
	if string(body) != want {
		t.Errorf("the worker saw\n%s, want\n%s", body, want)
	}
	if a.Header.Get("Set-Cookie") != "" || a.Header.Get("Location") != "" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers that may not cross: %v", a.Header)
	}
}

func TestAHostileWorkersPageIsNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	w.worker(host1, "w1").Serve(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(out, "<script>")
	}))
	a, err := w.ask(t.Context(), "GET", "/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(a.Body)
	if got := a.Header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("content type %s", got)
	}
}

func TestALargeAnswerArrivesWholeAtASlowReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	const size = 5<<20 + 17
	s.Serve(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		line := []byte(strings.Repeat("0123456789abcde\n", 4096))
		for left := size; left > 0; left -= len(line) {
			line = line[:min(left, len(line))]
			if _, err := out.Write(line); err != nil {
				t.Error(err)
				return
			}
		}
	}))
	a, err := w.ask(t.Context(), "GET", "/v1/deckies", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(a.Body)
	// While it is not read, other business goes on: at most a window of it is on its way.
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 10)})
	n := 0
	for b := make([]byte, 1000); ; {
		k, err := a.Body.Read(b)
		for i := range k {
			if b[i] != "0123456789abcde\n"[(n+i)%16] {
				t.Fatalf("byte %d is %q", n+i, b[i])
			}
		}
		if n += k; errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n != size {
		t.Errorf("%d bytes, want %d", n, size)
	}
}

func TestAStreamFlowsAndEndsWithItsReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	ended := make(chan struct{})
	next := make(chan string)
	w.worker(host1, "w1").Serve(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		defer close(ended)
		out.Header().Set("Content-Type", "text/event-stream")
		for {
			if err := http.NewResponseController(out).Flush(); err != nil {
				return
			}
			select {
			case text := <-next:
				_, _ = fmt.Fprint(out, text)
			case <-r.Context().Done():
				return
			}
		}
	}))
	a, err := w.ask(t.Context(), "GET", "/v1/events/stream", nil) // answered before there is an event
	if err != nil || a.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatal(a, err)
	}
	for _, text := range []string{"data: 1\n\n", "data: 2\n\n"} {
		next <- text
		b := make([]byte, len(text))
		if _, err := io.ReadFull(a.Body, b); err != nil || string(b) != text {
			t.Fatalf("%q, %v", b, err)
		}
	}
	if err := a.Body.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the worker goes on for nobody")
	}
}

func TestARequestDoesNotOutliveItsWorker(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	asked := make(chan struct{}, 1)
	s.Serve(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	done := make(chan error, 1)
	go func() {
		a, err := w.ask(t.Context(), "GET", "/v1/status", nil)
		if err == nil {
			_ = a.Body.Close()
		}
		done <- err
	}()
	<-asked
	s.Close()
	select {
	case err := <-done:
		if !errors.Is(err, ErrAway) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("it hangs")
	}
	if err := w.askInVain(t.Context(), "GET", "/v1/status", nil); !errors.Is(err, ErrAway) {
		t.Errorf("the next one: %v", err)
	}
}

func TestWhatMayNotBeAskedIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/v1x", "/v12/status"} {
		if err := w.askInVain(t.Context(), "GET", path, nil); err == nil {
			t.Errorf("%s is asked for", path)
		}
	}
	if err := w.askInVain(t.Context(), "POST", "/v1/x", strings.NewReader(strings.Repeat("x", maxRequest+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a huge request: %v", err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := w.hub.Do(t.Context(), host2, operator, r); err == nil {
		_ = a.Body.Close()
		t.Error("an unknown host answers")
	} else if !errors.Is(err, ErrUnknownHost) {
		t.Errorf("an unknown host: %v", err)
	}
	a, err := w.ask(t.Context(), "GET", "/v1/status", nil)
	if err != nil || a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without a handler: %v, %v", a, err)
	}
	_ = a.Body.Close()
	s.Serve(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(out, "half")
		panic("on purpose")
	}))
	a, err = w.ask(t.Context(), "GET", "/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(a.Body); err == nil || string(b) != "half" {
		t.Errorf("a panicking handler: %q, %v", b, err)
	}
	_ = a.Body.Close()
}

func TestRequestsToOneHostAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	w.worker(host1, "w1").Serve(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(out).Flush()
		<-r.Context().Done()
	}))
	for range maxCalls {
		a, err := w.ask(t.Context(), "GET", "/v1/events/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer shut(a.Body)
	}
	if err := w.askInVain(t.Context(), "GET", "/v1/status", nil); !errors.Is(err, ErrBusy) {
		t.Errorf("one more: %v", err)
	}
}

// A worker that sends more often than the hub takes would lose parts of its answers.
func TestAnAnswerInManySmallPartsArrivesWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	const parts = 1500
	w.worker(host1, "w1").Serve(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		for i := range parts {
			_, _ = fmt.Fprintf(out, "%d\n", i)
			if err := http.NewResponseController(out).Flush(); err != nil {
				t.Error(err)
				return
			}
		}
	}))
	a, err := w.ask(t.Context(), "GET", "/v1/events/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(a.Body)
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	for i, l := range lines {
		if l != strconv.Itoa(i) {
			t.Fatalf("line %d is %s", i, l)
		}
	}
	if dropped := w.hub.Peers()[0].Dropped; len(lines) != parts || dropped != 0 {
		t.Errorf("%d of %d parts, %d dropped", len(lines), parts, dropped)
	}
}

func TestAnAnswerWithAPartMissingIsNoWholeAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	asks, err := in.SubscribeSync(downSubject(host1, kindAsk))
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Publish(upSubject(host1, kindHello), []byte(`{"wire":1,"oldest":1}`)); err != nil {
		t.Fatal(err)
	}
	w.until("up", func() bool { return len(w.events) == 1 })
	go func() {
		m, err := asks.NextMsg(patience)
		if err != nil {
			t.Error(err)
			return
		}
		ask, _, err := split[askFrame](m.Data)
		if err != nil {
			t.Error(err)
			return
		}
		for _, p := range []partFrame{{ID: ask.ID, N: 0, Status: 200}, {ID: ask.ID, N: 2, End: true}} {
			b, _ := join(p, []byte("x"))
			_ = in.Publish(upSubject(host1, kindPart), b)
		}
	}()
	a, err := w.ask(t.Context(), "GET", "/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(a.Body)
	if b, err := io.ReadAll(a.Body); err == nil || string(b) != "x" {
		t.Errorf("read %q, %v", b, err)
	}
}
