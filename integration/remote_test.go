package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// badges makes certificates of one authority.
type badges struct {
	t   *testing.T
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
}

func newBadges(t *testing.T) *badges {
	t.Helper()
	b := &badges{t: t}
	pair := b.issue(x509.Certificate{Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	b.ca, b.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return b
}

// issue signs for an hour; the first one signs itself.
func (b *badges) issue(c x509.Certificate) tls.Certificate {
	b.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(b.t, err)
	c.SerialNumber, c.NotBefore, c.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	by, with := b.ca, b.key
	if by == nil {
		by, with = &c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, by, &key.PublicKey, with)
	must(b.t, err)
	leaf, err := x509.ParseCertificate(der)
	must(b.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (b *badges) of(name, unit string) tls.Certificate {
	return b.issue(x509.Certificate{Subject: pkix.Name{CommonName: name, OrganizationalUnit: []string{unit}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

func (b *badges) save(path, kind string, der []byte) {
	b.t.Helper()
	must(b.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// TestOtherHostsUseTheConsoleByClientCertificateAndNothingElse: a daemon that was told to lets them in by their role, puts
// their name on record, and is otherwise the console that it is at its socket: API, pages, events as they come.
func TestOtherHostsUseTheConsoleByClientCertificateAndNothingElse(t *testing.T) {
	s, _ := webStage(t, "decky-01")
	s.terminate()
	b := newBadges(t)
	server := b.issue(x509.Certificate{Subject: pkix.Name{CommonName: "fleet"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	must(t, err)
	b.save(s.path("cert.pem"), "CERTIFICATE", server.Certificate[0])
	b.save(s.path("key.pem"), "PRIVATE KEY", key)
	b.save(s.path("ca.pem"), "CERTIFICATE", b.ca.Raw)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := taken.Addr().String()
	files := []string{"--console-cert", s.path("cert.pem"), "--console-key", s.path("key.pem"), "--console-client-ca", s.path("ca.pem")}

	// The address is taken: that is said, and nothing else suffers.
	s.start(append(files, "--console-listen", addr)...)
	eventually(t, prompt, func() error {
		out, _ := s.command("status")
		return unless(strings.Contains(out, "address already in use"), "%s", out)
	})
	must(t, taken.Close())

	as := func(pairs ...tls.Certificate) *http.Client {
		roots := x509.NewCertPool()
		roots.AddCert(b.ca)
		tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: pairs}}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr, Timeout: soon}
	}
	ask := func(c *http.Client, method, path string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, "https://"+addr+path, nil)
		must(t, err)
		resp, err := c.Do(r)
		if err != nil {
			return 0, err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		must(t, err)
		return resp.StatusCode, string(text)
	}
	reader, operator, admin := as(b.of("rita", "decnet")), as(b.of("oscar", "decnet-ops")), as(b.of("alice", "decnet-admin"))
	eventually(t, soon, func() error { // it has become free
		code, text := ask(reader, "GET", "/v1/whoami")
		return unless(code == 200 && strings.Contains(text, `"role":"read-only"`), "%d %s", code, text)
	})
	for _, x := range []struct {
		who          *http.Client
		method, path string
		want         int
		says         string
	}{
		{as(), "GET", "/v1/status", 0, "certificate required"},
		{as(newBadges(t).of("mallory", "decnet-admin")), "GET", "/v1/status", 0, "certificate"},
		{as(b.of("worker-1", "swarm-worker")), "GET", "/v1/status", 403, "yours is none"},
		{reader, "GET", "/deckies", 200, "decky-01"},
		{reader, "POST", "/v1/actions/pause", 403, "yours is read-only"},
		{operator, "POST", "/v1/reconcile", 200, `"kind":"reconcile"`},
		{operator, "GET", "/v1/debug/goroutines", 403, "yours is operator"},
		{admin, "GET", "/v1/debug/goroutines", 200, `"kind":"goroutines"`},
	} {
		if code, text := ask(x.who, x.method, x.path); code != x.want || !strings.Contains(text, x.says) {
			t.Errorf("%s %s: %d, want %d: %.300s", x.method, x.path, code, x.want, text)
		}
	}
	if out := s.say(0, "audit"); !strings.Contains(out, "oscar (certificate ") {
		t.Error(out)
	}
	if out := s.say(0, "config", "show", "--console-listen", addr, files[0], files[1], files[2], files[3], files[4], files[5]); !strings.Contains(out, addr) {
		t.Error(out)
	}
	if out, _ := s.command("doctor", "--console-listen", addr, files[0], files[1], files[2], files[3], files[4], files[5]); !strings.Contains(out, fmt.Sprintf("client certificates at %s, our own is good until", addr)) &&
		!strings.Contains(out, "ends on") {
		t.Error(out)
	}
}
