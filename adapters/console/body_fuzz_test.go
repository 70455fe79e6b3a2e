package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/messages"
)

// ear is a backend that remembers every order it was given.
type ear struct {
	crew
	orders []any
}

func (e *ear) Ask(ctx context.Context, question any) (any, error) {
	switch q := question.(type) {
	case messages.Act, messages.GetPass, messages.ApproveDeletes:
		e.orders = append(e.orders, q)
	case messages.ReloadSettings:
		e.orders = append(e.orders, q)
		return messages.ReloadReport{}, nil
	}
	return e.crew.Ask(ctx, question)
}

// bodied are the paths that take a body.
var bodied = []string{"/v1/actions/pause", "/v1/actions/kill", "/v1/deckies/local:decky-01/actions/resync", "/v1/reconcile", "/v1/approve",
	"/v1/taps", "/v1/reload"}

// bodySeeds are bodies that are read, and some that are not.
var bodySeeds = []string{"", "{}", "null", "[]", `"x"`, `{"dry_run":true}`, `{"targets":["decky-01"],"reason":"because","wait":"2s"}`,
	`{"targets":["*"],"dry_run":true,"wait":1.5}`, `{"filter":"state:failed decky-*","wait":true}`, `{"filter":"mailbox>3","actors":true}`,
	`{"hash":"abc","dry_run":true,"reason":"seen"}`, `{"actor":"decky/*","match":"took_seconds>0.5","count":3,"for_seconds":2}`,
	`{"actor":"store/store"} {}`, `{"targets":["decky-01"]}}`, `{"dry_run":true,"DRY_RUN":false}`, `{"wait":-1}`, `{"wait":"1h"}`, `{"wait":1e99}`,
	`{"for_seconds":1e-300,"actor":"x"}`, `{"targets":["\u202e\u0000\ud800"]}`, `{"targets":[1]}`, `{"reconcile":1}`, "\xef\xbb\xbf{}", "{\"reason\":\"\x01\"}"}

// FuzzBodies: whatever body is sent to whatever path, it is refused with nothing done, or done as it says; it is answered with one
// JSON document, put on record once (a dry run need not be), and never anybody's fault but the sender's.
func FuzzBodies(f *testing.F) {
	for i, body := range bodySeeds {
		for path := range bodied {
			f.Add(uint8(path), i%5 > 0, []byte(body)) //nolint:gosec // few
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, path uint8, asJSON bool, body []byte) {
		b := &ear{crew: crew{fleet: fleet{deckies: twoDeckies}}}
		audit, opened := &book{}, &fakeTaps{}
		s, err := Listen(t.Context(), Config{Path: filepath.Join(dir, "s"), Backend: b, Feed: NewFeed(8, 0), Node: "local", Now: time.Now,
			Log: zerolog.Nop(), Audit: audit, Taps: opened, UserName: func(uint32) string { return "alice" }})
		if err != nil {
			t.Fatal(err)
		}
		defer s.leave()
		defer s.taps.endAll()
		defer s.Close()                                                                               //nolint:errcheck // a socket of the test
		ctx := context.WithValue(t.Context(), peerKey{}, peer{known: true, uid: uint32(os.Getuid())}) //nolint:gosec // 32 bits
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, "http://localhost"+bodied[int(path)%len(bodied)], bytes.NewReader(body))
		if asJSON {
			r.Header.Set("Content-Type", "application/json")
		}
		w := httptest.NewRecorder()
		s.handler().ServeHTTP(w, r)

		if !json.Valid(w.Body.Bytes()) || w.Code >= 500 && w.Code != http.StatusGatewayTimeout {
			t.Errorf("%s %q: %d %s", r.URL.Path, body, w.Code, w.Body)
		}
		done := len(b.orders) > 0 || opened.last != nil
		if refused := w.Code == 400 || w.Code == 413 || w.Code == 415; refused == done && w.Code != 404 {
			t.Errorf("%s %q: %d, and done is %v", r.URL.Path, body, w.Code, done)
		}
		if done && len(body) > 0 && (!asJSON || !json.Valid(body)) {
			t.Errorf("%s: done, although %q is no JSON document", r.URL.Path, body)
		}
		dry := says(body)
		for _, order := range b.orders {
			dry = obeys(t, r.URL.Path, body, order)
		}
		recorded(t, audit, dry)
	})
}

// obeys checks an order against the path and body it was made of, and says whether it is a dry run.
func obeys(t *testing.T, path string, body []byte, order any) (dry bool) {
	t.Helper()
	switch q := order.(type) {
	case messages.Act:
		dry = q.DryRun
		if !strings.HasSuffix(path, "/"+q.Verb) || len(q.Targets) == 0 || len(q.Targets) > maxTargets || q.Wait < 0 || q.Wait > maxWait ||
			q.By != "alice" || len(q.Reason) > maxNote {
			t.Errorf("%s %q: %+v", path, body, q)
		}
	case messages.GetPass:
		dry = q.DryRun
	case messages.ApproveDeletes:
		dry = q.DryRun
	case messages.ReloadSettings:
		return false
	}
	if says(body) && !dry {
		t.Errorf("%s %q: done for real: %+v", path, body, order)
	}
	return dry
}

// says is whether a body asks for a dry run, once and plainly.
func says(body []byte) bool {
	var keys map[string]json.RawMessage
	if json.Unmarshal(body, &keys) != nil {
		return false
	}
	for key := range keys {
		if key != "dry_run" && strings.EqualFold(key, "dry_run") {
			return false
		}
	}
	return string(keys["dry_run"]) == "true"
}

// recorded checks that there is one entry in the audit; a dry run need not have any.
func recorded(t *testing.T, audit *book, dry bool) {
	t.Helper()
	all := audit.Entries()
	if len(all) > 1 || len(all) == 0 && !dry {
		t.Errorf("%d entries in the audit", len(all))
	}
	for _, e := range all {
		for _, text := range []string{e.Verb, e.Target, e.Reason, e.Result} {
			if len(text) > maxNote+len("…") {
				t.Errorf("an entry of %d bytes", len(text))
			}
		}
	}
}
