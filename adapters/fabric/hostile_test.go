package fabric

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/decnet/decnet-fleetd/messages"
)

// intruder is a NATS client with an enrolled worker's certificate that keeps to no rule.
type intruder struct {
	*nats.Conn
	denied atomic.Int64
	closed chan struct{}
}

func (w *world) intrude(id identity) *intruder {
	w.t.Helper()
	pair, err := tls.LoadX509KeyPair(id.Cert, id.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	in := &intruder{closed: make(chan struct{})}
	in.Conn, err = nats.Connect("tls://"+w.cfg.Listen, nats.Secure(&tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}),
		nats.TLSHandshakeFirst(), nats.NoReconnect(), nats.Name("intruder"),
		nats.ClosedHandler(func(*nats.Conn) { close(in.closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrPermissionViolation) {
				in.denied.Add(1)
			}
		}))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(in.Close)
	return in
}

// settled waits until the server has dealt with everything that was sent.
func (in *intruder) settled(t *testing.T) {
	t.Helper()
	if err := in.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

func TestAWorkerReachesNobodysSubjectsButItsOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	victim := w.worker(host2, "w2")
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	foreign := []string{"fleet." + host2 + ".batch", "fleet." + host2 + ".beat", "hub." + host2 + ".ack", "hub." + host2 + ".ask", "hub." + host1 + ".ack",
		"_INBOX.x", "$SYS.REQ.SERVER.PING", "$SYS.REQ.USER.INFO", "$JS.API.INFO", "x", "fleet." + host1, "fleet." + host1 + ".a.b"}
	for i, subject := range foreign {
		if err := in.Publish(subject, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
		in.settled(t)
		waitFor(t, subject+" is denied", func() bool { return in.denied.Load() == int64(i+1) })
	}
	listens := []string{">", "*", "fleet.>", "fleet." + host1 + ".*", "fleet." + host2 + ".*", "hub.>", "hub.*.ask", "hub." + host2 + ".*", "_INBOX.>", "$SYS.>"}
	for i, subject := range listens {
		for j, group := range []string{"", "g"} {
			if _, err := in.QueueSubscribeSync(subject, group); err != nil {
				t.Fatal(err)
			}
			in.settled(t)
			waitFor(t, "listening on "+subject+" is denied", func() bool { return in.denied.Load() >= int64(len(foreign)+2*i+j+1) })
		}
	}
	w.refusedFor(messages.RefusedSubject)
	victim.must(messages.ShipBatch{Events: transitions(host2, 1, 1)})
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.got[host1]) != 0 || len(w.beats[host2]) != 0 || len(w.got[host2]) != 1 {
		t.Errorf("something came through: %v %v", w.got, w.beats)
	}
	for _, r := range w.refused {
		if r.Reason == messages.RefusedSubject && r.HostUUID != host1 {
			t.Errorf("the audit names %q", r.HostUUID)
		}
	}
}

func TestTheHubAnswersTheHostAndNotTheReplySubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	victim := w.worker(host2, "w2")
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	own, err := in.SubscribeSync("hub." + host1 + ".ack")
	if err != nil {
		t.Fatal(err)
	}
	frame, err := json.Marshal(batchFrame{N: 77, Events: transitions(host1, 1, 1)})
	if err != nil {
		t.Fatal(err)
	}
	// If the hub answered a reply subject, the victim would take this for an ack of its own.
	if err := in.PublishRequest("fleet."+host1+".batch", "hub."+host2+".ack", frame); err != nil {
		t.Fatal(err)
	}
	m, err := own.NextMsg(patience)
	if err != nil || !strings.Contains(string(m.Data), "77") {
		t.Fatalf("no ack on the host's own subject: %v, %v", m, err)
	}
	s := victim.live.Load()
	if len(s.acks) != 0 {
		t.Error("the victim got the ack")
	}
}

