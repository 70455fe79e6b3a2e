package fabric

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/decnet/decnet-fleetd/messages"
)

func (w *Worker) tlsConfig(m *material) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: masterName, Certificates: []tls.Certificate{m.pair},
		InsecureSkipVerify: true, // judgeHub verifies: chain, usage, and the master's name or the pinned fingerprint
		VerifyConnection: func(cs tls.ConnectionState) error {
			return judgeHub(cs.PeerCertificates, m.roots, w.cfg.Now(), w.cfg.HubFingerprint)
		},
	}
}

// dialer does the TLS handshake itself: the library would tell only half of what can go wrong.
type dialer struct {
	ctx  context.Context //nolint:containedctx // the interface has no room for it
	cfg  *tls.Config
	wire atomic.Pointer[wire]
	err  atomic.Pointer[error]
}

// SkipTLSHandshake tells the library that what Dial returns is encrypted.
func (*dialer) SkipTLSHandshake() bool { return true }

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	c, err := d.dial(network, address)
	if err != nil {
		d.err.Store(&err)
		return nil, err
	}
	d.wire.Store(c)
	return c, nil
}

func (d *dialer) dial(network, address string) (*wire, error) {
	raw, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(d.ctx, network, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	c := tls.Client(raw, d.cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error says why
		return nil, &tlsFault{err}
	}
	return &wire{Conn: c}, nil
}

// explain prefers what the connection knows to what the library says of it.
func (d *dialer) explain(err error) error {
	if p := d.err.Load(); p != nil {
		return *p
	}
	if c := d.wire.Load(); c != nil {
		if f := c.fault(); f != nil {
			return f
		}
	}
	return err
}

// tlsFault is a handshake that failed.
type tlsFault struct{ err error }

// Error implements error.
func (f *tlsFault) Error() string { return f.err.Error() }

// Unwrap is the cause.
func (f *tlsFault) Unwrap() error { return f.err }

// wire remembers the alert with which a hub refuses a certificate: in TLS 1.3 it comes after the handshake.
type wire struct {
	net.Conn
	alert atomic.Pointer[error]
}

// Read implements io.Reader.
func (c *wire) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var op *net.OpError
	if err != nil && errors.As(err, &op) && op.Op == "remote error" {
		f := fmt.Errorf("%w: %w", errAlert, err)
		c.alert.CompareAndSwap(nil, &f)
	}
	return n, err
}

// errAlert: the hub ended TLS.
var errAlert = errors.New("the hub refused the certificate")

func (c *wire) fault() error {
	if p := c.alert.Load(); p != nil {
		return *p
	}
	return nil
}

// hubCert is what the hub showed.
func (s *session) hubCert() (fingerprint string, expires messages.Moment) {
	c, is := s.wire.Conn.(*tls.Conn)
	if !is {
		return "", messages.Moment{}
	}
	leaf := c.ConnectionState().PeerCertificates[0]
	return Fingerprint(leaf), messages.Moment{Time: leaf.NotAfter}
}
