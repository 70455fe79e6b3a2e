package bus

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

const ours = "fleetd-1"

// linked is a link whose events can be waited for.
type linked struct {
	Pair
	t      *testing.T
	events chan messages.LinkEvent
}

func link2(t *testing.T, path string) *linked {
	t.Helper()
	d := &Dialer{Where: Locator{Explicit: path}, Instance: ours, Now: time.Now}
	l := &linked{t: t, events: make(chan messages.LinkEvent, 4096)}
	p, err := d.Dial(t.Context(), func(f func()) { go f() }, func(e messages.LinkEvent) { l.events <- e })
	if err != nil {
		t.Fatal(err)
	}
	l.Pair = p
	t.Cleanup(func() {
		_ = p.Close()
		for l.next() != nil { // until LinkDown
		}
	})
	return l
}

// next is the next event; nil after LinkDown.
func (l *linked) next() messages.LinkEvent {
	l.t.Helper()
	if l.events == nil {
		return nil
	}
	select {
	case e := <-l.events:
		if _, down := e.(messages.LinkDown); down {
			l.events = nil
		}
		return e
	case <-time.After(5 * time.Second):
		l.t.Fatal("waited in vain for an event of the link")
		return nil
	}
}

func probe(n uint64) messages.Frame {
	return messages.Frame{Topic: messages.HealthTopic, Body: fmt.Appendf(nil, `{"payload":{"worker":"reconciler","ts":1.5,"instance":%q,"probe":%d},"type":"health"}`, ours, n)}
}

func event(n int) messages.Frame {
	return messages.Frame{
		Topic: messages.StateTopic("local", fmt.Sprintf("decky-%02d", n)),
		Body:  fmt.Appendf(nil, `{"payload":{"name":"d","rev":%d,"event_id":"%032x"},"type":"state"}`, n, n),
	}
}