func TestGarbageIsCountedAndAuditedAndCostsNothingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	for _, kind := range []string{"hello", "beat", "batch", "part", "unheard-of"} {
		for _, text := range []string{"", "{", "[]", `"x"`, "\x00\xff", strings.Repeat("[", 9000), `{"n":1,"events":[` + strings.Repeat("{},", 2000) + `{}]}`, `{"n":-1}`, `{"id":1}` + "\nx"} {
			if err := in.Publish("fleet."+host1+"."+kind, []byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	in.settled(t)
	w.refusedFor(messages.RefusedFrame)
	in.Close()
	s := w.dial(w.config(host1, id))
	s.becomes(messages.LinkConnected)
	s.must(messages.ShipBatch{Events: transitions(host1, 1, 3)})
	if p := w.hub.Peers()[0]; p.Dropped < 20 {
		t.Errorf("dropped: %d", p.Dropped)
	}
}

func TestAFloodLosesNothingOfTheOthersAndIsCut(t *testing.T) {
	w := newWorld(t).start()
	other := w.worker(host2, "w2")
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	in := w.intrude(id)
	flood := make(chan struct{})
	go func() {
		defer close(flood)
		junk := make([]byte, 2000)
		for in.Publish("fleet."+host1+".batch", junk) == nil {
			select {
			case <-in.closed:
				return
			default:
			}
		}
	}()
	shipped := 0
	for until := time.After(patience); ; {
		select {
		case <-in.closed:
			<-flood
			other.must(messages.ShipBatch{Events: transitions(host2, 100000, 1)})
			w.refusedFor(messages.RefusedFlood)
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.got[host2]) != shipped+1 {
				t.Errorf("of the other one %d of %d came", len(w.got[host2]), shipped+1)
			}
			if slices.ContainsFunc(w.events, func(e messages.PeerEvent) bool { return e.HostUUID == host2 && !e.Up }) {
				t.Error("the other one was cut")
			}
			if shipped < 3 {
				t.Errorf("the other one shipped %d batches meanwhile", shipped)
			}
			return
		case <-until:
			t.Fatal("the flood is not cut")
		default:
			if _, err := other.Ship(t.Context(), messages.ShipBatch{Events: transitions(host2, shipped+1, 1)}); err != nil {
				t.Fatalf("the other one, after %d batches: %v", shipped, err)
			}
			shipped++
			if err := other.Beat(messages.Beat{N: uint64(shipped)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
}

func TestAStalledDeliveryOfOneHostDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	stuck, well := w.worker(host1, "w1"), w.worker(host2, "w2")
	release := make(chan struct{})
	w.note(func() {
		w.deliverF = func(host string) {
			if host == host1 {
				<-release
			}
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := stuck.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)})
		done <- err
	}()
	for i := range 20 {
		well.must(messages.ShipBatch{Events: transitions(host2, i+1, 1)})
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestABatchThatTheHubPanicsOverCostsItsOwnWorkerAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	victim, other := w.worker(host1, "w1"), w.worker(host2, "w2")
	w.note(func() {
		w.deliverF = func(host string) {
			if host == host1 {
				panic("of all the rows")
			}
		}
	})
	if _, err := victim.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)}); !errors.Is(err, ErrBusy) {
		t.Errorf("it is told %v, not to ship again", err)
	}
	w.until("it is on record", func() bool {
		return slices.ContainsFunc(w.refused, func(r messages.Refusal) bool {
			return r.HostUUID == host1 && strings.Contains(r.Detail, "of all the rows") && strings.Contains(r.Detail, "hostile_test.go")
		})
	})
	if _, err := other.Ship(t.Context(), messages.ShipBatch{Events: transitions(host2, 1, 1)}); err != nil {
		t.Errorf("the other worker: %v", err)
	}
	w.note(func() { w.deliverF = nil })
	if _, err := victim.Ship(t.Context(), messages.ShipBatch{Events: transitions(host1, 1, 1)}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestAFrameAboveTheLimitEndsTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	pair, err := tls.LoadX509KeyPair(id.Cert, id.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tls.Dial("tcp", w.cfg.Listen, &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer shut(c)
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	// The library would not send it.
	_, _ = fmt.Fprintf(c, "CONNECT {\"verbose\":false,\"name\":\"x\"}\r\nPING\r\nPUB fleet.%s.batch 10485760\r\n%s", host1, strings.Repeat("x", 2<<20))
	text, _ := io.ReadAll(c)
	if !strings.Contains(string(text), "Maximum Payload") {
		t.Errorf("the server said %.300q", text)
	}
}

func TestBeforeTLSThereIsNoByteAndNothingOlderThanTLS13(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start()
	id := w.ca.issue(t, "w1")
	w.enrol(host1, "w1", id)
	silent, err := net.Dial("tcp", w.cfg.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(silent)
	_ = silent.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(silent); len(b) != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a silent client got %q, %v: want nothing, and to be closed", b, err)
	}
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "CONNECT {}\r\nPING\r\n", "\x00\x00\x00\x00\x00\x00\x00\x00"} {
		c, err := net.Dial("tcp", w.cfg.Listen)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(patience))
		_, _ = io.WriteString(c, text)
		b, _ := io.ReadAll(c)
		if len(b) > 0 && b[0] != 0x15 { // a TLS alert says nothing of who is here
			t.Errorf("to %q it said %q", text, b)
		}
		shut(c)
	}
	pair, err := tls.LoadX509KeyPair(id.Cert, id.Key)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := tls.Dial("tcp", w.cfg.Listen, &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}); err == nil {
		shut(c)
		t.Error("TLS 1.2 is spoken")
	}
	c, err := tls.Dial("tcp", w.cfg.Listen, &tls.Config{InsecureSkipVerify: true}) // no certificate
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(patience))
		b, err := io.ReadAll(c)
		if len(b) > 0 || err == nil {
			t.Errorf("without a certificate one reads %q, %v", b, err)
		}
		shut(c)
	}
	w.refusedFor(messages.RefusedHandshake)
}

