package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/integration/faultproxy"
)

// TestALossyAndASlowLineDelayButLoseNothing: one worker's packets are lost at random, both ways; another's bytes take a
// third of a second each way.
func TestALossyAndASlowLineDelayButLoseNothing(t *testing.T) {
	t.Parallel()
	s := newSwarm(t, &onSQLite, 2, 3)
	s.hub()
	lossy, slow := s.workers[0], s.workers[1]
	proxy, err := faultproxy.Listen(t.Context(), "tcp", slow.master+":0", fmt.Sprintf("127.0.0.1:%d", s.port), nil)
	must(t, err)
	t.Cleanup(func() { must(t, proxy.Close()) })
	const late = 300 * time.Millisecond
	proxy.Set(faultproxy.Faults{ToServer: faultproxy.Fault{Delay: late}, ToClient: faultproxy.Fault{Delay: late}})
	lossy.join()
	slow.join("--hub", "tls://"+proxy.Addr())
	s.judged(soon, "after the start")
	began := time.Now()
	lossy.loses(0.08)
	for round := range 16 {
		for _, w := range s.workers {
			for _, name := range w.names {
				w.flip(name)
			}
		}
		s.gap(700 * time.Millisecond)
		for _, w := range s.workers { // its own reconciliation waits for no line
			if round%8 == 7 {
				eventually(t, 2*prompt, func() error { return w.own(w.names[0]) })
			}
		}
	}
	s.judged(2*soon, "on bad lines")
	if n := s.silences(slow, began); n > 0 {
		t.Errorf("a slow line was taken for silence %d times", n)
	}
	if n := s.silences(lossy, began); n > 4 { // a packet has to be lost four times over for a silence of three seconds
		t.Errorf("a lossy line was taken for silence %d times", n)
	}
	if proxy.Chunks() < 40 {
		t.Errorf("%d pieces on the slow line", proxy.Chunks())
	}
}

// silences counts how often the hub has told that it does not hear a worker.
func (s *swarm) silences(w *worker, since time.Time) (n int) {
	s.t.Helper()
	for _, e := range s.sub.all(s.t) {
		var p struct{ Status, Previous string }
		if e.topic == "fleet."+w.uuid+".health" && e.at.After(since) && json.Unmarshal(e.raw, &p) == nil && p.Status != "up" && p.Status != p.Previous {
			n++
		}
	}
	return n
}

// loses drops packets at random on their way to the master and back.
func (w *worker) loses(share float64) {
	w.t.Helper()
	for _, chain := range [][]string{{"INPUT", "-i"}, {"OUTPUT", "-o"}} {
		rule := []string{chain[0], chain[1], w.link, "-m", "statistic", "--mode", "random", "--probability", fmt.Sprint(share), "-j", "DROP"}
		if out, err := exec.CommandContext(w.t.Context(), "iptables", append([]string{"-w", "-I"}, rule...)...).CombinedOutput(); err != nil {
			w.t.Fatalf("iptables: %v\n%s", err, out)
		}
		w.t.Cleanup(func() { _ = exec.Command("iptables", append([]string{"-w", "-D"}, rule...)...).Run() }) // it goes with the link
	}
}

// own says whether the worker's own daemon has the truth of a decky.
func (w *worker) own(name string) error {
	out, _ := w.command("deckies", "-o", "json")
	var list struct{ Items []shownDecky }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return err
	}
	for _, d := range list.Items {
		if d.Name == name {
			return unless(d.State == w.truth()[name], "%s itself says that %s is %s", w.name, name, d.State)
		}
	}
	return fmt.Errorf("%s does not list %s", w.name, name)
}

// TestAnIdleWorkerCostsTheWireLessThanAKilobyteASecond counts every byte on the cable, both ways, headers included.
func TestAnIdleWorkerCostsTheWireLessThanAKilobyteASecond(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 3)
	w := s.workers[0]
	s.gap(2 * time.Second) // what the start brings has passed
	const during = 20 * time.Second
	before := w.wire()
	s.gap(during)
	rate := float64(w.wire()-before) / during.Seconds()
	t.Logf("%.0f bytes a second at rest; RSS of the hub %d KiB, of the worker %d KiB", rate, s.daemon.memory(t, "VmRSS")>>10, w.daemon.memory(t, "VmRSS")>>10)
	if rate > 1024 || rate < 10 {
		t.Errorf("%.0f bytes a second at rest, want at most 1024, and some", rate)
	}
}

