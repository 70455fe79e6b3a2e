package integration

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// rsaKeys are shared: what tells certificates apart is their serial number, and a key of RSA takes longer than a test.
var rsaKeys = sync.OnceValue(func() (k [2]*rsa.PrivateKey) {
	for i := range k {
		k[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return k
})

// authority is a CA as DECNET's: its subject, path length 0, begun five minutes ago.
type authority struct {
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key := rsaKeys()[0]
	tmpl := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "DECNET SWARM Root CA", Organization: []string{"DECNET"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

// issue writes ca.crt, worker.crt and worker.key as DECNET's enrolment does, and gives the certificate's fingerprint.
func (a *authority) issue(t *testing.T, dir, cn string) (fingerprint string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	leaf := rsaKeys()[1]
	tmpl := &x509.Certificate{SerialNumber: serial(),
		Subject:   pkix.Name{CommonName: cn, Organization: []string{"DECNET"}, OrganizationalUnit: []string{"swarm-worker"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(0, 0, 825), BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, DNSNames: []string{cn, "10.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &leaf.PublicKey, rsaKeys()[0])
	must(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(leaf)
	must(t, err)
	for name, text := range map[string][]byte{"ca.crt": a.pem, "worker.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"worker.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})} {
		must(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return n
}