// Not parallel: it counts the sockets of the process.
func TestTheServerHasNoMonitoringClusterOrOtherDoor(t *testing.T) {
	before := ownSockets(t, "tcp", listening) + ownSockets(t, "tcp6", listening)
	w := newWorld(t).start()
	w.worker(host1, "w1")
	p := w.hub.ns.PortsInfo(time.Second)
	if len(p.Nats) != 1 || len(p.Monitoring)+len(p.Cluster)+len(p.Profile)+len(p.WebSocket) != 0 {
		t.Errorf("doors: %+v", p)
	}
	if w.hub.ns.JetStreamEnabled() || w.hub.ns.NumRoutes() != 0 || w.hub.ns.NumLeafNodes() != 0 {
		t.Error("something else is on")
	}
	if n := ownSockets(t, "tcp", listening) + ownSockets(t, "tcp6", listening) - before; n != 1 {
		t.Errorf("%d listening sockets", n)
	}
	if n := ownSockets(t, "udp", "") + ownSockets(t, "udp6", ""); n != 0 {
		t.Errorf("%d UDP sockets", n)
	}
}

const listening = "0A" // a state of the kernel's tables

// ownSockets counts this process's sockets in a table of the kernel, all or those in a state.
func ownSockets(t *testing.T, table, state string) (n int) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/net/" + table)
	if err != nil {
		t.Fatal(err)
	}
	inodes := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, "socket:[") {
			inodes[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	for _, line := range strings.Split(string(text), "\n")[1:] {
		if f := strings.Fields(line); len(f) > 9 && inodes[f[9]] && (state == "" || f[3] == state) {
			n++
		}
	}
	return n
}

func TestARowThatIsNoUuidOpensNoSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, id2, twice := w.ca.issue(t, "w1"), w.ca.issue(t, "w2"), w.ca.issue(t, "w3")
	w.enrol("*", "w1", id)
	w.enrol("11111111-1111-1111-1111-1111111111>1", "w2", id2)
	w.enrol(host1, "w3", twice)
	w.enrol(host2, "w3", twice)
	w.start()
	if p := w.hub.Peers(); len(p) != 0 {
		t.Errorf("enrolled: %+v", p)
	}
	for _, id := range []identity{id, id2, twice} {
		w.dial(w.config(host1, id)).becomes(messages.LinkRefused)
	}
}

// waitFor polls what no callback tells.
func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never: " + what)
		}
	}
}
