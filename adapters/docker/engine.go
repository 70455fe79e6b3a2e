package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
)

// engine is all that an observer asks of a client of the engine; another client takes the place of Docker's by these
// four methods. Every call ends with ctx.
type engine interface {
	// Negotiate finds out which version of the API to speak. It comes first.
	Negotiate(ctx context.Context) error
	// Events subscribes; it returns once the engine has answered. The stream ends with ctx or with Close of the body.
	Events(ctx context.Context, since time.Time) (io.ReadCloser, error)
	// List opens the list of all containers, or of those with one of the ids.
	List(ctx context.Context, ids []string) (io.ReadCloser, error)
	// Close gives the connections back. Streams have been closed before.
	Close() error
}

// api is an engine reached through Docker's client: that one knows how to read DOCKER_HOST, to dial and to agree on
// a version. Bodies are read here, because the client's own types cost ten times the time and memory.
type api struct {
	client *client.Client
	http   *http.Client
	base   url.URL
}

// dial makes a client; it connects with the first call. A new one is made for every connection, so that another
// socket at the path and another version behind it are found.
func dial(host, certPath string) (engine, error) {
	opts := []client.Opt{client.WithHost(host), client.WithAPIVersionNegotiation()}
	scheme := "http"
	if certPath != "" {
		scheme = "https"
		opts = append(opts, client.WithTLSClientConfig(filepath.Join(certPath, "ca.pem"),
			filepath.Join(certPath, "cert.pem"), filepath.Join(certPath, "key.pem")))
	}
	c, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("make a client for docker at %q: %w", host, err)
	}
	where, err := client.ParseHostURL(c.DaemonHost())
	if err != nil {
		return nil, fmt.Errorf("parse docker host %q: %w", host, err)
	}
	base := url.URL{Scheme: scheme, Host: where.Host, Path: where.Path}
	if where.Scheme == "unix" {
		base.Host, base.Path = client.DummyHost, ""
	}
	return &api{client: c, http: c.HTTPClient(), base: base}, nil
}

// version is what an API version looks like; it becomes a part of every path.
var version = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}$`)

func (a *api) Negotiate(ctx context.Context) error {
	resp, err := a.get(ctx, "ask the engine for its version", "/_ping", nil)
	if err != nil {
		return err
	}
	drain(resp.Body)
	_ = resp.Body.Close() // it was only read
	v := resp.Header.Get("Api-Version")
	if v != "" && !version.MatchString(v) {
		return fmt.Errorf("ask the engine for its version: %q is none", printable(v))
	}
	a.client.NegotiateAPIVersionPing(types.Ping{APIVersion: v})
	return nil
}

func (a *api) Events(ctx context.Context, since time.Time) (io.ReadCloser, error) {
	args := filters.NewArgs(filters.Arg("type", "container"))
	for _, w := range wanted {
		args.Add("event", w)
	}
	q, err := query(args)
	if err != nil {
		return nil, err
	}
	if !since.IsZero() {
		q.Set("since", fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond()))
	}
	return a.body(ctx, "subscribe to events", "/events", q)
}

func (a *api) List(ctx context.Context, ids []string) (io.ReadCloser, error) {
	args := filters.NewArgs()
	for _, id := range ids {
		args.Add("id", id)
	}
	q, err := query(args)
	if err != nil {
		return nil, err
	}
	q.Set("all", "1")
	return a.body(ctx, "list the containers", "/containers/json", q)
}

func (a *api) Close() error { return a.client.Close() }

func query(args filters.Args) (url.Values, error) {
	q := url.Values{}
	if args.Len() == 0 {
		return q, nil
	}
	f, err := filters.ToJSON(args)
	if err != nil {
		return nil, fmt.Errorf("encode filters: %w", err)
	}
	q.Set("filters", f)
	return q, nil
}

func (a *api) body(ctx context.Context, what, path string, q url.Values) (io.ReadCloser, error) {
	resp, err := a.get(ctx, what, "/v"+a.client.ClientVersion()+path, q)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// get asks and accepts nothing but 200.
func (a *api) get(ctx context.Context, what, path string, q url.Values) (*http.Response, error) {
	u := a.base
	u.Path = strings.TrimSuffix(u.Path, "/") + path
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	resp, err := a.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if resp.StatusCode != http.StatusOK {
		text := complaint(resp.Body)
		drain(resp.Body)
		_ = resp.Body.Close() // it was only read
		return nil, &statusError{what: what, code: resp.StatusCode, text: text}
	}
	return resp, nil
}

// complaint reads what an engine says about a request it refused.
func complaint(body io.Reader) string {
	b, err := io.ReadAll(io.LimitReader(body, window))
	if err != nil {
		return "" // the status says enough
	}
	var m struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(b, &m) != nil {
		return printable(strconv.QuoteToASCII(string(b)))
	}
	return printable(m.Message)
}

// drain lets the connection be used again after the body is closed, where little is left to read.
func drain(body io.Reader) {
	_, _ = io.CopyN(io.Discard, body, window) // a failure only costs the connection
}