// wire counts the bytes that have passed the worker's cable.
func (w *worker) wire() (sum int) {
	w.t.Helper()
	for _, way := range []string{"rx_bytes", "tx_bytes"} {
		text, err := os.ReadFile("/sys/class/net/" + w.link + "/statistics/" + way)
		must(w.t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(w.t, err)
		sum += n
	}
	return sum
}

// TestARollingUpgradeLosesNothing: the hub first, then one worker after the other, while containers die.
func TestARollingUpgradeLosesNothing(t *testing.T) {
	t.Parallel()
	need(t, "IT_DIR")
	newer, err := next()
	must(t, err)
	s := standing(t, 2, 3)
	upgraded := func(of *stage, start func(...string)) {
		for _, w := range s.workers {
			w.flip(w.names[0])
		}
		of.terminate()
		for _, w := range s.workers {
			w.flip(w.names[1])
		}
		of.program = newer
		start()
		for _, w := range s.workers {
			w.flip(w.names[2])
		}
		s.judged(soon, "after an upgrade")
	}
	upgraded(s.stage, s.hub)
	s.versions("w1 dev", "w2 dev")
	for i, w := range s.workers {
		upgraded(w.stage, w.join)
		s.versions("w1 next", []string{"w2 dev", "w2 next"}[i])
	}
}

// versions waits until the hub shows these workers with these versions.
func (s *swarm) versions(want ...string) {
	s.t.Helper()
	eventually(s.t, soon, func() error {
		out, _ := s.command("cluster", "members", "-o", "json")
		var list struct {
			Items []struct{ Name, Version, Status string }
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		have := map[string]bool{}
		for _, m := range list.Items {
			have[m.Name+" "+m.Version] = m.Status == "up"
		}
		for _, x := range want {
			if !have[x] {
				return fmt.Errorf("no %s among %s", x, out)
			}
		}
		return nil
	})
}

// TestOneHostIsAskedThroughTheHub: look and act on a real worker from the hub, on record at both, and what is said when
// it is unknown or gone.
func TestOneHostIsAskedThroughTheHub(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 2)
	w := s.workers[0]
	asks := func(exit int, verb []string, words ...string) {
		t.Helper()
		eventually(t, soon, func() error {
			said, code := s.complaint(verb...)
			if code != exit {
				return fmt.Errorf("%v: exit %d, want %d: %s", verb, code, exit, said)
			}
			for _, word := range words {
				if !strings.Contains(said, word) {
					return fmt.Errorf("%v lacks %q: %s", verb, word, said)
				}
			}
			return nil
		})
	}
	node := func(verb ...string) []string { return append([]string{"--node", "w1"}, verb...) }
	eventually(t, soon, func() error { // the hub shows when its own certificate ends
		out, _ := s.command("cluster", "members", "-o", "json")
		var list struct {
			Items []struct {
				Role        string
				CertExpires *time.Time `json:"cert_expires"`
			}
		}
		err := json.Unmarshal([]byte(out), &list)
		for _, m := range list.Items {
			if m.Role == "hub" && m.CertExpires != nil && m.CertExpires.After(time.Now()) {
				return nil
			}
		}
		return errors.Join(err, errors.New("no end of the hub's certificate: "+out))
	})
	asks(0, node("status"), w.uuid, "hub")
	asks(0, node("deckies"), w.names[0], w.names[1])
	asks(0, node("inspect", w.names[0], "-o", "json"), `"declared"`, `"observed"`)
	asks(0, node("restart", w.names[0], "--yes", "--reason", "ticket 4711"), "done")
	asks(0, []string{"audit"}, "ticket 4711", "w1: "+w.names[0])
	asks(0, node("audit"), "ticket 4711", w.names[0])
	out, code := w.command("audit")
	if code != 0 || !strings.Contains(out, "ticket 4711") {
		t.Errorf("the worker's own audit: exit %d\n%s", code, out)
	}
	asks(5, []string{"--node", "w9", "status"}, "w9")
	w.daemon.signal(t, syscall.SIGTERM)
	w.daemon.exit(t, soon)
	asks(3, node("status"), "w1")
}
