package integration

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// poll is how often a condition is looked at: short against every deadline, long against the cost of a look.
	poll = 20 * time.Millisecond
	// prompt holds what an event must bring about. The shortest full relist comes after 9 s and the audit after 30 s,
	// so what is there in time was not found by either; the rest is room for the race detector on a busy machine.
	prompt = 5 * time.Second
	// soon holds what may wait for backoff, a settle or an engine that starts.
	soon = 30 * time.Second
	// calm is how long something must not happen: longer than one commit a second per decky and any debounce.
	calm = 1500 * time.Millisecond
)

// services are the env lines of services.sh; the process's own environment wins.
var services = readServices()

func readServices() map[string]string {
	env := map[string]string{}
	dir := os.Getenv("IT_DIR")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "decnet-fleetd-it")
	}
	if f, err := os.Open(filepath.Join(dir, "env")); err == nil {
		defer f.Close() //nolint:errcheck // only read
		for s := bufio.NewScanner(f); s.Scan(); {
			if key, value, ok := strings.Cut(s.Text(), "="); ok {
				env[key] = value
			}
		}
	}
	for _, line := range os.Environ() {
		if key, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(key, "IT_") {
			env[key] = value
		}
	}
	return env
}

// need gives the value of an env line, or ends the test: fatally in CI, with a loud skip elsewhere.
func need(t *testing.T, key string) string {
	t.Helper()
	if services[key] == "" {
		lack(t, "%s is not set: run `integration/services.sh up` first, as `make test` does", key)
	}
	return services[key]
}

func lack(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("missing in CI: "+format, args...)
	}
	t.Skipf("NOT TESTED: "+format, args...)
}

// shortDir makes a directory whose name leaves room for the 107 bytes of a socket path; t.TempDir does not.
func shortDir(t *testing.T, parent string) string {
	t.Helper()
	root := need(t, "IT_DIR")
	if parent != "" {
		root = filepath.Join(root, parent)
	}
	must(t, os.MkdirAll(root, 0o755))
	dir, err := os.MkdirTemp(root, "t") //nolint:usetesting // the name must be short
	must(t, err)
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually looks until look has no complaint left; its last one is what the test fails with.
func eventually(t *testing.T, within time.Duration, look func() error) {
	t.Helper()
	deadline, tick := time.NewTimer(within), time.NewTicker(poll)
	defer deadline.Stop()
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("not within %s: %v", within, err)
		case <-tick.C:
		}
	}
}

// throughout fails at the first complaint of look within that time.
func throughout(t *testing.T, during time.Duration, look func() error) {
	t.Helper()
	end, tick := time.NewTimer(during), time.NewTicker(poll)
	defer end.Stop()
	defer tick.Stop()
	for {
		if err := look(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

func unless(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
