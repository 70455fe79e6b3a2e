package console

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// fakeTaps hands out taps that show what a test puts in.
type fakeTaps struct {
	mu   sync.Mutex
	last *fakeTap
	err  error
}

type fakeTap struct {
	want  func(string) bool
	match func(messages.Tapped) bool
	out   chan messages.Tapped
	done  chan struct{}
	stop  func()
	count int64
}

func (f *fakeTaps) Open(want func(string) bool, match func(messages.Tapped) bool, count int64, last time.Duration) (Tap, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	t := &fakeTap{want: want, match: match, out: make(chan messages.Tapped, 10), done: make(chan struct{}), count: count}
	end := sync.OnceFunc(func() { close(t.done) })
	timer := time.AfterFunc(last, end)
	t.stop = func() { timer.Stop(); end() }
	f.last = t
	return t, nil
}

func (f *fakeTaps) tap() *fakeTap {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (t *fakeTap) Next(ctx context.Context) (messages.Tapped, error) {
	select {
	case m := <-t.out:
		return m, nil
	case <-ctx.Done():
		return messages.Tapped{}, ctx.Err()
	case <-t.done:
		select {
		case m := <-t.out:
			return m, nil
		default:
			return messages.Tapped{}, io.EOF
		}
	}
}

func (t *fakeTap) Dropped() int64        { return 3 }
func (t *fakeTap) Done() <-chan struct{} { return t.done }
func (t *fakeTap) Stop()                 { t.stop() }

func TestATapShowsWhatItIsGivenAndEndsWithItsReader(t *testing.T) {
	s := launch(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	seen := make(chan messages.Tapped, 10)
	result := make(chan error, 1)
	go func() {
		_, err := s.client.Tap(ctx, TapRequest{Actor: "decky/*", Match: `type:Row result:crashed`, Count: 7}, func(m messages.Tapped) error { seen <- m; return nil })
		result <- err
	}()
	eventually(t, func() bool { return s.taps.tap() != nil })
	x := s.taps.tap()
	if !x.want("decky/a") || x.want("store/store") || x.count != 7 {
		t.Error("another actor or count")
	}
	if !x.match(messages.Tapped{Type: "messages.RowChange", Result: "crashed"}) || x.match(messages.Tapped{Type: "messages.RowChange", Result: "ok"}) {
		t.Error("another filter")
	}
	x.out <- messages.Tapped{Actor: "decky/a", Type: "messages.RowChange"}
	if m := <-seen; m.Actor != "decky/a" || m.Seq != 1 {
		t.Errorf("%+v", m)
	}
	if _, got := s.get(t, "/v1/taps"); !strings.Contains(got, `"by":"alice"`) || !strings.Contains(got, `"seen":1,"dropped":3`) {
		t.Error(got)
	}
	if code, _ := s.get(t, "/v1/taps/1/stream"); code != 409 {
		t.Errorf("a second reader: %d", code)
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-x.done // the reader has gone
	if e := s.book.last(); e.Verb != "tap" || e.Target != "decky/*" {
		t.Errorf("%+v", e)
	}
}

func TestATapThatEndsSaysWhatWasLost(t *testing.T) {
	s := launch(t, nil)
	code, got := s.post(t, "/v1/taps", `{"actor":"a"}`)
	if code != 200 || !strings.Contains(got, `"count":100,"for_seconds":60`) {
		t.Fatalf("%d %s", code, got)
	}
	s.taps.tap().out <- messages.Tapped{Actor: "a"}
	s.taps.tap().stop()
	lines := openStream(t, s.up, "/v1/taps/1/stream", "text/event-stream", "")
	expect(t, lines, "id: 1")
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), `data: {"seq":1,`) {
		t.Error(lines.Text())
	}
	expect(t, lines, "", "event: end", `data: {"kind":"end","dropped":3}`, "")
}

func TestATapIsEndedByDeleteAndAllOfThemByTheServer(t *testing.T) {
	s := launch(t, nil)
	s.post(t, "/v1/taps", `{"actor":"a"}`)
	first := s.taps.tap()
	if code, got := s.do(t, request(t, "DELETE", "/v1/taps/1", "")); code != 200 || !strings.Contains(got, `"dropped":3`) {
		t.Errorf("%d %s", code, got)
	}
	<-first.done
	s.post(t, "/v1/taps", `{"actor":"a"}`)
	second := s.taps.tap()
	s.stop()
	<-second.done
	if e := s.book.last(); e.Verb != "tap" {
		t.Errorf("%+v", e)
	}
}

func TestTooManyTapsAreAConflict(t *testing.T) {
	s := launch(t, nil)
	s.taps.err = errors.New("too many taps are open")
	if code, got := s.post(t, "/v1/taps", `{"actor":"a"}`); code != 409 || !strings.Contains(got, "too many taps") {
		t.Errorf("%d %s", code, got)
	}
}
