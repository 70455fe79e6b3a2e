package database

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// secure decides on encryption. Encrypted always means verified, chain and name: require and verify-ca, which the usual
// clients do not check by name, are taken for verify-full. Without sslmode a PostgreSQL server on another machine is
// verified; a MySQL server is spoken to as DECNET speaks to it, in clear, unless a certificate authority is named.
func (t *target) secure(q url.Values) error {
	mode, root := q.Get("sslmode"), q.Get("sslrootcert")
	if mode == "" {
		mode = "disable"
		if root != "" || t.remote() && t.dialect == &postgresDialect {
			mode = "verify-full"
		}
	}
	switch mode {
	case "disable":
		return nil
	case "require", "verify-ca", "verify-full":
		if t.network == "unix" {
			return nil
		}
	default:
		return fmt.Errorf("database URL: sslmode %q; want verify-full or disable", mode)
	}
	var err error
	t.tls, err = verified(t.host, root, q.Get("sslcert"), q.Get("sslkey"))
	return err
}

// verified sets ServerName itself: pgdriver does not, and an empty one either fails or, with other settings, checks
// nothing.
func verified(server, root, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: server}
	if root != "" {
		pem, err := os.ReadFile(root)
		if err != nil {
			return nil, fmt.Errorf("database URL: read sslrootcert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("database URL: sslrootcert %q holds no certificate", root)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("database URL: read sslcert and sslkey: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// noTLS is what pgdriver says of a server that answers in clear; it has no type.
const noTLS = "pgdriver: SSL is not enabled on the server"

// isTLS says that err is about encryption or certificates.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &header) || errors.As(err, &alert) || errors.Is(err, mysql.ErrNoTLS) ||
		strings.Contains(err.Error(), noTLS)
}

// tlsKind tells what somebody must correct from what passes: certificates expire, and are renewed.
func tlsKind(err error) kind {
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		return kindAway
	}
	return kindTLS
}

// tlsRemedy says what to do about a connection that is not as safe as it has to be.
func tlsRemedy(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &name):
		return "name the server in the database URL as its certificate does"
	case errors.As(err, &authority):
		return "give the authority that signed the server's certificate: sslrootcert=FILE in the database URL"
	case isTLS(err) && tlsKind(err) == kindTLS && !errors.As(err, new(*tls.CertificateVerificationError)):
		return "the server does not speak TLS: switch it on there, or give sslmode=disable in the database URL if nobody else is on the way to it"
	}
	return "have the server's certificate renewed"
}
