package fabric

import (
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/decnet/decnet-fleetd/messages"
)

// Values of the server. Source: measured, but where another is named.
const (
	account      = "FLEET"
	tlsTimeout   = 2 * time.Second // an RSA-2048 handshake takes milliseconds
	writeTimeout = 2 * time.Second // a reader that stops is cut
	pingEvery    = 2 * time.Second // twice: reaps sockets; the hub's user decides by beats
	maxPending   = 4 << 20         // memory of one slow reader, in bytes
	minConn      = 1024            // sockets count before they are authenticated
	startWithin  = 5 * time.Second
)

// options leaves nothing on that is not named here: no monitoring, no cluster, no gateway, no leaf nodes, no websocket,
// no MQTT, no JetStream, no profiling, no signal handlers.
func (h *Hub) options(host string, port, hosts int) *server.Options {
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return &server.Options{
		ServerName: "hub", Host: host, Port: port,
		DontListen: true, // until pins and subscriptions stand
		NoSigs:     true, NoLog: true,
		Accounts: []*server.Account{h.account}, CustomClientAuthentication: h,
		TLSConfig: h.tlsConfig(), TLSTimeout: tlsTimeout.Seconds(), AuthTimeout: (tlsTimeout + time.Second).Seconds(),
		TLSHandshakeFirst: true, // a scanner gets no banner
		MaxConn:           max(minConn, 4*hosts), MaxSubs: 64, MaxSubTokens: 8,
		MaxPayload: maxFrame, MaxPending: maxPending, MaxControlLine: 1024,
		PingInterval: pingEvery, MaxPingsOut: 2, DisableShortFirstPing: true, WriteDeadline: writeTimeout,
		// True drops silently for a reader at 75 % of maxPending, false stalls its writer. With a connection of the hub
		// for each worker a drop is the flooder's own, and a stall would be everybody's.
		NoFastProducerStall: true,
		MaxClosedClients:    256, MaxTracedMsgLen: 128,
		Cluster: server.ClusterOpts{NoAdvertise: true},
	}
}

func (h *Hub) startServer(hosts int) error {
	host, service, err := net.SplitHostPort(h.cfg.Listen)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return fmt.Errorf("listen on %q: the port is no number", h.cfg.Listen)
	}
	h.account = server.NewAccount(account)
	if h.ns, err = server.NewServer(h.options(host, int(port), hosts)); err != nil {
		return fmt.Errorf("set up the server: %w", err)
	}
	h.ns.SetLogger(&serverLog{h}, false, false)
	if h.account, err = h.ns.LookupAccount(account); err != nil { // the registered one
		return fmt.Errorf("set up the server: %w", err)
	}
	h.ns.Start()
	if !h.ns.ReadyForConnections(startWithin) {
		return errors.New("the server did not start")
	}
	return nil
}

// openSocket is the last step of the start: who comes earlier is refused, or nobody hears that it came.
func (h *Hub) openSocket() error {
	ready := make(chan struct{})
	h.ns.AcceptLoop(ready)
	<-ready
	if a, is := h.ns.Addr().(*net.TCPAddr); !is || a == nil {
		return fmt.Errorf("listen on %q: %s", h.cfg.Listen, h.fatal.Load())
	}
	return nil
}

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
	if !ValidHost(o.Username) {
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

// watchConnections hears of clients that have gone. The events are hints: Refresh looks for itself.
func (h *Hub) watchConnections() error {
	nc, err := h.own(eventsUser, nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return fmt.Errorf("watch connections: %w", err)
	}
	h.events = nc
	_, err = nc.Subscribe("$SYS.ACCOUNT."+account+".DISCONNECT", func(m *nats.Msg) {
		var e server.DisconnectEventMsg
		if json.Unmarshal(m.Data, &e) == nil {
			h.gone(e.Client.ID, e.Reason)
		}
	})
	if err == nil {
		err = nc.Flush()
	}
	return err
}

// kick closes a connection. One that has gone by itself needs nothing.
func (h *Hub) kick(cid uint64) { _ = h.ns.DisconnectClientByID(cid) }

// clientName is what a worker calls itself when it connects: the hub must know its process before it says a word.
func clientName(instance string) string { return "fleetd " + instance }

func instanceOf(name string) string { return quoted(strings.TrimPrefix(name, "fleetd ")) }

// serverLog is where the server says what it has no other way to say.
type serverLog struct{ h *Hub }

// Noticef implements server.Logger.
func (*serverLog) Noticef(string, ...any) {}

// Warnf implements server.Logger.
func (*serverLog) Warnf(string, ...any) {}

// Fatalf keeps the reason why there is no socket.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.h.fatal.Store(fmt.Sprintf(format, v...))
}

// Errorf turns what is about somebody outside into a refusal. The format begins with "address - cid:number - ".
func (l *serverLog) Errorf(format string, v ...any) {
	who, what, _ := strings.Cut(format, " - ")
	cid, what, _ := strings.Cut(what, " - ")
	r := messages.Refusal{Remote: who, Detail: quoted(fmt.Sprintf(what, v...))}
	if id, err := strconv.ParseUint(strings.TrimPrefix(cid, "cid:"), 10, 64); err == nil {
		r.HostUUID = l.h.gate.hostOf(id)
	}
	switch {
	case strings.Contains(what, "TLS handshake error"):
		for _, x := range v {
			if err, is := x.(error); is && errors.Is(err, errAudited) {
				return
			}
		}
		r.Reason = messages.RefusedHandshake
	case strings.Contains(what, "Violation"):
		r.Reason = messages.RefusedSubject
	case r.HostUUID != "" || strings.Contains(what, "uthentication"):
		r.Reason = messages.RefusedLogin
	default:
		return
	}
	l.h.refuse(r)
}

// Debugf implements server.Logger.
func (*serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (*serverLog) Tracef(string, ...any) {}
