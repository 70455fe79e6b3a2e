package fabric

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/decnet/decnet-fleetd/messages"
)

// tlsConfig asks for any certificate and judges it itself: only so is every refusal audited with its reason.
func (h *Hub) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true}
	c.GetConfigForClient = func(hi *tls.ClientHelloInfo) (*tls.Config, error) {
		m := h.shelf.current()
		remote := hi.Conn.RemoteAddr().String()
		one := &tls.Config{
			MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
			Certificates: []tls.Certificate{m.pair}, ClientCAs: m.roots,
		}
		one.VerifyConnection = func(cs tls.ConnectionState) error { return h.verifyPeer(m, cs.PeerCertificates, remote) }
		return one, nil
	}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &h.shelf.current().pair, nil }
	return c
}

// errAudited ends a handshake whose reason is already told.
var errAudited = errors.New("fabric: refused")

func (h *Hub) verifyPeer(m *material, chain []*x509.Certificate, remote string) error {
	now := h.cfg.Now()
	reason, detail := judgeWorker(chain, m.roots, now)
	host := ""
	if reason == "" {
		reason, host = h.gate.knows(chain[0], now)
	}
	if reason == "" {
		return nil
	}
	r := messages.Refusal{Reason: reason, Detail: detail, HostUUID: host, Remote: remote}
	if len(chain) > 0 {
		r.CN, r.Fingerprint = quoted(chain[0].Subject.CommonName), Fingerprint(chain[0])
	}
	h.refuse(r)
	return errAudited
}

// Check implements server.Authentication. It runs when a client has sent CONNECT, after the TLS handshake.
func (h *Hub) Check(c server.ClientAuthentication) bool {
	st := c.GetTLSConnectionState()
	if st == nil {
		return h.checkOwn(c)
	}
	if c.Kind() != server.CLIENT || len(st.PeerCertificates) == 0 {
		return false
	}
	leaf, remote := st.PeerCertificates[0], c.RemoteAddress().String()
	host, reason, old := h.gate.admit(c.GetID(), leaf, instanceOf(c.GetOpts().Name), remote, h.cfg.Now())
	if reason != "" {
		h.refuse(messages.Refusal{Reason: reason, Fingerprint: Fingerprint(leaf), CN: quoted(leaf.Subject.CommonName), HostUUID: host, Remote: remote})
		return false
	}
	if old != 0 {
		h.displaced(host, old)
	}
	c.RegisterUser(&server.User{Username: host, Account: h.account, Permissions: permissions(upSubject(host, "*"), downSubject(host, "*"))})
	return true
}

// displaced ends a connection whose place another has taken, and what it was to answer.
func (h *Hub) displaced(host string, cid uint64) {
	if s := h.gate.seat(host); s != nil {
		s.lane.calls.fail()
	}
	h.spawn(func() { h.kick(cid) })
}

// checkOwn lets in what comes over a pipe and knows the secret of this process.
func (h *Hub) checkOwn(c server.ClientAuthentication) bool {
	o, addr := c.GetOpts(), c.RemoteAddress()
	if addr == nil || addr.Network() != "pipe" || subtle.ConstantTimeCompare([]byte(o.Password), []byte(h.secret)) != 1 {
		return false
	}
	if o.Username == eventsUser {
		c.RegisterUser(&server.User{Username: "hub", Account: h.ns.SystemAccount()})
		return true
	}
	if !messages.ValidHostUUID(o.Username) {
		return false
	}
	c.RegisterUser(&server.User{Username: "hub", Account: h.account, Permissions: permissions(downSubject(o.Username, "*"), upSubject(o.Username, "*"))})
	return true
}

func permissions(publish, subscribe string) *server.Permissions {
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: []string{publish}},
		Subscribe: &server.SubjectPermission{Allow: []string{subscribe}},
	}
}

const eventsUser = "events"

// own opens a connection of the hub to its own server: of eventsUser to the system's account, of a host to its subjects.
func (h *Hub) own(user string, opts ...nats.Option) (*nats.Conn, error) {
	opts = append([]nats.Option{nats.InProcessServer(h.ns), nats.UserInfo(user, h.secret), nats.Name(user), nats.NoReconnect(),
		nats.NoEcho(), nats.IgnoreDiscoveredServers(), nats.Timeout(startWithin)}, opts...)
	return nats.Connect("", opts...)
}

// clientName is what a worker calls itself when it connects: the hub must know its process before it says a word.
func clientName(instance string) string { return "fleetd " + instance }

func instanceOf(name string) string { return quoted(strings.TrimPrefix(name, "fleetd ")) }
