package fabric

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Certificates that DECNET itself issued.
func decnetCert(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDECNETsOwnCertificatesAreJudgedByWhatTheyAreFor(t *testing.T) {
	roots := x509.NewCertPool()
	roots.AddCert(decnetCert(t, "ca.crt"))
	worker, master, updater := decnetCert(t, "worker.crt"), decnetCert(t, "master.crt"), decnetCert(t, "updater.crt")
	day := worker.NotBefore.AddDate(0, 0, 1)
	for _, c := range []struct {
		name, want string
		cert       *x509.Certificate
		at         time.Time
	}{
		{"a worker's is let in", "", worker, day},
		{"an updater's is not", messages.RefusedUpdater, updater, day},
		{"the master's is not", messages.RefusedMaster, master, day},
		{"a worker's that has ended is not", messages.RefusedExpired, worker, worker.NotAfter.Add(time.Second)},
		{"a worker's that has not begun is not", messages.RefusedNotYetValid, worker, worker.NotBefore.Add(-time.Second)},
	} {
		if got, _ := judgeWorker([]*x509.Certificate{c.cert}, roots, c.at); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if err := judgeHub([]*x509.Certificate{master}, roots, day, ""); err != nil {
		t.Errorf("the master as hub: %v", err)
	}
	for _, c := range []*x509.Certificate{worker, updater} {
		if judgeHub([]*x509.Certificate{c}, roots, day, "") == nil {
			t.Errorf("%s may pose as the hub", c.Subject.CommonName)
		}
	}
	if got := Fingerprint(worker); got != "0609a44e35220e37021196b02b57ea0c0d9ffb82ba6892c7eee8e5505c89ab1b" {
		t.Errorf("fingerprint %s is not what DECNET stores", got)
	}
}

// Who is refused, what the hub's audit says of it, and what the worker is told.
func TestWhoIsNoEnrolledWorkerIsRefusedClearlyOnBothSides(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t), newAuthorityOf(t, keys().leaf)
	stranger := other.issue(t, "w1")
	mixed := other.issue(t, "w1") // the right authority's certificate beside a worker of another one
	if err := os.WriteFile(mixed.CA, ca.pem, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		id     identity
		reason string // of the hub's audit; "" where the worker does not get that far
		says   string
		remedy string
		enrol  bool // it is pinned all the same: the table is wrong, or somebody wrote into it
	}{
		{"not enrolled", ca.issue(t, "w9"), messages.RefusedUnknown, "not enrolled", "swarm_hosts", false},
		{"enrolled again", ca.issue(t, "known"), messages.RefusedReplaced, "enrolled again", "swarm_hosts", false},
		{"an updater", ca.issue(t, "updater@w1"), messages.RefusedUpdater, "no worker's", "worker.crt", true},
		{"the master", ca.issue(t, "decnet-master"), messages.RefusedMaster, "no worker's", "worker.crt", true},
		{"swarmctl", ca.issue(t, "swarmctl"), messages.RefusedMaster, "no worker's", "worker.crt", true},
		{"another unit", ca.issue(t, "w3", otherUnit), messages.RefusedRole, "no worker's", "worker.crt", true},
		{"no client", ca.issue(t, "w3", serverOnly), messages.RefusedUsage, "refused our certificate", "audit", true},
		{"ended", ca.issue(t, "w4", ended), messages.RefusedExpired, "ended on", "enrol", true},
		{"not begun", ca.issue(t, "w5", notBegun), messages.RefusedNotYetValid, "begins on", "clock", true},
		{"another authority on both", stranger, messages.RefusedHandshake, "another authority", "ca.crt", false},
		{"files of two enrolments", mixed, "", "not signed by", "same enrolment", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorldOf(t, ca)
			w.enrol(host2, "known", w.ca.issue(t, "known"))
			if c.enrol {
				w.enrol(host1, "w1", c.id)
			}
			w.start()
			s := w.dial(w.config(host1, c.id))
			st := s.becomes(messages.LinkRefused)
			if st.Fault == nil || !strings.Contains(st.Fault.What, c.says) || !strings.Contains(st.Fault.Remedy, c.remedy) {
				t.Errorf("the worker is told: %+v", st.Fault)
			}
			if c.reason != "" {
				w.refusedFor(c.reason)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, r := range w.refused {
				if r.Reason == c.reason && c.reason != messages.RefusedHandshake && (r.Fingerprint != c.id.fp || r.CN == "" || r.Remote == "") {
					t.Errorf("the audit does not say who: %+v", r)
				}
			}
			if len(w.events) != 0 {
				t.Errorf("it came in: %+v", w.events)
			}
		})
	}
}

func TestADecommissionedHostIsCutAtOnceAndStaysOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	s2 := w.worker(host2, "w2")
	w.decommission(host1)
	st := s.becomes(messages.LinkRefused)
	if !strings.Contains(st.Fault.What, "decommissioned") {
		t.Errorf("it is told: %v", st.Fault)
	}
	w.refusedFor(messages.RefusedDecommissioned)
	w.until("down", func() bool { return len(w.events) == 3 && w.events[2].HostUUID == host1 && !w.events[2].Up })
	s2.must(messages.ShipBatch{Events: transitions(host2, 1, 1)}) // the other one has noticed nothing
	w.enrol(host1, "w1", s.id)
	s.becomes(messages.LinkConnected)
}

