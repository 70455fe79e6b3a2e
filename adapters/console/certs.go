package console

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Remote is where other hosts reach the console, and by which certificates. Every field is required; files are PEM.
type Remote struct {
	Addr      string // host:port
	Cert, Key string // the server's certificate, with those between it and its authority, and its key
	ClientCA  string // the authorities of clients
}

// Read reads the files and gives the day the server's certificate ends. The error names the file at fault.
func (r Remote) Read() (ends time.Time, err error) {
	c, err := r.load()
	if err != nil {
		return time.Time{}, err
	}
	return c.Certificates[0].Leaf.NotAfter, nil
}

func (r Remote) load() (*tls.Config, error) {
	var texts [3][]byte
	for i, path := range []string{r.Cert, r.Key, r.ClientCA} {
		var err error
		if texts[i], err = readPEM(path); err != nil {
			return nil, fmt.Errorf("read the console's certificates: %w", err)
		}
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return nil, fmt.Errorf("the console's certificate %s is no pair with the key %s: %w", r.Cert, r.Key, err)
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(texts[2]) {
		return nil, fmt.Errorf("the console's client authority %s holds no certificate", r.ClientCA)
	}
	return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}, SessionTicketsDisabled: true, // each connection is judged anew
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}, nil
}

// maxPEM bounds a file, in bytes. Chosen: a chain of RSA certificates has some 10 KiB.
const maxPEM = 1 << 20

func readPEM(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, fmt.Errorf("%s is no regular file", path))
	}
	text, err = io.ReadAll(io.LimitReader(f, maxPEM+1))
	if len(text) > maxPEM {
		return nil, fmt.Errorf("%s is larger than 1 MiB", path)
	}
	return text, err
}

// lookPEM is how often the files are looked at, at most. Chosen: certificates are renewed by the month.
const lookPEM = time.Second

// shelf keeps what was last read of the files. Safe from any goroutine.
type shelf struct {
	files Remote
	now   func() time.Time
	log   zerolog.Logger

	mu     sync.Mutex
	conf   *tls.Config // nil: never read
	looked time.Time
	stamps [3]stamp
}

type stamp struct {
	size  int64
	mtime time.Time
}

func newShelf(files Remote, now func() time.Time, log zerolog.Logger) *shelf {
	return &shelf{files: files, now: now, log: log}
}

// config is what handshakes go by. Files that cannot be read leave what was read before: it is said once, and they are
// read again when they change.
func (s *shelf) config() (*tls.Config, error) {
	if err := s.look(); err != nil {
		s.log.Error().Err(err).Msg("the console keeps the certificates it has")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conf, nil
}

// look reads the files where they changed.
func (s *shelf) look() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); s.conf == nil || now.Sub(s.looked) >= lookPEM {
		s.looked = now
		if stamps := s.files.stamps(); s.conf == nil || stamps != s.stamps {
			s.stamps = stamps
			return s.read()
		}
	}
	return nil
}

func (s *shelf) read() error {
	c, err := s.files.load()
	if err == nil {
		c.Time = s.now
		s.conf = c
	}
	return err
}

func (r Remote) stamps() (out [3]stamp) {
	for i, path := range []string{r.Cert, r.Key, r.ClientCA} {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.Size(), info.ModTime()}
		}
	}
	return out
}

// named says whether the server's certificate has the name of a host, with its port or without.
func (s *shelf) named(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conf.Certificates[0].Leaf.VerifyHostname(host) == nil
}

// badge is what a client's certificate says of its owner.
type badge struct {
	name string
	role Role
}

// The words by which a certificate gives a role: its organizational units, or URIs among its names. Units are named like
// the groups of users.
var (
	unitRoles = map[string]Role{"decnet": ReadOnly, "decnet-ops": Operator, "decnet-admin": Admin}
	uriRoles  = map[string]Role{roleURN + "read-only": ReadOnly, roleURN + "operator": Operator, roleURN + "admin": Admin}
)

const roleURN = "urn:decnet-fleetd:role:"

// badgeOf reads a certificate that was verified. One with several roles has the highest, one with none has none. The
// fingerprint tells two apart that bear one name.
func badgeOf(c *x509.Certificate) *badge {
	b := &badge{}
	for _, unit := range c.Subject.OrganizationalUnit {
		b.role = max(b.role, unitRoles[unit])
	}
	for _, uri := range c.URIs {
		b.role = max(b.role, uriRoles[uri.String()])
	}
	sum := sha256.Sum256(c.Raw)
	name := strings.TrimSpace(strings.ToValidUTF8(clipped(c.Subject.CommonName, maxBadge), ""))
	b.name = strings.TrimSpace(name + " (certificate " + hex.EncodeToString(sum[:6]) + ")")
	return b
}

// maxBadge bounds the name of a client, in bytes. Source: X.520 allows a common name 64 characters.
const maxBadge = 256
