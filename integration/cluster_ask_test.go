package integration

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestARoleAtTheHubIsTheSameAtItsWorkers: who may only look at the hub may only look at a host behind it, and what somebody
// orders is on record there under the name the hub knows.
func TestARoleAtTheHubIsTheSameAtItsWorkers(t *testing.T) {
	t.Parallel()
	s := newSwarm(t, &onSQLite, 1, 2)
	w, b := s.workers[0], newBadges(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := free.Addr().String()
	must(t, free.Close())
	s.hub(append(b.files(s.stage), "--console-listen", addr)...)
	w.join()
	s.judged(soon, "after the start")

	reader, operator, admin := b.client(b.of("rita", "decnet")), b.client(b.of("oscar", "decnet-ops")), b.client(b.of("alice", "decnet-admin"))
	pause := `{"targets":["` + w.names[0] + `"],"reason":"ticket 4711"}`
	for _, x := range []struct {
		who                *http.Client
		method, path, body string
		want               int
		says               string
	}{
		{reader, "GET", "deckies", "", 200, w.names[1]},
		{reader, "POST", "actions/pause", pause, 403, "yours is read-only"},
		{operator, "GET", "debug/goroutines", "", 403, "yours is operator"},
		{operator, "POST", "actions/pause", pause, 200, `"after":"paused"`},
		{admin, "GET", "debug/goroutines", "", 200, `"kind":"goroutines"`},
		{b.client(newBadges(t).of("mallory", "decnet-admin")), "GET", "deckies", "", 0, "certificate"},
	} {
		if code, text := asked(t, x.who, x.method, "https://"+addr+"/v1/nodes/w1/"+x.path, x.body); code != x.want || !strings.Contains(text, x.says) {
			t.Errorf("%s %s: %d, want %d: %.300s", x.method, x.path, code, x.want, text)
		}
	}
	record, _ := w.command("audit")
	if !strings.Contains(record, "oscar") || !strings.Contains(record, "ticket 4711") || strings.Contains(record, "rita") {
		t.Errorf("the worker's record should have oscar's order, and of rita's nothing:\n%s", record)
	}
}

// TestTheLogAndTheEventsOfAHostAreFollowedThroughTheHub, also over the death of that host's daemon.
func TestTheLogAndTheEventsOfAHostAreFollowedThroughTheHub(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 2)
	w := s.workers[0]
	follows := func(verb ...string) *process {
		p := launch(t, s.path(verb[0]+".log"), fleetd(t), append(append([]string{"--node", "w1"}, verb...), s.flags()...)...)
		t.Cleanup(func() { p.end(t) })
		return p
	}
	follower := follows("events", "--follow", "--since", "10m", "-o", "jsonl", "--type", "state_changed")
	reader := follows("logs", "--follow")
	lives := func(n int) {
		t.Helper()
		eventually(t, soon, func() error {
			have := strings.Count(reader.tail(), "decnet-fleetd started")
			return unless(have == n, "%d starts in the log, want %d:\n%s", have, n, reader.tail())
		})
	}
	lives(1)
	told := func(n int) {
		t.Helper()
		eventually(t, soon, func() error {
			have := strings.Count(follower.tail(), `"target":"`+w.names[0]+`"`)
			return unless(have == n, "%d events of %s, want %d:\n%s", have, w.names[0], n, follower.tail())
		})
	}
	w.flip(w.names[0])
	told(1)
	w.flip(w.names[0])
	told(2)
	w.daemon.kill9(t)
	w.join()
	s.judged(soon, "after kill -9 of the worker")
	lives(2)
	w.flip(w.names[0])
	told(3)
}
