package integration

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// event is one event as a consumer on the bus gets it.
type event struct {
	topic   string
	kind    string
	payload payload
	raw     json.RawMessage // the payload, verbatim
	at      time.Time
}

// payload has the keys consumers rely on.
type payload struct {
	HostUUID      string   `json:"host_uuid"`
	Name          string   `json:"name"`
	State         string   `json:"state"`
	Transition    string   `json:"transition"`
	Source        string   `json:"source"`
	PreviousState *string  `json:"previous_state"`
	Rev           int64    `json:"rev"`
	EventID       string   `json:"event_id"`
	Changed       []string `json:"changed"`
}

// subscriber is a consumer on the bus, with a connection and a decoder of its own. It keeps what it heard over any
// number of connections.
type subscriber struct {
	mu     sync.Mutex
	heard  []event
	broken error // what could not be decoded
}

// join connects and subscribes to everything; it returns when the server has proved that it fans out to us.
func (s *subscriber) join(t *testing.T, socket string) {
	t.Helper()
	var c net.Conn
	eventually(t, prompt, func() (err error) {
		c, err = net.Dial("unix", socket)
		return err
	})
	t.Cleanup(func() { _ = c.Close() })
	write(t, c, frame{verb: "HELLO", args: "integration"}, frame{verb: "SUB", args: ">"})
	ready := make(chan struct{})
	go s.listen(c, ready)
	prove(t, socket, ready)
}

// prove publishes over a second connection until the first one has heard it: the bus acknowledges no subscription.
func prove(t *testing.T, socket string, ready <-chan struct{}) {
	t.Helper()
	other, err := net.Dial("unix", socket)
	must(t, err)
	defer other.Close() //nolint:errcheck // nothing is waiting in it
	eventually(t, prompt, func() error {
		write(t, other, frame{verb: "PUB", args: "test.ready", body: []byte(`{"payload":{},"type":"test"}`)})
		select {
		case <-ready:
			return nil
		default:
			return fmt.Errorf("the subscription on %s is not in force", socket)
		}
	})
}

func (s *subscriber) listen(c net.Conn, ready chan struct{}) {
	r := bufio.NewReader(c)
	for {
		f, err := readFrame(r)
		if err != nil {
			return // the server went, or the test did
		}
		if f.args == "test.ready" {
			select {
			case <-ready:
			default:
				close(ready)
			}
			continue
		}
		s.take(f)
	}
}

func (s *subscriber) take(f frame) {
	var envelope struct {
		Topic, Type string
		Payload     json.RawMessage
	}
	e := event{topic: f.args, at: time.Now()}
	err := json.Unmarshal(f.body, &envelope)
	if err == nil {
		e.kind, e.raw = envelope.Type, envelope.Payload
	}
	if err == nil && e.kind == "state" {
		err = json.Unmarshal(envelope.Payload, &e.payload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && (f.verb != "EVT" || envelope.Topic != f.args) {
		err = fmt.Errorf("verb %s, topic %q in the header, %q in the envelope", f.verb, f.args, envelope.Topic)
	}
	if err != nil {
		s.broken = fmt.Errorf("event on %q: %w: %s", f.args, err, f.body)
		return
	}
	s.heard = append(s.heard, e)
}

// all gives what was heard so far.
func (s *subscriber) all(t *testing.T) []event {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	must(t, s.broken)
	return slices.Clone(s.heard)
}

// states gives the transitions of one decky, each once: a repeated one must be the same to the byte.
func (s *subscriber) states(t *testing.T, name string) []event {
	t.Helper()
	var once []event
	seen := map[string]string{}
	for _, e := range s.all(t) {
		if e.kind != "state" || e.payload.Name != name {
			continue
		}
		first, again := seen[e.payload.EventID]
		if again && first != string(e.raw) {
			t.Fatalf("event %s comes twice with two contents:\n%s\n%s", e.payload.EventID, first, e.raw)
		}
		if !again {
			seen[e.payload.EventID] = string(e.raw)
			once = append(once, e)
		}
	}
	return once
}

// last gives the newest transition of a decky.
func (s *subscriber) last(t *testing.T, name string) event {
	t.Helper()
	all := s.states(t, name)
	if len(all) == 0 {
		return event{}
	}
	return all[len(all)-1]
}

// story gives the transitions of a decky in one line: "inserted running, state_changed failed".
func (s *subscriber) story(t *testing.T, name string) []string {
	t.Helper()
	var words []string
	for _, e := range s.states(t, name) {
		words = append(words, e.payload.Transition+" "+e.payload.State)
	}
	return words
}

func write(t *testing.T, c net.Conn, frames ...frame) {
	t.Helper()
	for _, f := range frames {
		_, err := c.Write(f.encode())
		must(t, err)
	}
}

// publish sends one event over a connection of its own.
func publish(t *testing.T, socket, topic, kind, body string) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	must(t, err)
	write(t, c, frame{verb: "PUB", args: topic, body: fmt.Appendf(nil, `{"payload":%s,"type":%q}`, body, kind)})
	must(t, c.Close())
}
