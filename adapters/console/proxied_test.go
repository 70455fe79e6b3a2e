package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func TestUsersOfAnotherHostHaveTheRoleTheirHostVouchesForAndNoMore(t *testing.T) {
	c := &crew{fleet: fleet{status: messages.Status{HostUUID: "local", Role: "owner"}, deckies: twoDeckies}}
	b := &book{}
	s, err := Listen(t.Context(), Config{Path: filepath.Join(t.TempDir(), "c.sock"), Backend: c, Feed: NewFeed(8, 0), Node: "local", Now: time.Now, Audit: b})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	who, known := messages.Asker{}, true
	h := s.Proxied(func(context.Context) (messages.Asker, bool) { return who, known })
	ask := func(method, path, body string) int {
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
		r.Host = "fleetd"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	const pause = "/v1/deckies/local:decky-01/actions/pause"
	for _, x := range []struct {
		role     string
		look, do int
	}{{"", 403, 403}, {"emperor", 403, 403}, {"read-only", 200, 403}, {"operator", 200, 200}, {"admin", 200, 200}} {
		who = messages.Asker{Node: "master", UID: 1000, User: "bob", Role: x.role, Via: "web"}
		if look, do := ask("GET", "/v1/status", ""), ask("POST", pause, ""); look != x.look || do != x.do {
			t.Errorf("role %q: look %d, act %d", x.role, look, do)
		}
	}
	if e := b.last(); e.Node != "master" || e.User != "bob" || e.UID != 1000 || e.Role != "admin" || e.Via != "web" || e.Verb != "pause" {
		t.Errorf("audit: %+v", e)
	}
	if a := c.asked(); len(a) != 2 || a[0].By != "bob@master" {
		t.Errorf("asked: %+v", a)
	}
	for _, path := range []string{"/", "/metrics", "/healthz", "/debug"} {
		if code := ask("GET", path, ""); code != http.StatusForbidden {
			t.Errorf("%s: %d", path, code)
		}
	}
	if known = false; ask("GET", "/v1/status", "") != http.StatusForbidden {
		t.Error("answered without anybody who asks")
	}
}
