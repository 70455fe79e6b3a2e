package fabric

import (
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// What DECNET writes into certificates.
const (
	organization = "DECNET"
	workerUnit   = "swarm-worker"
	masterName   = "decnet-master" // CN and DNS name of the master's identity; no other certificate has both
	swarmctlName = "swarmctl"
	updaterMark  = "updater@"
)

// judgeWorker says why a certificate is no worker's: "" if it may be one. Whether it is enrolled is another question.
func judgeWorker(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) (reason, detail string) {
	if len(chain) == 0 {
		return messages.RefusedNoCertificate, "it showed no certificate"
	}
	leaf := chain[0]
	if err := verify(chain, roots, now, x509.ExtKeyUsageClientAuth); err != nil {
		return chainReason(leaf, now, err), err.Error()
	}
	return roleOf(leaf)
}

// roleOf says why a certificate's subject is no worker's.
func roleOf(leaf *x509.Certificate) (reason, detail string) {
	cn, s := leaf.Subject.CommonName, leaf.Subject
	switch {
	case strings.HasPrefix(cn, updaterMark):
		return messages.RefusedUpdater, "an updater's certificate speaks for no host"
	case cn == masterName || cn == swarmctlName:
		return messages.RefusedMaster, "a master's certificate speaks for no worker"
	case !slices.Contains(s.Organization, organization) || !slices.Contains(s.OrganizationalUnit, workerUnit):
		return messages.RefusedRole, "its subject is not O=DECNET, OU=swarm-worker"
	}
	return "", ""
}

// judgeHub says why a certificate is not our hub's. With a pinned fingerprint its name does not matter. Without one it
// must be the master's by name: every worker's certificate names the address that workers connect to, so the address
// proves nothing.
func judgeHub(chain []*x509.Certificate, roots *x509.CertPool, now time.Time, pinned string) error {
	leaf := chain[0]
	if err := verify(chain, roots, now, x509.ExtKeyUsageServerAuth); err != nil {
		return &hubFault{cert: leaf, reason: chainReason(leaf, now, err), why: err.Error()}
	}
	switch {
	case pinned != "" && Fingerprint(leaf) != pinned:
		return &hubFault{cert: leaf, reason: hubOtherPin, why: "its fingerprint is " + Fingerprint(leaf)}
	case pinned == "" && (leaf.Subject.CommonName != masterName || leaf.VerifyHostname(masterName) != nil):
		return &hubFault{cert: leaf, reason: hubOtherName, why: "it is the certificate of " + quoted(leaf.Subject.CommonName)}
	}
	return nil
}

// Reasons of a hubFault beyond those of a Refusal.
const (
	hubOtherPin  = "other-fingerprint"
	hubOtherName = "other-name"
)

// hubFault says that who answers is not our hub.
type hubFault struct {
	cert        *x509.Certificate
	reason, why string
}

// Error implements error.
func (f *hubFault) Error() string { return "fabric: the hub's certificate: " + f.why }

func verify(chain []*x509.Certificate, roots *x509.CertPool, now time.Time, usage x509.ExtKeyUsage) error {
	inter := x509.NewCertPool()
	for _, c := range chain[1:] {
		inter.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	return err
}

func chainReason(leaf *x509.Certificate, now time.Time, err error) string {
	var invalid x509.CertificateInvalidError
	if !errors.As(err, &invalid) {
		return messages.RefusedAuthority
	}
	switch {
	case invalid.Reason == x509.Expired && now.Before(leaf.NotBefore):
		return messages.RefusedNotYetValid
	case invalid.Reason == x509.Expired:
		return messages.RefusedExpired
	case invalid.Reason == x509.IncompatibleUsage:
		return messages.RefusedUsage
	}
	return messages.RefusedAuthority
}

// quoted makes a text from a certificate fit for a log line.
func quoted(s string) string {
	if len(s) > 128 {
		s = s[:128]
	}
	return strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' {
			return '?'
		}
		return r
	}, s), "?")
}