func TestAHostThatWasEnrolledAgainIsCutUntilItHasItsNewCertificate(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	next := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", next) // the row has the new fingerprint, the host still the old files
	s.becomes(messages.LinkRefused)
	w.refusedFor(messages.RefusedReplaced)
	for from, to := range map[string]string{next.Cert: s.id.Cert, next.Key: s.id.Key} {
		text, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.becomes(messages.LinkConnected) // without a restart
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
}

func TestARevokedHostStaysOutUntilItIsFoundEnrolled(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	w.hub.Revoke(host1)
	s.becomes(messages.LinkRefused)
	w.refresh()
	s.becomes(messages.LinkConnected)
}

func TestAWorkerPosingAsTheHubIsNotBelieved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		poser []shape
		cn    string
		says  string
	}{
		"with the address in its certificate":    {[]shape{names("w2", "master.example", "localhost")}, "w2", "not the master"},
		"with the master's name among its own":   {[]shape{names("w2", "decnet-master")}, "w2", "not the master"},
		"with the master's common name alone":    {[]shape{names("w2", "localhost")}, "decnet-master", "not the master"},
		"with a master's certificate that ended": {[]shape{ended}, "decnet-master", "ended on"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.cfg.Files = w.ca.issue(t, c.cn, c.poser...).Files
			w.start()
			id := w.ca.issue(t, "w1")
			w.enrol(host1, "w1", id)
			s := w.dial(w.config(host1, id))
			if st := s.becomes(messages.LinkRefused); !strings.Contains(st.Fault.What, c.says) {
				t.Errorf("the worker says %v", st.Fault)
			}
			w.refusedFor(messages.RefusedHandshake) // the hub hears that somebody did not believe it
		})
	}
}

func TestAPinnedFingerprintStandsForTheMastersName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.ca.issue(t, "swarmctl", names("swarmctl"))
	w.cfg.Files = id.Files
	w.start()
	mine := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", mine)
	cfg := w.config(host1, mine)
	cfg.HubFingerprint = strings.ToUpper(id.fp)
	w.dial(cfg).becomes(messages.LinkConnected)
	cfg.HubFingerprint = mine.fp
	if st := w.dial(cfg).becomes(messages.LinkRefused); !strings.Contains(st.Fault.What, id.fp) {
		t.Errorf("the worker says %v", st.Fault)
	}
}

func TestTheHubTakesANewCertificateWithoutARestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	old := w.master.fp
	if err := os.WriteFile(w.master.Key, []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.until("the fault is told", func() bool { return len(w.faults) == 1 && w.faults[0].What != "" })
	if w.hub.Fingerprint() != old {
		t.Error("the hub lost its certificate")
	}
	w.ca.reissue(t, &w.master, "decnet-master")
	w.until("and that it is over", func() bool { return len(w.faults) == 2 && w.faults[1].What == "" })
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)}) // the connection stands
	if st := w.worker(host2, "w2").State(); st.HubFingerprint != w.master.fp || st.HubFingerprint == old {
		t.Errorf("a new connection sees %s", st.HubFingerprint)
	}
}

func TestAWorkerWithoutReadableFilesSaysSoAndWaitsForThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	if err := os.Rename(id.Key, id.Key+".away"); err != nil {
		t.Fatal(err)
	}
	s := w.dial(w.config(host1, id))
	if st := s.becomes(messages.LinkRefused); st.Fault.Where != id.Key || st.Fault.Remedy == "" {
		t.Errorf("the worker says %+v", st.Fault)
	}
	if err := os.Rename(id.Key+".away", id.Key); err != nil {
		t.Fatal(err)
	}
	s.becomes(messages.LinkConnected)
}

func TestAHubWithoutPinsOrFilesDoesNotOpenItsSocket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cfg.Files.CA = filepath.Join(t.TempDir(), "none")
	if h, err := Listen(t.Context(), w.cfg); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("listen: %v, %v", h, err)
	}
}

func TestASecondProcessWithAnIdentityIsKeptOutWhileTheFirstIsAlive(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	s := w.worker(host1, "w1")
	beat := func() {
		if err := s.Beat(messages.Beat{}); err != nil {
			t.Fatal(err)
		}
	}
	beat()
	w.until("a beat", func() bool { return len(w.beats[host1]) == 1 })
	clone := w.dial(w.config(host1, s.id))
	if st := clone.becomes(messages.LinkRefused); !strings.Contains(st.Fault.What, "another process") {
		t.Errorf("the clone says %v", st.Fault)
	}
	w.refusedFor(messages.RefusedTwin)
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 1)})
	s.Close()
	clone.becomes(messages.LinkConnected)
}
