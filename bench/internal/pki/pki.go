// Package pki makes certificates as DECNET's enrolment does, for measurements with many workers.
package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Authority is a CA. All its certificates share one key: making one takes longer than all the rest, and nothing that is
// measured depends on it.
type Authority struct {
	cert   *x509.Certificate
	pem    []byte
	key    *rsa.PrivateKey
	leaf   *rsa.PrivateKey
	serial int64
}

// New makes one.
func New() (*Authority, error) {
	a := &Authority{serial: 1}
	var err error
	if a.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	if a.leaf, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.serial), Subject: pkix.Name{CommonName: "DECNET SWARM Root CA", Organization: []string{"DECNET"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	a.cert, err = x509.ParseCertificate(der)
	return a, err
}

// Issue writes ca.crt, worker.crt and worker.key into a directory and gives the certificate's fingerprint.
func (a *Authority) Issue(dir, cn string) (fingerprint string, err error) {
	a.serial++
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(a.serial),
		Subject:   pkix.Name{CommonName: cn, Organization: []string{"DECNET"}, OrganizationalUnit: []string{"swarm-worker"}},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(0, 0, 825), BasicConstraintsValid: true, DNSNames: []string{cn},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, a.cert, &a.leaf.PublicKey, a.key)
	if err != nil {
		return "", err
	}
	key, err := x509.MarshalPKCS8PrivateKey(a.leaf)
	if err != nil {
		return "", err
	}
	err = errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "ca.crt"), a.pem, 0o600),
		os.WriteFile(filepath.Join(dir, "worker.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600),
		os.WriteFile(filepath.Join(dir, "worker.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), err
}
