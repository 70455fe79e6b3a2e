package fabric

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
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
