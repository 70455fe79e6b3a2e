package database

import (
	"crypto/tls"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestURLsAreReadAsDecnetWritesThem(t *testing.T) {
	tests := map[string]struct {
		url  string
		want target
	}{
		"a file":                         {"sqlite:///opt/decnet/decnet.db", target{dialect: &sqliteDialect, where: "/opt/decnet/decnet.db", path: "/opt/decnet/decnet.db"}},
		"a file with SQLAlchemy's slash": {"sqlite+aiosqlite:////opt/a%20b/x.db", target{dialect: &sqliteDialect, where: "/opt/a b/x.db", path: "/opt/a b/x.db"}},
		"a driver and quote_plus": {"mysql+asyncmy://de+cnet:p%2B+w%40%2F%25@db:3307/decnet?charset=utf8mb4", target{dialect: &mysqlDialect,
			where: "mysql://db:3307/decnet", network: "tcp", addr: "db:3307", host: "db", user: "de cnet", password: "p+ w@/%", database: "decnet"}},
		"default port and host": {"mariadb://u@/decnet", target{dialect: &mysqlDialect, where: "mysql://localhost:3306/decnet",
			network: "tcp", addr: "localhost:3306", host: "localhost", user: "u", database: "decnet"}},
		"a bare at in the password": {"mysql://u:p@q@h/d", target{dialect: &mysqlDialect, where: "mysql://h:3306/d", network: "tcp",
			addr: "h:3306", host: "h", user: "u", password: "p@q", database: "d"}},
		"IPv6": {"postgresql://u:p@[::1]/d", target{dialect: &postgresDialect, where: "postgres://[::1]:5432/d", network: "tcp",
			addr: "[::1]:5432", host: "::1", user: "u", password: "p", database: "d"}},
		"PostgreSQL's socket": {"postgres://u@/d?host=/run/pg", target{dialect: &postgresDialect, where: "postgres:///run/pg/.s.PGSQL.5432/d",
			network: "unix", addr: "/run/pg/.s.PGSQL.5432", host: "localhost", user: "u", database: "d"}},
		"MySQL's socket": {"mysql://u@localhost/d?unix_socket=/run/m.sock", target{dialect: &mysqlDialect, where: "mysql:///run/m.sock/d",
			network: "unix", addr: "/run/m.sock", host: "localhost", user: "u", database: "d"}},
		"clear text if asked for": {"postgres://u@db/d?sslmode=disable", target{dialect: &postgresDialect, where: "postgres://db:5432/d",
			network: "tcp", addr: "db:5432", host: "db", user: "u", database: "d"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parseURL(tt.url)
			if err != nil || got != tt.want {
				t.Errorf("have %+v (%v)\nwant %+v", got, err, tt.want)
			}
			if err := connectable(got); err != nil {
				t.Error(err)
			}
		})
	}
}

// connectable builds both pools; they do not dial.
func connectable(t target) error {
	for _, open := range []opener{t.dialect.writer, t.dialect.reader} {
		db, err := open(t, defaultTimeout)
		if err != nil {
			return err
		}
		if err := db.Close(); err != nil {
			return err
		}
	}
	return nil
}

func TestBadURLsAreRefusedWithoutShowingThePassword(t *testing.T) {
	for _, url := range []string{"", "decnet.db", "oracle://u:s3cret@h/d", "sqlite://rel.db", "sqlite:///", "sqlite:///a.db?mode=rwc", "sqlite:///a%00b",
		"mysql://u:s3cret@h", "mysql://u:s3cret@h/", "mysql://u:s3cret@h/a/b", "mysql://u:s3cret%zz@h/d", "mysql://u:s3cret@h:port/d",
		"mysql://u:s3cret/x@h/d", "postgres://u:s3cret@h/d?sslmode=prefer", "postgres://u:s3cret@h/d?sslrootcert=/nowhere", "postgres://u:s3cret@h/d?options=x",
		"postgres://u:s3cret@h/d?host=elsewhere", "postgres://u:s3cret@h/d?sslcert=/nowhere"} {
		_, err := Open(Config{URL: url, HostUUID: "local", Digest: wholeDigest, Now: nil})
		if err == nil {
			t.Errorf("%q: no error without a clock", url)
		}
		if _, err := parseURL(url); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: error %v", url, err)
		}
	}
}

func TestEncryptedMeansVerified(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	root := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(root, block, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		url  string
		want bool
	}{
		"PostgreSQL elsewhere by default": {"postgres://u@db.example/d", true},
		"require means verify-full":       {"postgres://u@db.example/d?sslmode=require", true},
		"verify-ca means verify-full":     {"mysql://u@db.example/d?sslmode=verify-ca", true},
		"a named authority":               {"mysql://u@db.example/d?sslrootcert=" + root, true},
		"PostgreSQL on this machine":      {"postgres://u@127.0.0.1/d", false},
		"MySQL as DECNET speaks to it":    {"mysql://u@db.example/d", false},
		"a socket needs none":             {"postgres://u@db.example/d?host=/run/pg&sslmode=verify-full", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseURL(tt.url)
			if err != nil || (got.tls != nil) != tt.want {
				t.Fatalf("%+v (%v)", got.tls, err)
			}
			if got.tls != nil && (got.tls.ServerName != "db.example" || got.tls.InsecureSkipVerify || got.tls.MinVersion < tls.VersionTLS12) {
				t.Errorf("%+v", got.tls)
			}
			if (got.tls != nil) != (got.tls != nil && (got.tls.RootCAs != nil) == strings.Contains(tt.url, root)) {
				t.Error("the authority is not the one named")
			}
		})
	}
}

func TestConfigurationIsCheckedWhenOpened(t *testing.T) {
	w := &world{t: t, path: "/x.db"}
	for name, change := range map[string]func(*Config){
		"an empty host id means all hosts to DECNET": func(c *Config) { c.HostUUID = "" },
		"without a digest":                           func(c *Config) { c.Digest = nil },
		"a server is never ours":                     func(c *Config) { c.Own, c.URL = true, "mysql://h/d" },
	} {
		cfg := w.config()
		change(&cfg)
		if _, err := Open(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
