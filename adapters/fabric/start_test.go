package fabric

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/decnet/decnet-fleetd/messages"
)

// Who came earlier would be refused though it is enrolled, or nobody would hear what it says.
func TestTheSocketOpensAfterThePinsAreKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Listen = freeAddress(t)
	asked := 0
	w.cfg.Pins = func(ctx context.Context) ([]messages.Pin, error) {
		asked++
		if c, err := net.Dial("tcp", w.cfg.Listen); err == nil && asked == 1 {
			shut(c)
			t.Error("the socket is open before the pins are known")
		}
		return w.readPins(ctx)
	}
	w.start()
	c, err := net.Dial("tcp", w.cfg.Listen)
	if err != nil || asked != 1 {
		t.Fatalf("after the start: %v, asked %d times", err, asked)
	}
	shut(c)
}

func TestAHubThatCannotStartSaysWhyAndLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer shut(l)
	w.cfg.Listen = l.Addr().String()
	if _, err := Listen(t.Context(), w.cfg); err == nil || !strings.Contains(err.Error(), "address already in use") || !strings.Contains(err.Error(), w.cfg.Listen) {
		t.Errorf("a port that is taken: %v", err)
	}
	w.cfg.Listen = "127.0.0.1:0"
	gone := errors.New("no such table: swarm_hosts")
	w.cfg.Pins = func(context.Context) ([]messages.Pin, error) { return nil, gone }
	if _, err := Listen(t.Context(), w.cfg); !errors.Is(err, gone) {
		t.Errorf("no pins: %v", err)
	}
	for _, bad := range []string{"", "nowhere", "127.0.0.1:http", "127.0.0.1:70000"} {
		w.cfg.Listen = bad
		if _, err := Listen(t.Context(), w.cfg); err == nil {
			t.Errorf("listens on %q", bad)
		}
	}
}

func TestPinsThatCannotBeReadChangeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := errors.New("database is locked")
	locked := false
	w.cfg.Pins = func(ctx context.Context) ([]messages.Pin, error) {
		if locked {
			return nil, gone
		}
		return w.readPins(ctx)
	}
	w.start()
	s := w.worker(host1, "w1")
	locked = true
	if err := w.hub.Refresh(t.Context()); !errors.Is(err, gone) {
		t.Fatalf("refresh: %v", err)
	}
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
}

func TestAWorkersSettingsAreCheckedAtOnce(t *testing.T) {
	w := newWorld(t)
	w.cfg.Listen = "127.0.0.1:1"
	good := w.config(host1, identity{})
	for name, change := range map[string]func(*WorkerConfig){
		"no scheme":        func(c *WorkerConfig) { c.Hub = "master:8771" },
		"another scheme":   func(c *WorkerConfig) { c.Hub = "https://master:8771" },
		"no port":          func(c *WorkerConfig) { c.Hub = "tls://master" },
		"a path":           func(c *WorkerConfig) { c.Hub = "tls://master:1/x" },
		"no host":          func(c *WorkerConfig) { c.Hub = "tls://:1" },
		"no uuid":          func(c *WorkerConfig) { c.HostUUID = "local" },
		"a wildcard":       func(c *WorkerConfig) { c.HostUUID = "*" },
		"a short pin":      func(c *WorkerConfig) { c.HubFingerprint = "abcd" },
		"no clock":         func(c *WorkerConfig) { c.Now = nil },
		"no random number": func(c *WorkerConfig) { c.Jitter = nil },
	} {
		c := good
		change(&c)
		if x, err := Dial(c); err == nil {
			x.Close()
			t.Errorf("%s is taken", name)
		}
	}
}
