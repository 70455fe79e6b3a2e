package docker

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/adapters/dockersim"
	"github.com/decnet/decnet-fleetd/messages"
)

func TestEveryFaultIsToldOnceAndHealed(t *testing.T) {
	for name, row := range map[string]struct {
		fault dockersim.Faults
		what  string
	}{
		"it hangs":                  {dockersim.Faults{Hang: true}, "no answer within 100ms"},
		"lists hang":                {dockersim.Faults{HangLists: true}, "no answer within 100ms"},
		"lists are too slow":        {dockersim.Faults{Slow: time.Minute}, "no answer within 100ms"},
		"lists fail":                {dockersim.Faults{Status: 500}, "answered 500: simulated failure"},
		"lists are forbidden":       {dockersim.Faults{Status: 403}, "answered 403"},
		"lists are cut":             {dockersim.Faults{Truncate: true}, "the connection was cut"},
		"lists are garbage":         {dockersim.Faults{Body: "\x00\xff<html>"}, "found"},
		"a list is followed by one": {dockersim.Faults{Body: "[] []"}, "found '['"},
		"lists are objects":         {dockersim.Faults{Body: `{"message":"no"}`}, "found '{'"},
		"states are null":           {dockersim.Faults{NullState: true}, "found 'n'"},
	} {
		t.Run(name, func(t *testing.T) {
			sim, socket := simulate(t, 2)
			patience := 10 * time.Second
			if strings.HasPrefix(row.what, "no answer") {
				patience = 100 * time.Millisecond
			}
			r, a := watch(t, Config{Host: socket, CallTimeout: patience, RelistMin: time.Millisecond, RelistMax: time.Millisecond})
			eventually(t, "the fleet", func() bool { return a.state("decky-01-ssh") == "running" })
			sim.SetFaults(row.fault)
			if row.fault.Hang || row.fault.HangLists {
				sim.CutStreams()
			}
			eventually(t, "the second failure", func() bool { return r.Stats().Failures > 3 })
			sim.SetFaults(dockersim.Faults{})
			eventually(t, "recovery", func() bool { return a.state("decky-01-ssh") == "running" })
			told := after[messages.SourceFailed](a, 0)
			last := told[len(told)-1]
			if len(told) > 2 || last.Source != messages.SourceObserved || !strings.Contains(last.Fault.What, row.what) || last.Fault.Remedy == "" {
				t.Errorf("told %+v", told)
			}
		})
	}
}

func TestCutStreamBringsANewListAtOnce(t *testing.T) {
	sim, socket := simulate(t, 2)
	r, a := watch(t, Config{Host: socket})
	for n := range int64(3) {
		eventually(t, "the fleet", func() bool { return r.Stats().Connects == n+1 && a.state("decky-01-ssh") == "running" })
		sim.CutStreams()
	}
	eventually(t, "the fleet", func() bool { return r.Stats().Relists == 4 })
	for _, f := range after[messages.SourceFailed](a, 0) {
		if f.Fault.What != "the connection was cut" {
			t.Errorf("%+v", f)
		}
	}
}

func TestGarbageInTheStreamEndsTheConnection(t *testing.T) {
	sim, socket := simulate(t, 1)
	sim.SetFaults(dockersim.Faults{EventBody: "yes\n"})
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the failure", func() bool { return len(after[messages.SourceFailed](a, 0)) > 0 })
	if f := after[messages.SourceFailed](a, 0)[0]; !strings.Contains(f.Fault.What, "event stream") {
		t.Errorf("%+v", f)
	}
	sim.SetFaults(dockersim.Faults{})
	eventually(t, "recovery", func() bool { return a.state("decky-01-ssh") == "running" })
}