// ready waits for the barrier: both subscriptions stand.
func (l *linked) ready() {
	l.t.Helper()
	for n := uint64(1); ; n++ {
		if err := l.Send([]messages.Frame{probe(n)}); err != nil {
			l.t.Fatal(err)
		}
		select {
		case <-l.events:
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func TestEchoesComeInTheOrderOfPublishing(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	l.ready()
	const n = 300
	var frames []messages.Frame
	for i := range n {
		frames = append(frames, event(i))
	}
	if err := l.Send(append(frames, probe(9999))); err != nil {
		t.Fatal(err)
	}
	var got []string
	for len(got) < n {
		switch e := l.next().(type) {
		case messages.Echoed:
			got = append(got, e.EventIDs...)
		case messages.ProbeEchoed:
			if e.Probe == 9999 {
				t.Fatalf("the probe overtook %d events", n-len(got))
			}
		default:
			t.Fatalf("got %#v", e)
		}
	}
	for i, id := range got {
		if id != fmt.Sprintf("%032x", i) {
			t.Fatalf("echo %d is %s", i, id)
		}
	}
	for {
		if e, ok := l.next().(messages.ProbeEchoed); ok && e.Probe == 9999 {
			break
		}
	}
}

func TestLinkHearsOthersButNotItself(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	l.ready()
	a := dial(t, s.path)
	a.sync(s)
	if err := l.Send([]messages.Frame{{Topic: messages.ControlTopic, Body: []byte(`{"payload":{"action":"stop"}}`)}}); err != nil {
		t.Fatal(err)
	}
	a.send(Pub, messages.HealthTopic, `{"payload":{"worker":"reconciler","ts":1.0},"type":"health"}`)
	a.send(Pub, messages.ControlTopic, `{"payload":{"action":"stop","requested_by":"admin","ts":1.0},"type":"control"}`)
	a.send(Pub, messages.ControlTopic, `{"payload":[1],"type":"control"}`)
	a.send(Pub, messages.ControlTopic, `{"payload":{"action":7}}`)
	want := []messages.LinkEvent{
		messages.HealthHeard{},
		messages.ControlHeard{Action: "stop", RequestedBy: "admin"},
		messages.ControlHeard{Malformed: "the payload is not a JSON object"},
		messages.ControlHeard{Malformed: "the payload has no action"},
	}
	for _, w := range want {
		e := l.next()
		for _, late := e.(messages.ProbeEchoed); late; _, late = e.(messages.ProbeEchoed) {
			e = l.next()
		}
		if !reflect.DeepEqual(e, w) {
			t.Errorf("got %#v, want %#v", e, w)
		}
	}
}

func TestFloodOfHeartbeatsIsBounded(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	l.ready()
	a := dial(t, s.path)
	for range 500 {
		a.send(Pub, messages.HealthTopic, `{"payload":{"worker":"reconciler","instance":"x"}}`)
	}
	a.send(Pub, messages.ControlTopic, `{"payload":{"action":"stop"}}`)
	heard := 0
	for {
		e := l.next()
		if _, stop := e.(messages.ControlHeard); stop {
			break
		}
		if _, health := e.(messages.HealthHeard); health {
			heard++
		}
	}
	if heard > 3*noticesPerSecond {
		t.Errorf("%d heartbeats were passed on", heard)
	}
}

func TestEndOfTheServerEndsTheLinkAfterItsEchoes(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	l.ready()
	b := dial(t, s.path)
	b.send(Sub, messages.StatePattern, "")
	b.sync(s)
	if err := l.Send([]messages.Frame{event(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.next(); err != nil { // the server has fanned it out
		t.Fatal(err)
	}
	s.stop()
	echoed := false
	for e := l.next(); e != nil; e = l.next() {
		if e, is := e.(messages.Echoed); is {
			echoed = e.EventIDs[0] == fmt.Sprintf("%032x", 1)
		}
		if e, is := e.(messages.LinkDown); is && (!echoed || e.Why == "") {
			t.Errorf("down (%q), echo heard: %v", e.Why, echoed)
		}
	}
}

func TestPoisonEndsTheLink(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	l.ready()
	if err := l.Send([]messages.Frame{{Topic: "decky.x.state", Body: []byte("no JSON")}}); err != nil {
		t.Fatal(err)
	}
	for e := l.next(); e != nil; e = l.next() {
		if _, down := e.(messages.LinkDown); down {
			return
		}
	}
}

func TestFrameThatCannotBeWrittenIsNamed(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	err := l.Send([]messages.Frame{event(1), {Topic: "decky.é.state"}})
	if err == nil || !strings.Contains(err.Error(), "decky.é.state") {
		t.Errorf("got %v", err)
	}
}

func TestSendToAStalledServerEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus.sock")
	sock, err := new(net.ListenConfig).Listen(t.Context(), "unix", path) // accepts in the kernel, never reads
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	l := link2(t, path)
	big := messages.Frame{Topic: "t", Body: make([]byte, MaxBody)}
	began := time.Now()
	if err := l.Send([]messages.Frame{big}); err == nil {
		t.Fatal("a megabyte went into a socket nobody reads")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestLinkKnowsWhenTheSocketMoved(t *testing.T) {
	s := newBus(t)
	l := link2(t, s.path)
	if l.Moved() {
		t.Error("moved at once")
	}
	if err := os.Chmod(s.path, 0o600); err != nil || l.Moved() {
		t.Errorf("chmod counts as a move (%v)", err)
	}
	if err := os.Remove(s.path); err != nil || l.Moved() {
		t.Errorf("a missing socket counts as moved (%v)", err)
	}
	other := serve(t, s.path, io.Discard)
	if !l.Moved() {
		t.Error("another socket is not noticed")
	}
	other.stop()
	if l.Moved() {
		t.Error("still moved though nothing stands there")
	}
}

func TestSocketIsFoundAsDecnetFindsIt(t *testing.T) {
	dir := t.TempDir()
	shared := filepath.Join(dir, "run", "bus.sock")
	l := Locator{Shared: shared, Home: "/home/decnet"}
	if got := l.Socket(); got != "/home/decnet/.decnet/bus.sock" {
		t.Errorf("without a run directory: %s", got)
	}
	if err := os.Mkdir(filepath.Dir(shared), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := l.Socket(); got != shared {
		t.Errorf("writable run directory: %s", got)
	}
	if err := os.WriteFile(shared, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(shared), 0o555); err != nil {
		t.Fatal(err)
	}
	if got := l.Socket(); got != shared {
		t.Errorf("existing shared socket: %s", got)
	}
	l.Explicit = "/elsewhere/b.sock"
	if got := l.Socket(); got != "/elsewhere/b.sock" {
		t.Errorf("explicit: %s", got)
	}
	if got := (Locator{Shared: filepath.Join(dir, "no", "bus.sock")}).Socket(); got != filepath.Join(dir, "no", "bus.sock") {
		t.Errorf("no home: %s", got)
	}
}

func TestEchoIsReadFromHostileJSON(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 2)
	for body, want := range map[string]string{
		`{"payload":{"event_id":"` + id + `"}}`:                                              id,
		`{ "payload" : { "x":[{"event_id":"no"}] , "event\u005fid" : "` + id + `" } }`:       id,
		`{"payload":{"event_id":"` + strings.Repeat("f", 32) + `","event_id":"` + id + `"}}`: id,
		`{"event_id":"` + id + `","payload":{}}`:                                             "",
		`{"payload":{"cause":"\"event_id\":\"` + id + `\""}}`:                                "",
		`{"payload":{"nested":{"event_id":"` + id + `"}}}`:                                   "",
		`{"payload":{"event_id":"` + id + `0"}}`:                                             "",
		`{"payload":{"event_id":12345678901234567890123456789012}}`:                          "",
		`{"payload":[{"event_id":"` + id + `"}]}`:                                            "",
		`{"payload":{"event_id":"` + id + `"}`:                                               "",
		`{"payload":null}`:                                                                   "",
		``:                                                                                   "",
	} {
		if got, ok := eventID([]byte(body)); got != want || ok != (want != "") {
			t.Errorf("%s: got %q", body, got)
		}
	}
	for body, want := range map[string]uint64{
		`{"payload":{"instance":"i","probe":7}}`:                    7,
		`{"payload":{"instance":"i","probe":18446744073709551615}}`: 1<<64 - 1,
		`{"payload":{"instance":"i","probe":18446744073709551616}}`: 0,
		`{"payload":{"instance":"i","probe":-1}}`:                   0,
		`{"payload":{"instance":"i","probe":1.0}}`:                  0,
		`{"payload":{"instance":"i","probe":"7"}}`:                  0,
		`{"payload":{"instance":"i"}}`:                              0,
	} {
		if instance, got := heartbeat([]byte(body)); got != want || instance != "i" {
			t.Errorf("%s: got %q %d, want %d", body, instance, got, want)
		}
	}
	long := strings.Repeat("é", 100)
	if got := control([]byte(`{"payload":{"action":"stop","requested_by":"` + long + `"}}`)).RequestedBy; got != long[:textLimit] {
		t.Errorf("got %q", got)
	}
}

func FuzzEcho(f *testing.F) {
	f.Add(event(1).Body)
	f.Add(probe(1).Body)
	f.Add([]byte(`{"payload":{"action":"stop","requested_by":"a"}}`))
	f.Add([]byte(`{"payload":{"event\u005fid":"\u0030","probe":1e3,"instance":"\ud83d\udc7b"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var want struct {
			Payload map[string]any
		}
		id, ours := eventID(body)
		instance, n := heartbeat(body)
		c := control(body)
		if len(instance) > textLimit || len(c.Action) > textLimit || len(c.RequestedBy) > textLimit {
			t.Fatal("a bound does not hold")
		}
		if !json.Valid(body) && (ours || instance != "" || n != 0 || c.Action != "") {
			t.Fatalf("%q gave %q %q %d %+v", body, id, instance, n, c)
		}
		if !unmarshal(body, &want) {
			return
		}
		if ours && want.Payload["event_id"] != id {
			t.Fatalf("%q gave %q, want %v", body, id, want.Payload["event_id"])
		}
		if s, _ := want.Payload["instance"].(string); len(s) <= textLimit && s != instance {
			t.Fatalf("%q gave %q, want %q", body, instance, s)
		}
	})
}

func BenchmarkEcho(b *testing.B) {
	body := AppendEnvelope(nil, Event{ID: strings.Repeat("0", 32), Topic: "decky.local:decky-01.state", Type: "state", TS: 1.5, Payload: []byte(
		`{"host_uuid":"local","name":"decky-01","state":"running","transition":"inserted","source":"fleet","rev":1,"event_id":"0123456789abcdef0123456789abcdef","observed_at":"2026-11-24T02:25:00.000000Z","cause":"die"}`)})
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, ok := eventID(body); !ok {
			b.Fatal("no id")
		}
	}
}
