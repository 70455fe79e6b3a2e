package integration

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestOtherHostsUseTheConsoleByClientCertificateAndNothingElse: a daemon that was told to lets them in by their role, puts
// their name on record, and is otherwise the console that it is at its socket: API, pages, events as they come.
func TestOtherHostsUseTheConsoleByClientCertificateAndNothingElse(t *testing.T) {
	s, _ := webStage(t, "decky-01")
	s.terminate()
	b := newBadges(t)
	files := b.files(s)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := taken.Addr().String()

	// The address is taken: that is said, and nothing else suffers.
	s.start(append(files, "--console-listen", addr)...)
	eventually(t, prompt, func() error {
		out, _ := s.command("status")
		return unless(strings.Contains(out, "address already in use"), "%s", out)
	})
	must(t, taken.Close())

	reader, operator, admin := b.client(b.of("rita", "decnet")), b.client(b.of("oscar", "decnet-ops")), b.client(b.of("alice", "decnet-admin"))
	eventually(t, soon, func() error { // it has become free
		code, text := asked(t, reader, "GET", "https://"+addr+"/v1/whoami", "")
		return unless(code == 200 && strings.Contains(text, `"role":"read-only"`), "%d %s", code, text)
	})
	for _, x := range []struct {
		who          *http.Client
		method, path string
		want         int
		says         string
	}{
		{b.client(), "GET", "/v1/status", 0, "certificate required"},
		{b.client(newBadges(t).of("mallory", "decnet-admin")), "GET", "/v1/status", 0, "certificate"},
		{b.client(b.of("worker-1", "swarm-worker")), "GET", "/v1/status", 403, "yours is none"},
		{reader, "GET", "/deckies", 200, "decky-01"},
		{reader, "POST", "/v1/actions/pause", 403, "yours is read-only"},
		{operator, "POST", "/v1/reconcile", 200, `"kind":"reconcile"`},
		{operator, "GET", "/v1/debug/goroutines", 403, "yours is operator"},
		{admin, "GET", "/v1/debug/goroutines", 200, `"kind":"goroutines"`},
	} {
		if code, text := asked(t, x.who, x.method, "https://"+addr+x.path, ""); code != x.want || !strings.Contains(text, x.says) {
			t.Errorf("%s %s: %d, want %d: %.300s", x.method, x.path, code, x.want, text)
		}
	}
	if out := s.say(0, "audit"); !strings.Contains(out, "oscar (certificate ") {
		t.Error(out)
	}
	if out := s.say(0, "config", "show", "--console-listen", addr, files[0], files[1], files[2], files[3], files[4], files[5]); !strings.Contains(out, addr) {
		t.Error(out)
	}
	if out, _ := s.command("doctor", "--console-listen", addr, files[0], files[1], files[2], files[3], files[4], files[5]); !strings.Contains(out, fmt.Sprintf("client certificates at %s, our own is good until", addr)) &&
		!strings.Contains(out, "ends on") {
		t.Error(out)
	}
}
