package fabric

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// material is what Files hold: a pair, and whom to believe. It is never changed.
type material struct {
	pair  tls.Certificate // with its Leaf
	roots *x509.CertPool
}

// Fingerprint is DECNET's: lowercase hex SHA-256 of the DER.
func Fingerprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// maxPEM bounds one file, in bytes. Source: DECNET's largest, an RSA-4096 certificate, has 2 KB.
const maxPEM = 1 << 20

// load reads the three files. A certificate that has expired is read like any other: whoever sees it says so. The error
// is a messages.Fault.
func (f Files) load() (*material, error) {
	var texts [3][]byte
	for i, path := range []string{f.CA, f.Cert, f.Key} {
		var err error
		if texts[i], err = readPEM(path); err != nil {
			return nil, messages.Fault{Where: path, What: err.Error(), Remedy: "give the directory that DECNET's enrolment wrote, readable by this daemon"}
		}
	}
	m := &material{roots: x509.NewCertPool()}
	if !m.roots.AppendCertsFromPEM(texts[0]) {
		return nil, messages.Fault{Where: f.CA, What: "holds no certificate", Remedy: "copy ca.crt from the master's ~/.decnet/ca"}
	}
	var err error
	if m.pair, err = tls.X509KeyPair(texts[1], texts[2]); err != nil {
		return nil, messages.Fault{Where: f.Cert, What: "is no pair with " + f.Key + ": " + err.Error(), Remedy: "take both from the same enrolment"}
	}
	if err := m.signed(); err != nil {
		return nil, messages.Fault{Where: f.Cert, What: "is not signed by " + f.CA + ": " + err.Error(), Remedy: "take all three files from the same enrolment"}
	}
	return m, nil
}

// signed checks the chain as of the certificate's own last day: whether it has expired is not asked here.
func (m *material) signed() error {
	inter := x509.NewCertPool()
	for _, der := range m.pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			inter.AddCert(c)
		}
	}
	_, err := m.pair.Leaf.Verify(x509.VerifyOptions{Roots: m.roots, Intermediates: inter, CurrentTime: m.pair.Leaf.NotAfter,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return nil // the authority ends first; the other side says what it thinks of that
	}
	return err
}

func readPEM(path string) (text []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, errors.New("is no regular file"))
	}
	text, err = io.ReadAll(io.LimitReader(file, maxPEM+1))
	if err == nil && len(text) > maxPEM {
		err = errors.New("is larger than 1 MiB")
	}
	return text, err
}

// shelf keeps the files' newest readable content. current may be asked from any goroutine, look is called by one.
type shelf struct {
	files   Files
	now     atomic.Pointer[material] // nil: never read
	stamped [3]stamp
	fault   *messages.Fault // of the last look
	told    bool            // somebody knows of the fault
}

type stamp struct {
	size  int64
	mtime time.Time
	mode  os.FileMode
}

func (s *shelf) current() *material { return s.now.Load() }

// seen is what a look at the files brought.
type seen struct {
	changed bool            // there is new material
	healed  bool            // a fault that was told is over
	fault   *messages.Fault // to tell
}

// look reads the files if they changed. A fault is told from the second look on that sees it: three files are not
// replaced in one moment.
func (s *shelf) look() (found seen) {
	stamps := s.stamps()
	if stamps == s.stamped && s.fault == nil {
		return found
	}
	repeated := stamps == s.stamped
	s.stamped = stamps
	m, err := s.files.load()
	if err != nil {
		var f messages.Fault
		errors.As(err, &f)
		s.fault = &f
		if repeated && !s.told {
			s.told, found.fault = true, &f
		}
		return found
	}
	old := s.now.Swap(m)
	found.healed = s.told
	s.fault, s.told = nil, false
	found.changed = old == nil || Fingerprint(old.pair.Leaf) != Fingerprint(m.pair.Leaf) || !old.roots.Equal(m.roots)
	return found
}

func (s *shelf) stamps() (out [3]stamp) {
	for i, path := range []string{s.files.CA, s.files.Cert, s.files.Key} {
		if info, err := os.Stat(path); err == nil {
			out[i] = stamp{info.Size(), info.ModTime(), info.Mode()}
		}
	}
	return out
}
