package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxReply bounds what the client reads. Chosen: twice the list of 65,536 deckies, the most a state file may have.
const maxReply = 128 << 20

// Error is a request that failed.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Error gives the message; the hint is shown apart.
func (e *Error) Error() string { return e.Message }

// Client talks to the daemon at one socket. Its errors are *Error. Safe from any goroutine.
type Client struct {
	socket  string
	timeout time.Duration
	http    *http.Client
	via     string // the face, for the audit
	node    string // the host whose API is asked, over that of the socket; "" is the socket's own
}

// NewClient connects to nothing yet. timeout bounds each request but a pass and a stream; 0 means 10 s.
func NewClient(socket string, timeout time.Duration) *Client {
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, timeout: timeout, http: &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close gives idle connections up.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks for the status of the host.
func (c *Client) Status(ctx context.Context) (StatusReply, error) {
	return get[StatusReply](ctx, c, "/v1/status", nil)
}

// Deckies lists the deckies a pattern selects; "" selects all.
func (c *Client) Deckies(ctx context.Context, pattern string) (DeckyList, error) {
	return get[DeckyList](ctx, c, "/v1/deckies", url.Values{"filter": {Quoted(pattern)}})
}

// Decky asks for one decky by {host_uuid}:{name}.
func (c *Client) Decky(ctx context.Context, id string) (DeckyReply, error) {
	return get[DeckyReply](ctx, c, "/v1/deckies/"+url.PathEscape(id), nil)
}

// Events asks for a page of events.
func (c *Client) Events(ctx context.Context, q Query) (EventList, error) {
	return get[EventList](ctx, c, "/v1/events", q.values())
}

// Reconcile has the daemon read every source again and waits for the end of the pass.
func (c *Client) Reconcile(ctx context.Context, dryRun bool) (messages.PassReport, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, passWait+writeWait))
	defer cancel()
	body, err := json.Marshal(PassRequest{DryRun: dryRun})
	if err != nil {
		return messages.PassReport{}, err
	}
	r, err := do[PassReply](ctx, c, http.MethodPost, "/v1/reconcile", body)
	return r.PassReport, err
}

func (q Query) values() url.Values {
	v := url.Values{}
	if q.Since >= 0 {
		v.Set("since", strconv.FormatInt(q.Since, 10))
	}
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Type != "" {
		v.Set("type", q.Type)
	}
	if q.Target != "" {
		v.Set("target", q.Target)
	}
	if !q.NotBefore.IsZero() {
		v.Set("not_before", q.NotBefore.UTC().Format(time.RFC3339Nano))
	}
	return v
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return do[T](ctx, c, http.MethodGet, path, nil)
}

func do[T any](ctx context.Context, c *Client, method, path string, body []byte) (T, error) {
	return doCall[T](ctx, c, call{method: method, path: path, body: body, accept: "application/json"})
}

// call is one request.
type call struct {
	method, path string
	body         []byte
	accept       string
	key          string // it is done once even if it is sent twice; "" for what changes nothing
}

func doCall[T any](ctx context.Context, c *Client, x call) (T, error) {
	var v T
	resp, err := c.sendCall(ctx, x)
	if err != nil {
		return v, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	d := json.NewDecoder(io.LimitReader(resp.Body, maxReply))
	if err := d.Decode(&v); err != nil {
		if ctx.Err() != nil {
			return v, c.failed(ctx, ctx.Err())
		}
		return v, &Error{Internal, fmt.Sprintf("the answer of %q cannot be read: %v", c.socket, err), "is it decnet-fleetd that listens there?"}
	}
	return v, nil
}

// send returns a response with status 200.
func (c *Client) send(ctx context.Context, method, path string, body []byte, accept string) (*http.Response, error) {
	return c.sendCall(ctx, call{method: method, path: path, body: body, accept: accept})
}

func (c *Client) sendCall(ctx context.Context, x call) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, x.method, "http://localhost"+c.pathAt(x.path), bytes.NewReader(x.body))
	if err != nil {
		return nil, &Error{BadRequest, err.Error(), ""}
	}
	req.Header.Set("Accept", x.accept)
	if c.via != "" {
		req.Header.Set(viaHeader, c.via)
	}
	if x.key != "" {
		req.Header.Set("Idempotency-Key", x.key)
	}
	if len(x.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer func() { _ = resp.Body.Close() }() // it was only read
		return nil, c.refused(resp)
	}
	return resp, nil
}

// refused reads a problem document.
func (c *Client) refused(resp *http.Response) error {
	var p problem
	err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&p)
	if err != nil || p.Code == "" {
		return &Error{Internal, fmt.Sprintf("%q answers %s", c.socket, resp.Status), "is it decnet-fleetd that listens there?"}
	}
	return &Error{p.Code, p.Detail, p.Hint}
}

// failed sorts the ways in which no answer came.
func (c *Client) failed(ctx context.Context, err error) error {
	at := strconv.Quote(c.socket)
	var e net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		return &Error{Permission, "no permission to open the control socket " + at, "join its group (usermod -aG decnet USER, then log in again) or use sudo"}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR):
		return &Error{NotReachable, "no daemon answers at the control socket " + at,
			"start it (systemctl start decnet-fleetd, or decnet-fleetd serve), or name its socket with --control-socket"}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &e) && e.Timeout():
		return &Error{Timeout, "no answer from " + at + " in time", "its log says what it waits for; --timeout waits longer"}
	}
	return &Error{NotReachable, fmt.Sprintf("the control socket %s gave no answer: %v", at, err), "the daemon may be stopping; try again"}
}
