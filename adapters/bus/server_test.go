package bus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/decnet/decnet-fleetd/adapters/unixsock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a bus with a way to stop it.
type running struct {
	*Server
	path string
	stop func()
}

func serve(t testing.TB, path string, log io.Writer) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := Listen(ctx, ServerConfig{Path: path, Group: "no-such-group", Now: time.Now, Log: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	within(t, "the first heartbeat", func() bool { return s.Stats().Published == 1 })
	return &running{s, path, stop}
}

// client is a raw connection to a bus.
type client struct {
	net.Conn
	t testing.TB
	r *Reader
}

func dial(t testing.TB, path string) *client {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &client{c, t, NewReader(c)}
}

func (c *client) send(verb Verb, args, body string) {
	c.t.Helper()
	b, err := AppendFrame(nil, verb, args, []byte(body))
	if err != nil {
		c.t.Fatal(err)
	}
	c.raw(b)
}

func (c *client) raw(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// next reads one frame, and its raw bytes, within five seconds.
func (c *client) next() (Frame, error) {
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	return c.r.ReadFrame()
}

var syncs atomic.Int64

// sync waits until the server has worked through everything this connection sent.
func (c *client) sync(s *running) {
	c.t.Helper()
	mark := fmt.Sprintf("test.sync.%d", syncs.Add(1))
	c.send(Sub, mark, "")
	within(c.t, "a subscription", func() bool {
		for _, p := range *s.peers.Load() {
			if slices.Contains(*p.patterns.Load(), mark) { // a peer that hears everything would match it too
				return true
			}
		}
		return false
	})
	c.send(Unsub, mark, "")
}

func newBus(t testing.TB) *running {
	return serve(t, filepath.Join(t.TempDir(), "bus.sock"), io.Discard)
}

var stamps = regexp.MustCompile(`"id":"[0-9a-f]{32}"|"ts":[0-9]+\.[0-9]+`)

// plain takes what differs every time out of an EVT frame: id, clock, and with the clock the length.
func plain(b []byte) string {
	head, rest, _ := bytes.Cut(b, []byte("\n"))
	if len(rest) < 4 {
		return string(b)
	}
	return string(head) + "\n" + stamps.ReplaceAllString(string(rest[4:]), "*")
}

func TestServerBehavesAsDecnetsDoes(t *testing.T) {
	var g goldenFrames
	golden(t, "bus_frames.json", &g)
	ran := 0
	for _, c := range g.LiveServer {
		sent, _ := c["sent_hex"].(string)
		if strings.HasSuffix(sent, "...") {
			continue // TestEventAboveTheLimitIsDropped
		}
		if c["case"] == "pub_fanout_restamp" {
			sent = hex.EncodeToString([]byte("PUB decky.local:decky-01.state\n\x00\x00\x00\xa9" + `{"v":7,"id":"mine","topic":"other","ts":1,"type":"state","payload":{"host_uuid":"local","name":"decky-01","state":"running","transition":"inserted","source":"fleet"        }}`))
			c["sent_hex"], c["conn"], c["got_hex"], c["subscriber_B_got"] = sent, "open", "", c["B_received_hex"]
		}
		if sent == "" {
			continue
		}
		ran++
		t.Run(c["case"].(string), func(t *testing.T) {
			s := newBus(t)
			a, b := dial(t, s.path), dial(t, s.path)
			a.send(Sub, ">", "")
			b.send(Sub, "decky.*.state", "")
			b.sync(s)
			raw := unhex(t, sent)
			if c["case"] == "pub_fanout_restamp" {
				raw = fixLength(raw)
			}
			a.raw(raw)
			want, _ := c["subscriber_B_got"].(string)
			if want != "" {
				f, err := b.next()
				if err != nil {
					t.Fatal(err)
				}
				got, _ := AppendFrame(nil, f.Verb, string(f.Args), f.Body)
				if plain(got) != plain(unhex(t, want)) {
					t.Errorf("B got\n %s want\n %s", got, unhex(t, want))
				}
			}
			b.silent(t)
			if c["conn"] == "open" {
				a.silent(t) // nor does the origin hear itself
			} else if f, err := a.next(); !errors.Is(err, io.EOF) {
				t.Errorf("A got %v, %v, want its connection closed", f, err)
			}
		})
	}
	if ran != 13 {
		t.Errorf("%d recorded cases ran, want 13", ran)
	}
}

func fixLength(raw []byte) []byte {
	head, rest, _ := bytes.Cut(raw, []byte("\n"))
	verb, args, _ := strings.Cut(string(head), " ")
	b, err := AppendFrame(nil, Verb(verb), args, rest[4:])
	if err != nil {
		panic(err)
	}
	return b
}

// silent checks that nothing comes and the connection stays open.
func (c *client) silent(t *testing.T) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	if f, err := c.r.ReadFrame(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %s %s, %v, want silence", f.Verb, f.Args, err)
	}
	c.r = NewReader(c.Conn)
}

func TestEventAboveTheLimitIsDropped(t *testing.T) {
	s := newBus(t)
	a, b := dial(t, s.path), dial(t, s.path)
	b.send(Sub, "decky.*.state", "")
	b.sync(s)
	head, tail := `{"payload":{"p":"`, `"}}`
	a.send(Pub, "decky.x.state", head+strings.Repeat("a", MaxBody-len(head)-len(tail))+tail)
	a.send(Pub, "decky.y.state", "")
	f, err := b.next()
	if err != nil || string(f.Args) != "decky.y.state" {
		t.Errorf("got %s, %v, want only the event that fits", f.Args, err)
	}
	if got := s.Stats().Dropped; got != 1 {
		t.Errorf("%d dropped, want 1", got)
	}
}

func TestServerStampsEveryEventAnew(t *testing.T) {
	s := newBus(t)
	a, b := dial(t, s.path), dial(t, s.path)
	b.send(Sub, "decky.>", "")
	b.sync(s)
	seen := map[string]bool{}
	for range 50 {
		a.send(Pub, "decky.x.state", `{"id":"mine","ts":1,"v":9,"topic":"t","payload":{"n":1}}`)
		f, err := b.next()
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			V         int
			ID, Topic string
			TS        float64
		}
		if err := json.Unmarshal(f.Body, &e); err != nil || e.V != 1 || len(e.ID) != 32 || seen[e.ID] || e.Topic != "decky.x.state" || e.TS < 1.7e9 {
			t.Fatalf("got %s, %v", f.Body, err)
		}
		seen[e.ID] = true
	}
}

