package integration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
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

// files gives the flags of a console that lets in who has a badge; the listener's address is not among them.
func (b *badges) files(s *stage) []string {
	b.t.Helper()
	server := b.issue(x509.Certificate{Subject: pkix.Name{CommonName: "fleet"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	key, err := x509.MarshalPKCS8PrivateKey(server.PrivateKey)
	must(b.t, err)
	b.save(s.path("cert.pem"), "CERTIFICATE", server.Certificate[0])
	b.save(s.path("key.pem"), "PRIVATE KEY", key)
	b.save(s.path("ca.pem"), "CERTIFICATE", b.ca.Raw)
	return []string{"--console-cert", s.path("cert.pem"), "--console-key", s.path("key.pem"), "--console-client-ca", s.path("ca.pem")}
}

// client shows these badges.
func (b *badges) client(pairs ...tls.Certificate) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(b.ca)
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: pairs}}
	b.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: soon}
}

// asked gives the status and the text of an answer; 0 and the error where there is none.
func asked(t *testing.T, c *http.Client, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(text)
}
