package database

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
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
