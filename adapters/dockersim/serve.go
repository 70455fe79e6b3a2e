package dockersim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"
)

// Serve answers on a unix socket until ctx ends; then it cuts what is open and returns nil. A socket that a dead
// process left at the path is replaced, anything else there is an error.
func (e *Engine) Serve(ctx context.Context, socket string) error {
	if err := clear(ctx, socket); err != nil {
		return err
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "unix", socket)
	if err != nil {
		return fmt.Errorf("listen on %q: %w", socket, err)
	}
	srv := &http.Server{
		Handler:           e.Handler(),
		ReadHeaderTimeout: 10 * time.Second, // chosen; a local client sends its header in one write
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() }) // the listener's error says enough
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %q: %w", socket, err)
	}
	return nil
}

func clear(ctx context.Context, socket string) error {
	info, err := os.Lstat(socket)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("look at %q: %w", socket, err)
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("listen on %q: something that is no socket is there", socket)
	}
	if c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket); err == nil {
		_ = c.Close() // it was only asked whether anybody is there
		return fmt.Errorf("listen on %q: another process does", socket)
	}
	if err := os.Remove(socket); err != nil {
		return fmt.Errorf("replace socket %q: %w", socket, err)
	}
	return nil
}

// versioned matches the version that clients put before every path but that of a ping.
var versioned = regexp.MustCompile(`^/v([0-9]+\.[0-9]+)(/.*)$`)

// Handler is the engine's API, for tests that need no socket.
func (e *Engine) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", e.ping) // HEAD too
	mux.HandleFunc("GET /version", e.version)
	mux.HandleFunc("GET /containers/json", e.list)
	mux.HandleFunc("GET /containers/{ref}/json", e.inspect)
	mux.HandleFunc("GET /events", e.events)
	e.commands(mux)
	e.controls(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", e.cfg.APIVersion)
		w.Header().Set("Ostype", "linux")
		w.Header().Set("Server", "Docker/simulated (linux)")
		steers := strings.HasPrefix(r.URL.Path, controlPath)
		if !steers && !e.hang(r.Context(), func(f Faults) bool { return f.Hang }) {
			return
		}
		if m := versioned.FindStringSubmatch(r.URL.Path); m != nil {
			if versions.GreaterThan(m[1], e.cfg.APIVersion) {
				fail(w, refuse(http.StatusBadRequest, "client version %s is too new. Maximum supported API version is %s",
					m[1], e.cfg.APIVersion))
				return
			}
			r.URL.Path, r.URL.RawPath = m[2], ""
		}
		mux.ServeHTTP(w, r)
	})
}

// fail answers an error as an engine does.
func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if r, ok := errors.AsType[*refusal](err); ok {
		code = r.code
	}
	if code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	answer(w, code, map[string]string{"message": err.Error()})
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client went away: nobody is left to tell
}

// cut closes the connection in the middle of a body, which no client can take for an end.
func cut(w http.ResponseWriter) {
	rc := http.NewResponseController(w)
	_ = rc.Flush() // what was written is to arrive; if it cannot, the connection is gone already
	if c, _, err := rc.Hijack(); err == nil {
		_ = c.Close() // being closed is the point
	}
}

func (e *Engine) ping(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK")) // see answer
}

func (e *Engine) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"Version": "simulated", "ApiVersion": e.cfg.APIVersion, "MinAPIVersion": "1.24", "Os": "linux", "Arch": "amd64",
		"Platform":   map[string]string{"Name": "decnet-fleetd engine simulator"},
		"Components": []any{},
	})
}
