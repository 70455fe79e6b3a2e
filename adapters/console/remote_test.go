package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/messages"
)

// clock is ahead of the true one.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// authority signs certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{}
	a.cert, a.key = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate for a day; without an authority it signs itself.
func (a *authority) sign(t *testing.T, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(24 * time.Hour)
	}
	c.NotBefore = c.NotAfter.Add(-48 * time.Hour)
	by, with := a.cert, a.key
	if by == nil {
		by, with = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by, &key.PublicKey, with)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out, key
}

// client makes a client's certificate.
func (a *authority) client(t *testing.T, c x509.Certificate) *tls.Certificate {
	t.Helper()
	if c.ExtKeyUsage == nil {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	cert, key := a.sign(t, &c)
	return &tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// unit is a certificate of somebody in an organizational unit.
func unit(name string, units ...string) x509.Certificate {
	return x509.Certificate{Subject: pkix.Name{CommonName: name, OrganizationalUnit: units}}
}

func roleURI(t *testing.T, role string) x509.Certificate {
	t.Helper()
	u, err := url.Parse("urn:decnet-fleetd:role:" + role)
	if err != nil {
		t.Fatal(err)
	}
	return x509.Certificate{Subject: pkix.Name{CommonName: "carol"}, URIs: []*url.URL{u}}
}

// write puts PEM into a file.
func write(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files puts a server's certificate, its key and the clients' authority into a directory.
func files(t *testing.T, dir string, server, clients *authority, names ...string) Remote {
	t.Helper()
	cert, key := server.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "fleet"}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	r := Remote{Addr: "127.0.0.1:0", Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem")}
	write(t, r.Cert, "CERTIFICATE", cert.Raw)
	write(t, r.Key, "PRIVATE KEY", der)
	write(t, r.ClientCA, "CERTIFICATE", clients.cert.Raw)
	return r
}

// far is a console that other hosts use.
type far struct {
	addr   string
	roots  *x509.CertPool
	remote Remote
	audit  *book
	log    *buffer
	feed   *Feed
}

func startRemote(t *testing.T, server, clients *authority, change func(*Config)) *far {
	t.Helper()
	f := &far{roots: x509.NewCertPool(), remote: files(t, t.TempDir(), server, clients, "fleet.example"), audit: &book{}, log: &buffer{}, feed: NewFeed(8, 0)}
	f.roots.AddCert(server.cert)
	ctx, cancel := context.WithCancel(context.Background())
	cfg := Config{Path: filepath.Join(t.TempDir(), "control.sock"), Feed: f.feed, Node: "local", Now: time.Now, Backend: &fleet{}, Audit: f.audit, Remote: &f.remote}
	if change != nil {
		change(&cfg)
	}
	s, err := Listen(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.ListenRemote(ctx)
	if err != nil {
		t.Fatal(err)
	}
	f.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- s.ServeRemote(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, s.Close()); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return f
}

// as is a client that shows a certificate; nil: none.
func (f *far) as(t *testing.T, c *tls.Certificate) *http.Client {
	t.Helper()
	conf := &tls.Config{RootCAs: f.roots, MinVersion: tls.VersionTLS12}
	if c != nil {
		conf.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c, nil } // also one the server does not ask for
	}
	tr := &http.Transport{TLSClientConfig: conf, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// ask gives the status and text of an answer, or what became of the connection.
func (f *far) ask(t *testing.T, c *http.Client, method, path string, set func(*http.Request)) (int, string, error) {
	t.Helper()
	r := request(t, method, path, "")
	r.URL.Scheme, r.URL.Host, r.Host = "https", f.addr, f.addr
	if set != nil {
		set(r)
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer closed(t, resp.Body)
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

func TestNobodyGetsAnAnswerWithoutACertificateOfTheClientAuthority(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	f := startRemote(t, server, clients, nil)
	ended := unit("late", "decnet-admin")
	ended.NotAfter = time.Now().Add(-time.Minute)
	wrongUse := unit("server", "decnet-admin")
	wrongUse.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for name, cert := range map[string]*tls.Certificate{
		"no certificate":         nil,
		"another authority":      newAuthority(t, "clients").client(t, unit("mallory", "decnet-admin")),
		"the server's authority": server.client(t, unit("mallory", "decnet-admin")),
		"signed by itself":       new(authority).client(t, unit("mallory", "decnet-admin")),
		"one that has ended":     clients.client(t, ended),
		"one for servers":        clients.client(t, wrongUse),
	} {
		if code, text, err := f.ask(t, f.as(t, cert), "GET", "/healthz", nil); err == nil {
			t.Errorf("%s: %d %s", name, code, text)
		}
	}
	good := clients.client(t, unit("alice", "decnet-admin"))
	old := f.as(t, good)
	old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
	if _, _, err := f.ask(t, old, "GET", "/healthz", nil); err == nil {
		t.Error("TLS 1.2 is answered")
	}
	plain, err := http.Get("http://" + f.addr + "/healthz")
	if err == nil {
		defer closed(t, plain.Body)
		if plain.StatusCode == 200 {
			t.Error("plain HTTP is answered")
		}
	}
	if code, text, err := f.ask(t, f.as(t, good), "GET", "/healthz", nil); err != nil || code != 200 {
		t.Errorf("the right one: %d %s %v", code, text, err)
	}
}

func TestACertificateGivesTheRoleItNames(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	f := startRemote(t, server, clients, nil)
	for name, tt := range map[string]struct {
		cert                  x509.Certificate
		role                  string
		look, act, lookWithin int
	}{
		"no unit":                      {unit("eve"), "", 403, 403, 403},
		"a worker of DECNET":           {unit("worker-1", "swarm-worker"), "", 403, 403, 403},
		"a unit that is nearly ours":   {unit("eve", "decnet-ops "), "", 403, 403, 403},
		"a reader":                     {unit("rita", "decnet"), "read-only", 200, 403, 403},
		"an operator":                  {unit("oscar", "decnet-ops"), "operator", 200, 200, 403},
		"an admin":                     {unit("alice", "decnet-admin"), "admin", 200, 200, 200},
		"two units":                    {unit("otto", "decnet", "decnet-ops"), "operator", 200, 200, 403},
		"a reader by URI":              {roleURI(t, "read-only"), "read-only", 200, 403, 403},
		"an operator by URI":           {roleURI(t, "operator"), "operator", 200, 200, 403},
		"an admin by URI":              {roleURI(t, "admin"), "admin", 200, 200, 200},
		"a role that is not ours":      {roleURI(t, "root"), "", 403, 403, 403},
		"a common name that is a role": {unit("decnet-admin"), "", 403, 403, 403},
	} {
		c := f.as(t, clients.client(t, tt.cert))
		code, text, err := f.ask(t, c, "GET", "/v1/whoami", nil)
		if err != nil || code != tt.look || code == 200 && (!strings.Contains(text, `"role":"`+tt.role+`"`) || !strings.Contains(text, `"uid":-1`)) {
			t.Errorf("%s looks: %d %s %v", name, code, text, err)
		}
		if code, text, err = f.ask(t, c, "POST", "/v1/reconcile", nil); err != nil || code != tt.act {
			t.Errorf("%s acts: %d %s %v", name, code, text, err)
		}
		if code, text, err = f.ask(t, c, "GET", "/v1/debug/goroutines", nil); err != nil || code != tt.lookWithin {
			t.Errorf("%s looks within: %d %.60s %v", name, code, text, err)
		}
	}
}

func TestTheAuditNamesTheCertificate(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	f := startRemote(t, server, clients, nil)
	if code, text, err := f.ask(t, f.as(t, clients.client(t, unit("oscar", "decnet-ops"))), "POST", "/v1/reconcile", nil); err != nil || code != 200 {
		t.Fatal(code, text, err)
	}
	all := f.audit.Entries()
	if len(all) != 1 || all[0].UID != -1 || !strings.HasPrefix(all[0].User, "oscar (certificate ") || all[0].Role != "operator" {
		t.Errorf("%+v", all)
	}
}

func TestTheConsoleOfOtherHostsIsReachedByItsOwnNamesOnly(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	f := startRemote(t, server, clients, nil)
	c := f.as(t, clients.client(t, unit("oscar", "decnet-ops")))
	header := func(k, v string) func(*http.Request) { return func(r *http.Request) { r.Header.Set(k, v) } }
	for name, tt := range map[string]struct {
		method string
		set    func(*http.Request)
		want   int
	}{
		"by its address":           {"GET", nil, 200},
		"by its name":              {"GET", func(r *http.Request) { r.Host = "fleet.example:8844" }, 200},
		"by another name":          {"GET", func(r *http.Request) { r.Host = "evil.example" }, 403},
		"by a name of the socket":  {"GET", func(r *http.Request) { r.Host = "localhost" }, 403},
		"from its own page":        {"POST", header("Origin", "https://"+f.addr), 200},
		"from another site":        {"POST", header("Origin", "https://evil.example"), 403},
		"from its page in clear":   {"POST", header("Origin", "http://"+f.addr), 403},
		"from an opaque origin":    {"POST", header("Origin", "null"), 403},
		"embedded by another site": {"GET", header("Sec-Fetch-Site", "cross-site"), 403},
		"sent by another site": {"POST", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 403},
		"linked by another site": {"GET", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 200},
	} {
		path := map[string]string{"GET": "/v1/status", "POST": "/v1/reconcile"}[tt.method]
		if code, text, err := f.ask(t, c, tt.method, path, tt.set); err != nil || code != tt.want {
			t.Errorf("%s: %d %s %v, want %d", name, code, text, err, tt.want)
		}
	}
}

func TestRenewedCertificatesAreUsedAndBrokenOnesAreNot(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	log, at := &buffer{}, &clock{}
	f := startRemote(t, server, clients, func(c *Config) { c.Now = at.now; c.Log = zerolog.New(log) })
	good := clients.client(t, unit("alice", "decnet"))
	renewed := newAuthority(t, "renewed")
	f.roots.AddCert(renewed.cert)
	served := func() (string, error) {
		conn, err := tls.Dial("tcp", f.addr, &tls.Config{RootCAs: f.roots, Certificates: []tls.Certificate{*good}})
		if err != nil {
			return "", err
		}
		defer closed(t, conn)
		return conn.ConnectionState().PeerCertificates[0].Issuer.CommonName, nil
	}
	steps := []struct {
		what string
		do   func()
		want string
	}{
		{"at first", func() {}, "servers"},
		{"a file that is torn", func() { write(t, f.remote.Cert, "CERTIFICATE", []byte("torn")) }, "servers"},
		{"a renewed pair", func() { files(t, filepath.Dir(f.remote.Cert), renewed, clients) }, "renewed"},
	}
	for _, s := range steps {
		s.do()
		at.forward(2 * lookPEM)
		if got, err := served(); err != nil || got != s.want {
			t.Errorf("%s: served by %q, %v, want %q", s.what, got, err, s.want)
		}
	}
	if !strings.Contains(log.String(), "keeps the certificates it has") {
		t.Errorf("the log says nothing of the torn file: %s", log)
	}
}

func TestAStreamEndsWithTheCertificateOfItsReader(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	at := &clock{}
	f := startRemote(t, server, clients, func(c *Config) { c.Now = at.now })
	brief := unit("brief", "decnet")
	brief.NotAfter = time.Now().Add(time.Hour).Truncate(time.Second) // certificates have whole seconds
	at.forward(time.Until(brief.NotAfter) - 500*time.Millisecond)
	c := f.as(t, clients.client(t, brief))
	c.Timeout = 5 * time.Second // should it not end
	r := request(t, "GET", "/v1/stream", "")
	r.URL.Scheme, r.URL.Host, r.Host = "https", f.addr, f.addr
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, resp.Body)
	f.feed.Append(messages.Event{Type: "inserted", Target: "decky-01"})
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "decky-01") {
		t.Errorf("%q, %v", text, err)
	}
	if at.now().Before(brief.NotAfter) {
		t.Error("it ended before its reader's certificate")
	}
}

func TestFilesThatDoNotFitAreRefusedAtTheStart(t *testing.T) {
	server, clients := newAuthority(t, "servers"), newAuthority(t, "clients")
	other := files(t, t.TempDir(), server, clients)
	for name, change := range map[string]func(r *Remote){
		"no certificate": func(r *Remote) { r.Cert += ".gone" },
		"another's key":  func(r *Remote) { r.Key = other.Key },
		"no authority":   func(r *Remote) { r.ClientCA = r.Key },
		"a directory":    func(r *Remote) { r.ClientCA = filepath.Dir(r.Cert) },
	} {
		r := files(t, t.TempDir(), server, clients)
		change(&r)
		_, err := Listen(t.Context(), Config{Path: filepath.Join(t.TempDir(), "s"), Feed: NewFeed(8, 0), Now: time.Now, Backend: &fleet{}, Remote: &r})
		if _, err2 := r.Read(); err == nil || err2 == nil || !strings.Contains(err.Error(), filepath.Dir(r.Cert)) {
			t.Errorf("%s: %v, %v", name, err, err2)
		}
	}
}
