package fabric

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// A neighbour in version knows keys and kinds that we do not.
func TestANewerWorkersKeysAndKindsAreIgnored(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	heard, err := in.SubscribeSync("hub." + host1 + ".*")
	if err != nil {
		t.Fatal(err)
	}
	event, err := json.Marshal(transition(host1, 1))
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(event), "{", `{"colour":"red",`, 1)
	for _, f := range []struct{ kind, text string }{
		{kindHello, `{"wire":2,"oldest":1,"version":"2.0","mood":"good"}`},
		{"telemetry", `{"x":1}`},
		{kindBeat, `{"n":1,"temperature":40}`},
		{kindBatch, fmt.Sprintf(`{"n":1,"priority":9,"events":[%s]}`, newer)},
	} {
		if err := in.Publish(upSubject(host1, f.kind), []byte(f.text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{kindHello, kindAck} {
		m, err := heard.NextMsg(patience)
		if err != nil || !strings.HasSuffix(m.Subject, kind) || strings.Contains(string(m.Data), "never") || strings.Contains(string(m.Data), "why") {
			t.Fatalf("want a good %s, got %v %v", kind, m, err)
		}
	}
	w.until("up, a beat and the transition", func() bool {
		return len(w.events) == 1 && w.events[0].Peer.Wire == 2 && len(w.beats[host1]) == 1 && len(w.got[host1]) == 1
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.refused) != 0 {
		t.Errorf("refused: %+v", w.refused)
	}
}

func TestAWorkerThatSpeaksNoVersionOfOursIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	heard, err := in.SubscribeSync("hub." + host1 + ".*")
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Publish(upSubject(host1, kindHello), []byte(`{"wire":9,"oldest":8,"version":"9.0"}`)); err != nil {
		t.Fatal(err)
	}
	if m, err := heard.NextMsg(patience); err != nil || !strings.Contains(string(m.Data), "version 9") {
		t.Errorf("it hears %v, %v", m, err)
	}
	w.refusedFor(messages.RefusedWire)
}

// The hub's side of the same: what a worker of ours makes of a hub's words.
func TestANewerHubsWordsAreUnderstood(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	l := w.hub.gate.seat(host1).lane
	l.say("weather", map[string]int{"rain": 1})
	l.say(kindFlow, map[string]any{"id": 99, "more": 1, "extra": true})
	l.say(kindAck, map[string]any{"n": 12345, "extra": true})
	l.say(kindHello, "no hello at all")
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
	if f := (&wireFault{hub: hello{Wire: 9, Oldest: 8}}); !strings.Contains(f.Error(), "version 9") {
		t.Errorf("a hub that is too new: %v", f)
	}
}
