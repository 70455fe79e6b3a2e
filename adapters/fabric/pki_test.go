package fabric

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// keys are shared by all certificates of the tests: what tells certificates apart is their serial number, and making an
// RSA key takes longer than everything else here.
var keys = sync.OnceValue(func() (k struct{ ca, leaf *rsa.PrivateKey }) {
	k.ca, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.leaf, _ = rsa.GenerateKey(rand.Reader, 2048)
	return k
})

// authority is a CA shaped as DECNET's: CN, organisation, path length 0, begins five minutes ago.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	pem  []byte
}

func newAuthority(t testing.TB) *authority { return newAuthorityOf(t, keys().ca) }

func newAuthorityOf(t testing.TB, key *rsa.PrivateKey) *authority {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "DECNET SWARM Root CA", Organization: []string{"DECNET"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// identity is one host's files.
type identity struct {
	Files
	fp string
}

type shape func(*x509.Certificate)

func ended(c *x509.Certificate)     { c.NotAfter = time.Now().Add(-time.Minute) }
func notBegun(c *x509.Certificate)  { c.NotBefore = time.Now().Add(time.Hour) }
func otherUnit(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"guests"} }
func serverOnly(c *x509.Certificate) {
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
}
func names(dns ...string) shape { return func(c *x509.Certificate) { c.DNSNames = dns } }

// issue makes a leaf as DECNET does: O=DECNET, OU=swarm-worker, 825 days, server and client usage, its name as a SAN.
func (a *authority) issue(t testing.TB, cn string, shapes ...shape) identity {
	t.Helper()
	dir := t.TempDir()
	id := identity{Files: Files{filepath.Join(dir, "ca.crt"), filepath.Join(dir, "worker.crt"), filepath.Join(dir, "worker.key")}}
	a.reissue(t, &id, cn, shapes...)
	return id
}

// reissue writes another certificate over an identity's files.
func (a *authority) reissue(t testing.TB, id *identity, cn string, shapes ...shape) {
	t.Helper()
	tmpl := &x509.Certificate{SerialNumber: serial(),
		Subject:   pkix.Name{CommonName: cn, Organization: []string{"DECNET"}, OrganizationalUnit: []string{"swarm-worker"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(0, 0, 825), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, DNSNames: []string{cn}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, s := range shapes {
		s(tmpl)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &keys().leaf.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(keys().leaf)
	if err != nil {
		t.Fatal(err)
	}
	id.fp = Fingerprint(leaf)
	for path, text := range map[string][]byte{
		id.CA: a.pem, id.Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		id.Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return n
}
