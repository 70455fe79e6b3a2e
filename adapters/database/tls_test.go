package database

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"
)

// encrypted is the URL of a world's database with another host and these options.
func (w *world) encrypted(host, options string) string {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	u.Host, u.RawQuery = net.JoinHostPort(host, u.Port()), options
	return u.String()
}

// TestServersAreVerified: the certificate of services.sh is for localhost.
func TestServersAreVerified(t *testing.T) {
	onServers(t, func(t *testing.T, s site) {
		w := newWorld(t, s)
		ca := "&sslrootcert=" + service(t, map[string]string{"postgres": "IT_PG_CA", "mysql": "IT_MYSQL_CA"}[s.name])
		tests := map[string]struct{ host, options, said string }{
			"as it is named":                            {"localhost", "sslmode=verify-full" + ca, ""},
			"the authority alone means verified":        {"localhost", ca[1:], ""},
			"a wrong name":                              {"127.0.0.1", "sslmode=verify-full" + ca, "name the server in the database URL as its certificate does"},
			"a wrong name with the lax sslmode":         {"127.0.0.1", "sslmode=require" + ca, "name the server in the database URL as its certificate does"},
			"a wrong name where only the CA was to be":  {"127.0.0.1", "sslmode=verify-ca" + ca, "name the server in the database URL as its certificate does"},
			"an authority that nobody here knows":       {"localhost", "sslmode=verify-full", "sslrootcert=FILE"},
			"an unknown authority with the lax sslmode": {"localhost", "sslmode=require", "sslrootcert=FILE"},
		}
		for name, tt := range tests {
			db := w.openDB(func(c *Config) { c.URL = w.encrypted(tt.host, tt.options) })
			err := db.Check(t.Context())
			switch {
			case tt.said == "" && err != nil:
				t.Errorf("%s: %v", name, err)
			case tt.said == "":
				w.isEncrypted(db)
			case err == nil || Retryable(err) || !strings.Contains(err.Error(), tt.said) || strings.Contains(err.Error(), w.account()+":"):
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// isEncrypted asks the server.
func (w *world) isEncrypted(db *DB) {
	w.t.Helper()
	p, err := db.pools(false)
	if err != nil {
		w.t.Fatal(err)
	}
	query := "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
	if w.at.name == onMySQL.name {
		query = "SELECT variable_value <> '' FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'"
	}
	for _, pool := range []querier{p.writer, p.reader} {
		var is bool
		err := db.each(w.t.Context(), pool, func(rows *sql.Rows) error { return rows.Scan(&is) }, query)
		if err != nil || !is {
			w.t.Errorf("the connection is in clear (%v)", err)
		}
	}
}

func TestAServerWithoutTLSIsNeverSpokenToInClear(t *testing.T) {
	for scheme, answer := range map[string]func(net.Conn){"postgres": refusesSSL, "mysql": greetsWithoutSSL} {
		t.Run(scheme, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			heard := make(chan string, 100)
			done := make(chan struct{})
			go func() {
				defer close(done)
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					answer(c)
					_ = c.SetReadDeadline(time.Now().Add(patience))
					rest, _ := bufio.NewReader(c).ReadString(0xff) // all of it: the client hangs up
					heard <- rest
					_ = c.Close()
				}
			}()
			t.Cleanup(func() { _ = l.Close(); <-done })
			w := &world{t: t, url: fmt.Sprintf("%s://someone:s3cret@%s/d?sslmode=verify-full", scheme, l.Addr()), now: start}
			err = w.openDB().Check(t.Context())
			if err == nil || Retryable(err) || !strings.Contains(err.Error(), "does not speak TLS") {
				t.Errorf("error %v", err)
			}
			if rest := <-heard; rest != "" {
				t.Errorf("it was told %q", rest)
			}
		})
	}
}

func refusesSSL(c net.Conn) {
	_, _ = bufio.NewReader(c).Discard(8) // SSLRequest
	_, _ = c.Write([]byte("N"))
}

// greetsWithoutSSL is a handshake of protocol 10 with all capabilities but CLIENT_SSL (0x800).
func greetsWithoutSSL(c net.Conn) {
	body := append([]byte("\x0a10.11.0\x00\x01\x00\x00\x0012345678\x00"), 0xff, 0xf7, 0x2d, 0x02, 0x00, 0xff, 0x81, 21)
	body = append(body, make([]byte, 10)...)
	body = append(body, "123456789012\x00mysql_native_password\x00"...)
	_, _ = c.Write(append([]byte{byte(len(body)), 0, 0, 0}, body...))
}

func TestAnExpiredCertificateIsAnOutage(t *testing.T) {
	expired := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}
	db := &DB{at: target{dialect: &postgresDialect, where: "postgres://db/d", network: "tcp"}, d: &postgresDialect}
	err := db.explain("connect", fmt.Errorf("pgdriver: TLS handshake failed: %w", expired))
	if !Retryable(err) || !strings.Contains(err.Error(), "renewed") {
		t.Errorf("error %v", err)
	}
}
