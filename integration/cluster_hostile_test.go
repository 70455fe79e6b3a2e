package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// intruder speaks NATS with a certificate, as somebody who took a worker over would.
type intruder struct {
	t    *testing.T
	uuid string
	nc   *nats.Conn
	acks chan string
}

// intrude connects with the files in a directory.
func (s *swarm) intrude(dir, uuid string) (*intruder, error) {
	s.t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "worker.crt"), filepath.Join(dir, "worker.key"))
	must(s.t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.ca.pem)
	nc, err := nats.Connect(fmt.Sprintf("tls://127.0.0.1:%d", s.port), nats.Secure(&tls.Config{MinVersion: tls.VersionTLS13, ServerName: "decnet-master", RootCAs: roots,
		Certificates: []tls.Certificate{pair}}), nats.TLSHandshakeFirst(), nats.Name("fleetd intruder"), nats.NoReconnect(), nats.Timeout(prompt),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(nc.Close)
	i := &intruder{t: s.t, uuid: uuid, nc: nc, acks: make(chan string, 16)}
	_, err = nc.Subscribe("hub."+uuid+".ack", func(m *nats.Msg) { i.acks <- string(m.Data) })
	must(s.t, err)
	must(s.t, nc.Publish("fleet."+uuid+".hello", []byte(`{"wire":1,"oldest":1,"version":"evil","instance":"intruder"}`)))
	return i, nc.Flush()
}

// ship sends a transition and gives the hub's answer.
func (i *intruder) ship(n int, host, name, state string) string {
	i.t.Helper()
	id := fmt.Sprintf("%032x", n)
	payload := fmt.Sprintf(`{"host_uuid":%q,"name":%q,"state":%q,"transition":"inserted","source":"fleet","rev":1,"event_id":%q}`, host, name, state, id)
	frame := fmt.Sprintf(`{"n":%d,"origin":"evil","events":[{"id":%d,"event_id":%q,"name":%q,"rev":1,"payload":%s,"row":{"name":%q,"services":"[\"ssh\"]","config":null,"ip":null,"state":%q}}]}`,
		n, n, id, name, payload, name, state)
	must(i.t, i.nc.Publish("fleet."+i.uuid+".batch", []byte(frame)))
	select {
	case a := <-i.acks:
		return a
	case <-time.After(prompt):
		return "no answer"
	}
}

// TestAWorkerLiesAboutItselfOnly: with a stolen certificate, forged hosts, other hosts' names and subjects.
func TestAWorkerLiesAboutItselfOnly(t *testing.T) {
	t.Parallel()
	s := standing(t, 1, 2)
	victim := s.workers[0]

	const evil = "eeeeeeee-0000-4000-8000-000000000001"
	s.ca.issue(t, s.path("stranger"), "stranger")
	if _, err := s.intrude(s.path("stranger"), evil); err == nil {
		t.Fatal("a certificate that is not enrolled was let in")
	}
	s.enrol(evil, "evil", s.ca.issue(t, s.path("evil"), "evil"))
	var i *intruder
	eventually(t, soon, func() (err error) { // the hub reads the table every two seconds
		i, err = s.intrude(s.path("evil"), evil)
		return err
	})
	if a := i.ship(1, evil, "own", "running"); strings.Contains(a, "refused") || strings.Contains(a, "never") {
		t.Errorf("its own decky: %s", a)
	}
	if a := i.ship(2, victim.uuid, victim.names[0], "failed"); !strings.Contains(a, "never") {
		t.Errorf("another host in the payload: %s", a)
	}
	if a := i.ship(3, evil, victim.names[0], "failed"); !strings.Contains(a, "another host has a decky of this name") {
		t.Errorf("another host's name: %s", a)
	}
	if a := i.ship(4, evil, "m1", "failed"); !strings.Contains(a, "another host has a decky of this name") {
		t.Errorf("the master's name: %s", a)
	}
	must(t, i.nc.Publish("fleet."+victim.uuid+".batch", []byte(`{"n":9,"slice":{"id":"x","part":0,"last":true,"rows":[]}}`)))
	must(t, i.nc.Flush())
	for _, garbage := range []string{"", "{", `{"n":10,"events":[{}]}`, `{"n":11,"events":` + strings.Repeat("[", 1000), "\x00\xff"} {
		must(t, i.nc.Publish("fleet."+evil+".batch", []byte(garbage)))
	}
	throughout(t, calm, func() error {
		return errors.Join(unless(stateOf(s, victim, victim.names[0]) == "running", "the victim's row is %q", stateOf(s, victim, victim.names[0])),
			s.db.state(t, "m1", "running"))
	})
	s.judged(soon, "after all that")
	eventually(t, prompt, func() error {
		audit := s.audit()
		for _, want := range []string{"not-enrolled", "foreign-host", "another host has a decky of this name"} {
			if !strings.Contains(audit, want) {
				return fmt.Errorf("%q is not in the audit: %s", want, audit)
			}
		}
		return nil
	})

	s.db.exec(t, "DELETE FROM swarm_hosts WHERE uuid = '"+evil+"'")
	eventually(t, prompt, func() error { return unless(i.nc.IsClosed(), "the connection of a decommissioned host stands") })
	if stateOfHost(s, evil) != "own running" {
		t.Errorf("rows of a decommissioned host: %q", stateOfHost(s, evil))
	}
}

func stateOfHost(s *swarm, uuid string) string {
	s.t.Helper()
	var all []string
	for _, r := range s.db.rows(s.t) {
		if r.Host == uuid {
			all = append(all, r.Name+" "+r.State)
		}
	}
	return strings.Join(all, ", ")
}

// TestACutOffWorkerCatchesUp: what piled up while the hub was away arrives in order, soon after its return; the bench measures how soon.
func TestACutOffWorkerCatchesUp(t *testing.T) {
	t.Parallel()
	s := newSwarm(t, &onSQLite, 1, 300)
	w := s.workers[0]
	w.join()
	waiting := func() (n int) {
		var st struct {
			OutboxDepth int `json:"outbox_depth"`
			Deckies     map[string]int
		}
		out, _ := w.command("status", "-o", "json", "--host-uuid", w.uuid)
		_ = json.Unmarshal([]byte(out), &st)
		return st.OutboxDepth
	}
	eventually(t, soon, func() error { n := waiting(); return unless(n == 300, "%d transitions wait, not 300", n) })
	s.hub()
	began := time.Now()
	eventually(t, soon, func() error {
		n := 0
		must(t, s.db.sql.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM fleet_deckies WHERE host_uuid = '"+w.uuid+"' AND state = 'running'").Scan(&n))
		return unless(n == 300, "%d rows of 300", n)
	})
	t.Logf("300 transitions are there %v after the hub", time.Since(began))
	s.judged(soon, "after it caught up")
}