func TestUnsubscribedConnectionHearsNothing(t *testing.T) {
	s := newBus(t)
	a, b := dial(t, s.path), dial(t, s.path)
	b.send(Sub, "x", "")
	b.send(Sub, "x", "")
	b.send(Unsub, "x", "")
	b.sync(s)
	a.send(Pub, "x", "")
	b.silent(t)
}

func TestSlowSubscriberLosesTheOldestAndIsCounted(t *testing.T) {
	var log lockedBuffer
	s := serve(t, filepath.Join(t.TempDir(), "bus.sock"), &log)
	a, b := dial(t, s.path), dial(t, s.path)
	b.send(Hello, "sloth", "")
	b.send(Sub, "decky.*.state", "")
	b.sync(s)
	const n = 20000
	w := bufio.NewWriter(a)
	for i := range n {
		frame, _ := AppendFrame(nil, Pub, "decky.x.state", fmt.Appendf(nil, `{"payload":{"n":%d,"pad":"%0300d"}}`, i, 0))
		_, _ = w.Write(frame)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	within(t, "the server to read it all", func() bool { return s.Stats().Published > n })
	last, got := -1, 0
	for last < n-1 {
		f, err := b.next()
		if err != nil {
			t.Fatalf("after %d: %v", last, err)
		}
		var e struct{ Payload struct{ N int } }
		if err := json.Unmarshal(f.Body, &e); err != nil || e.Payload.N <= last {
			t.Fatalf("%d came after %d, %v", e.Payload.N, last, err)
		}
		last = e.Payload.N
		got++
	}
	if lost := s.Stats().Dropped; lost != int64(n-got) || lost == 0 {
		t.Errorf("%d dropped are counted, %d are missing", lost, n-got)
	}
	if lines := strings.Count(log.String(), "dropped the oldest"); lines != 1 {
		t.Errorf("%d warnings, want one in ten seconds", lines)
	}
	if !strings.Contains(log.String(), `"peer":"sloth"`) {
		t.Error("the warning does not name the connection")
	}
}

func TestSocketGoesWithTheServer(t *testing.T) {
	s := newBus(t)
	s.stop()
	if _, err := os.Lstat(s.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays after an orderly end: %v", err)
	}
}

func TestLiveSocketIsRefused(t *testing.T) {
	s := newBus(t)
	_, err := Listen(t.Context(), ServerConfig{Path: s.path, Now: time.Now})
	if !errors.Is(err, unixsock.ErrInUse) || !strings.Contains(err.Error(), "a bus answers") {
		t.Errorf("got %v", err)
	}
	b := dial(t, s.path)
	b.sync(s) // the first one still works
}

func TestOrderlyEndDeliversWhatWaits(t *testing.T) {
	s := newBus(t)
	a, b := dial(t, s.path), dial(t, s.path)
	b.send(Sub, "x", "")
	b.sync(s)
	const n = 900 // more than the socket holds, less than the queue
	for range n {
		a.send(Pub, "x", `{"payload":{"pad":"`+strings.Repeat("p", 600)+`"}}`)
	}
	within(t, "the server to read it all", func() bool { return s.Stats().Published > n })
	go s.stop()
	got := 0
	for {
		f, err := b.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(f.Args) == "x" {
			got++
		}
	}
	if got != n {
		t.Errorf("%d of %d arrived before the end", got, n)
	}
}

func TestHealthHasTheKeysDecnetReads(t *testing.T) {
	s := newBus(t)
	var h struct {
		PID    int
		Uptime *float64 `json:"uptime_sec"`
		TS     float64
	}
	if err := json.Unmarshal(s.health(), &h); err != nil || h.PID != os.Getpid() || h.Uptime == nil || h.TS < 1.7e9 {
		t.Errorf("got %s, %v", s.health(), err)
	}
}

func TestTooManySubscriptionsEndTheConnection(t *testing.T) {
	s := newBus(t)
	a := dial(t, s.path)
	var b []byte
	for i := range maxPatterns + 1 {
		b, _ = AppendFrame(b, Sub, fmt.Sprintf("p%d", i), nil)
	}
	_, _ = a.Write(b) // the server may close before it has read all of it
	if _, err := a.next(); err == nil {
		t.Error("the connection is still served")
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// within polls until the condition holds, for ten seconds at most.
func within(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

func BenchmarkServer(b *testing.B) {
	for _, subs := range []int{1, 10} {
		b.Run(fmt.Sprintf("%d subscribers flat out", subs), func(b *testing.B) { benchServer(b, subs, 0) })
	}
	b.Run("1 subscriber at 30000 a second", func(b *testing.B) { benchServer(b, 1, 30000) })
	b.Run("10 subscribers at 10000 a second", func(b *testing.B) { benchServer(b, 10, 10000) })
}

// benchServer publishes b.N events of 300 bytes and reports what the subscribers got, by the clock from the first PUB
// to the last delivery. Publisher, server and subscribers share this process.
func benchServer(b *testing.B, subs, rate int) {
	s := newBus(b)
	pub := dial(b, s.path)
	var got atomic.Int64
	var wg sync.WaitGroup
	for range subs {
		c := dial(b, s.path)
		c.send(Sub, "decky.*.state", "")
		c.sync(s)
		_ = c.SetReadDeadline(time.Time{})
		wg.Go(func() {
			for {
				f, err := c.r.ReadFrame()
				if err != nil || string(f.Args) == "decky.end.state" {
					return
				}
				got.Add(1)
			}
		})
	}
	frame, _ := AppendFrame(nil, Pub, "decky.local:decky-01.state", benchBody(300))
	batch := bytes.Repeat(frame, 64)
	b.SetBytes(int64(len(frame)))
	b.ResetTimer()
	began := time.Now()
	for n := 0; n < b.N; n += 64 {
		pub.raw(batch)
		for rate > 0 && time.Since(began) < time.Duration(n)*time.Second/time.Duration(rate) {
			time.Sleep(time.Millisecond)
		}
	}
	sent := (b.N + 63) / 64 * 64
	within(b, "the server to read it all", func() bool { return s.Stats().Published > int64(sent) })
	pub.send(Pub, "decky.end.state", "")
	wg.Wait()
	took := time.Since(began).Seconds()
	b.ReportMetric(float64(got.Load())/took, "delivered/s")
	b.ReportMetric(100*(1-float64(got.Load())/float64(sent*subs)), "%lost")
	b.ReportMetric(0, "ns/op")
}
