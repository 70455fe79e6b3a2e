package console

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestTenThousandSlowReadersAreRefusedAndTheFeedDoesNotWait(t *testing.T) {
	u := start(t, &fleet{})
	codes, held := map[int]int{}, []net.Conn{}
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	for range 10_000 {
		c, err := net.Dial("unix", u.path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprint(c, "GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n") // one that was refused already fails
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		code := 0
		if answer, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil { //nolint:bodyclose // the connection is closed instead
			code = answer.StatusCode
		}
		codes[code]++
		if code != http.StatusOK {
			_ = c.Close()
			continue
		}
		held = append(held, c) // and never reads on
	}
	// A reset may overtake the answer of a refusal: code 0.
	if codes[200] != maxStreams || codes[503] < 9000 || len(codes) > 3 {
		t.Fatalf("answers: %v", codes)
	}
	began, before := time.Now(), heap()
	large := event("crash", "x")
	for i := range 50_000 {
		large.Cause = strings.Repeat("x", 2048) + strconv.Itoa(i) // 100 MiB of them: whoever kept them for one reader would show it
		u.feed.Append(large)
	}
	if after := heap(); after > before+16<<20 {
		t.Errorf("%d readers that do not read hold %d MiB", len(held), (after-before)>>20)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("50,000 events took %v with %d readers that do not read", took, len(held))
	}
	if code, got := u.do(t, request(t, "GET", "/v1/status", "")); code != 200 {
		t.Errorf("status beside them: %d %s", code, got)
	}
}

// heap is what is in use, in bytes.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestAFilterThatWouldSelectEverythingByMistakeIsRefused(t *testing.T) {
	for _, text := range []string{"!", "!!", "!!!", "state:x !", "! x", "!,x", "mailbox>NaN"} {
		if _, err := ParseFilter(text); err == nil {
			t.Errorf("%q is a filter", text)
		}
	}
}

func TestHeadOfWhatTakesTimeTakesNone(t *testing.T) {
	s := launch(t, nil)
	for _, path := range []string{"/v1/stream", "/v1/debug/pprof/cpu?seconds=60", "/v1/debug/bundle?seconds=60"} {
		began := time.Now()
		code, got := s.do(t, request(t, "HEAD", path, ""))
		if code != 200 || got != "" || time.Since(began) > 10*time.Second {
			t.Errorf("%s: %d %q after %v", path, code, got, time.Since(began))
		}
	}
}

func TestWhatHasNotChangedIsNotSentAgain(t *testing.T) {
	s := launch(t, nil)
	ask := func(tag string) (int, string) {
		r := request(t, "GET", "/v1/deckies", "")
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		answer, err := s.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode, answer.Header.Get("ETag")
	}
	code, tag := ask("")
	if code != 200 || !strings.HasPrefix(tag, `"`) {
		t.Fatalf("%d %s", code, tag)
	}
	if code, _ := ask(`"other", W/` + tag); code != 304 {
		t.Errorf("the same again: %d", code)
	}
	for what, change := range map[string]func(){
		"an event":               func() { s.feed.Append(event("crash", "x")) },
		"a change without event": func() { s.crew.version.Add(1) },
	} {
		change()
		code, after := ask(tag)
		if code != 200 || after == tag {
			t.Errorf("after %s: %d, tag %s was %s", what, code, after, tag)
		}
		tag = after
	}
}

func TestAStreamHasTheTopicsThatWereAskedFor(t *testing.T) {
	u := start(t, &fleet{})
	lines := openStream(t, u, "/v1/stream?topics=actors,events:decky-07", "application/jsonl", "")
	for _, target := range []string{"decky-01", "decky/decky-02", "decky-07"} {
		u.feed.Append(event("crash", target))
	}
	expect(t, lines, `{"seq":2,"at":null,"type":"crash","target":"decky/decky-02"}`, `{"seq":3,"at":null,"type":"crash","target":"decky-07"}`)
	for _, bad := range []string{"evil", "events:", "deckies,,actors", strings.Repeat("actors,", 40)} {
		if code, got := u.do(t, request(t, "GET", "/v1/stream?topics="+bad, "")); code != 400 {
			t.Errorf("%s: %d %s", bad, code, got)
		}
	}
}