func TestMissingEngineIsToldOncePerReasonAndPerPoke(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	r, a := watch(t, Config{Host: socket})
	eventually(t, "some attempts", func() bool { return r.Stats().Failures > 3 })
	if told := after[messages.SourceFailed](a, 0); len(told) != 1 || told[0].Fault.What != "no such socket" {
		t.Fatalf("told %+v", told)
	}
	a.poke <- struct{}{}
	eventually(t, "an answer to the poke", func() bool { return len(a.heard()) == 2 })
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	_ = ln.Close()
	eventually(t, "the new reason", func() bool { return len(a.heard()) == 3 })
	if f := after[messages.SourceFailed](a, 2)[0]; f.Fault.What != "nobody listens there" {
		t.Errorf("%+v", f)
	}
	sim, err := dockersim.New(dockersim.Config{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, sim.Serve, socket)
	eventually(t, "the empty fleet", func() bool { return len(after[messages.RuntimeRead](a, 3)) == 1 })
	if f := after[messages.RuntimeRead](a, 3)[0]; !f.Full || len(f.Containers) != 0 {
		t.Errorf("%+v", f)
	}
}

func TestAnotherVersionBehindTheSocketIsFound(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	var a *audience
	for n, version := range []string{"1.47", "1.24", "1.99"} {
		sim, err := dockersim.New(dockersim.Config{Now: time.Now, APIVersion: version})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Add(dockersim.Fleet{Deckies: 1, First: n + 1}); err != nil {
			t.Fatal(err)
		}
		stop := serve(t, sim.Serve, socket)
		if a == nil {
			_, a = watch(t, Config{Host: socket})
		}
		eventually(t, "the fleet at API "+version, func() bool { return a.state(dockersim.DeckyName(n+1)) == "running" })
		stop()
	}
}

func TestRetriesWaitLongerUntilAConnectionLasted(t *testing.T) {
	var mu sync.Mutex
	now, dials, wait := time.Unix(1e9, 0), 0, []time.Duration(nil)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	r, err := New(Config{Now: clock, RetryMin: 8 * time.Second, RetryMax: 30 * time.Second, Jitter: func() float64 { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	r.pause = func(d time.Duration) time.Duration { mu.Lock(); defer mu.Unlock(); wait = append(wait, d); return 0 }
	r.dial = func() (engine, error) {
		mu.Lock()
		defer mu.Unlock()
		dials++
		pr, pw := io.Pipe()
		_ = pw.Close()
		switch dials {
		case 4: // comes and goes
		case 6: // comes, stays a minute and goes
			now = now.Add(time.Minute)
		default:
			return nil, errors.New("down")
		}
		return &scripted{stream: pr, lists: []string{`[]`}}, nil
	}
	observe(t, r)
	eventually(t, "attempts", func() bool { mu.Lock(); defer mu.Unlock(); return len(wait) > 7 })
	mu.Lock()
	defer mu.Unlock()
	if got := fmt.Sprint(wait[:8]); got != "[8s 16s 30s 30s 30s 8s 16s 30s]" {
		t.Errorf("waited %s", got)
	}
}

func TestUnusableHostIsRefusedAtOnce(t *testing.T) {
	good := Config{Now: time.Now, Jitter: func() float64 { return 0 }}
	for name, change := range map[string]func(c *Config){
		"no clock":              func(c *Config) { c.Now = nil },
		"no jitter":             func(c *Config) { c.Jitter = nil },
		"a path":                func(c *Config) { c.Host = "/var/run/docker.sock" },
		"ssh":                   func(c *Config) { c.Host = "ssh://root@host" },
		"no certificates there": func(c *Config) { c.Host, c.CertPath = "tcp://127.0.0.1:1", "/nowhere" },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestHostileVersionNeverBecomesAPath(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "d.sock")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_ping" {
			t.Errorf("asked for %q", r.URL)
		}
		w.Header().Set("Api-Version", "../../1.0?x=")
	})}
	go func() { _ = srv.Serve(ln) }()
	defer func() { _ = srv.Close() }()
	_, a := watch(t, Config{Host: socket})
	eventually(t, "the failure", func() bool { return len(a.heard()) == 1 })
	if f := after[messages.SourceFailed](a, 0); len(f) != 1 || !strings.Contains(f[0].Fault.What, "is none") {
		t.Errorf("%+v", a.heard())
	}
}

func TestTCPAndTLSAreReached(t *testing.T) {
	sim, _ := simulate(t, 1)
	plain := httptest.NewServer(sim.Handler())
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(sim.Handler())
	t.Cleanup(secure.Close)
	dir := t.TempDir()
	pair := secure.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem":   {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, a := watch(t, Config{Host: "tcp://" + plain.Listener.Addr().String()})
	eventually(t, "the fleet in clear", func() bool { return a.state("decky-01") == "running" })
	_, b := watch(t, Config{Host: "tcp://" + secure.Listener.Addr().String(), CertPath: dir})
	eventually(t, "the fleet over TLS", func() bool { return b.state("decky-01") == "running" })
}

// TestEventsThatLieCostALookAndChangeNothing: the stream begins with events out of order, twice, of the future, of the past, and of
// containers that nobody has. What is told of the fleet is what a list says.
func TestEventsThatLieCostALookAndChangeNothing(t *testing.T) {
	sim, socket := simulate(t, 2)
	r, a := watch(t, Config{Host: socket})
	eventually(t, "the fleet", func() bool { return a.state("decky-01-ssh") == "running" })
	ssh, http := a.truth["decky-01-ssh"].ID, a.truth["decky-01-http"].ID
	lies := said("start", ssh) + said("die", ssh) + said("die", ssh) + said("destroy", http) + said("create", http) + said("pause", http) +
		strings.ReplaceAll(said("die", http), "1795488534", "9795488534") + strings.ReplaceAll(said("die", ssh), "1795488534", "1") +
		said("die", strings.Repeat("f", 64))
	told, looks := len(a.heard()), sim.Stats().Looks
	sim.SetFaults(dockersim.Faults{EventBody: lies})
	sim.CutStreams()
	eventually(t, "the lies are read", func() bool { return r.Stats().Events >= 9 })
	eventually(t, "a look", func() bool { return sim.Stats().Looks > looks })
	sim.SetFaults(dockersim.Faults{})
	if err := sim.Kill("decky-02-ssh"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a true event", func() bool { return a.state("decky-02-ssh") == "exited" })
	for _, read := range after[messages.RuntimeRead](a, told) {
		for _, c := range read.Containers {
			if c.Name != "decky-02-ssh" && c.State != "running" {
				t.Errorf("%s was told as %s", c.Name, c.State)
			}
		}
	}
	if ssh != a.truth["decky-01-ssh"].ID || a.state("decky-01-http") != "running" || a.truth[strings.Repeat("f", 64)].ID != "" {
		t.Errorf("%+v", a.truth)
	}
}
