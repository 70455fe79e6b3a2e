package console

import (
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

// another is a daemon of another version: it answers with fixed texts.
func another(t *testing.T, answers map[string]string) *Client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, is := answers[r.URL.Path]
		if !is {
			refuse(w, http.StatusNotFound, NotFound, "there is no "+r.URL.Path, "GET /v1/openapi.json lists the paths")
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, text) // a test
	})}
	done := make(chan error, 1)
	go func() { done <- h.Serve(l) }()
	c := NewClient(path, 5*time.Second)
	t.Cleanup(func() {
		c.Close()
		_ = h.Close() // a test
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return c
}

func TestAClientReadsADaemonThatIsOlderOrNewer(t *testing.T) {
	c := another(t, map[string]string{
		"/v1/status":  `{"api":"v1","kind":"status","host_uuid":"h","role":"owner","aura":{"of":["a","newer"]},"components":[{"component":"bus","state":"ok","mood":3}]}`,
		"/v1/deckies": `{"api":"v1","kind":"deckies","items":[{"name":"d","state":"dreaming"}]}`,
		"/v1/actors":  `{"api":"v1","kind":"actors","items":[{"pid":5}]}`,
	})
	if s, err := c.Status(t.Context()); err != nil || s.HostUUID != "h" || len(s.Components) != 1 || s.Components[0].State != "ok" {
		t.Errorf("a newer status: %+v, %v", s, err)
	}
	if l, err := c.Deckies(t.Context(), ""); err != nil || len(l.Items) != 1 || l.Items[0].State != "dreaming" || l.Items[0].Services != nil {
		t.Errorf("an older list: %+v, %v", l, err)
	}
	if _, err := c.Actors(t.Context(), Selection{}); err == nil {
		t.Error("an answer of another shape is taken for one")
	}
	if _, err := c.Crashes(t.Context(), "", Selection{}); err == nil || codeOf(t, err) != NotFound {
		t.Errorf("what an older daemon does not have: %v", err)
	}
}
