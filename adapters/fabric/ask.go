package fabric

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of proxied requests.
const (
	// maxRequest bounds a request's body, in bytes, and what a part carries. Source: the console's largest request is a
	// list of names.
	maxRequest = 256 << 10
	// maxCalls is how many requests to one worker may be open. Source: the console's streams to one host are bounded by 32.
	maxCalls = 32
	// window is how many parts of an answer may be on their way. Source: 8 of 32 KiB fill a LAN; 32 calls × 8 stay below
	// the burst a worker may send.
	window = 8
)

// What of a request's and an answer's headers crosses the fabric. No cookie, no place to go to, nothing that tells a
// browser what to run: a compromised worker may lie about itself only.
var (
	requestHeaders = []string{"Accept", "Content-Type", "If-None-Match", "Last-Event-Id"}
	answerHeaders  = []string{"Allow", "Cache-Control", "Content-Disposition", "Content-Type", "Etag", "Retry-After"}
	answerTypes    = []string{"application/json", "application/jsonl", "application/problem+json", "application/octet-stream", "text/event-stream", "text/plain"}
)

// Do asks a worker's console on behalf of a user. The path begins with /v1. The body of the answer is a stream: it must
// be closed, ends when ctx does, and breaks with ErrAway when the worker goes.
func (h *Hub) Do(ctx context.Context, hostUUID string, who messages.Asker, r *http.Request) (*http.Response, error) {
	l, err := h.reach(hostUUID)
	if err != nil {
		return nil, err
	}
	path := r.URL.RequestURI()
	if path != "/v1" && !strings.HasPrefix(path, "/v1/") {
		return nil, errors.New("fabric: only /v1 is asked for at another host")
	}
	body, err := requestBody(r)
	if err != nil {
		return nil, err
	}
	id, c, err := l.calls.begin()
	if err != nil {
		return nil, err
	}
	frame, err := join(askFrame{ID: id, Method: r.Method, Path: path, Header: picked(r.Header, requestHeaders), Asker: who}, body)
	if err == nil {
		err = l.nc.Publish(downSubject(l.host, kindAsk), frame)
	}
	if err != nil {
		l.calls.finish(id)
		return nil, err
	}
	return l.await(ctx, id, c, r)
}

func (h *Hub) reach(host string) (*lane, error) {
	h.gate.mu.Lock()
	defer h.gate.mu.Unlock()
	s := h.gate.seats[host]
	switch {
	case s == nil:
		return nil, ErrUnknownHost
	case !s.live.up:
		return nil, ErrAway
	}
	return s.lane, nil
}

func requestBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	if err == nil && len(b) > maxRequest {
		err = ErrTooLarge
	}
	return b, err
}

// await waits for the first part, which has the status.
func (l *lane) await(ctx context.Context, id uint64, c *call, r *http.Request) (*http.Response, error) {
	a := &answer{l: l, id: id, c: c, ctx: ctx}
	p, err := a.next()
	if err == nil && (p.head.Status < 200 || p.head.Status > 599) {
		err = fmt.Errorf("%w: an answer with status %d", errFrame, p.head.Status)
	}
	if err != nil {
		_ = a.Close() // never fails
		return nil, err
	}
	a.take(p)
	return &http.Response{
		Status: strconv.Itoa(p.head.Status) + " " + http.StatusText(p.head.Status), StatusCode: p.head.Status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: answered(p.head.Header), Body: a, ContentLength: -1, Request: r,
	}, nil
}

// answered keeps what a console may say of its answer.
func answered(from http.Header) http.Header {
	h := http.Header(picked(from, answerHeaders))
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if !slices.Contains(answerTypes, strings.TrimSpace(media)) {
		h.Set("Content-Type", "application/octet-stream")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	return h
}

// picked copies the named headers.
func picked(from http.Header, names []string) map[string][]string {
	out := map[string][]string{}
	for _, name := range names {
		for _, v := range from[name] {
			if len(v) <= maxSmall && !strings.ContainsAny(v, "\r\n\x00") {
				out[name] = append(out[name], v)
			}
		}
	}
	return out
}
