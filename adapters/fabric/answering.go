package fabric

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// answers are the hub's requests that this worker works on. They end with the connection they came over.
type answers struct {
	s      *session
	mu     sync.Mutex
	open   map[uint64]*reply
	closed bool
	pace   *rate.Limiter
	wg     sync.WaitGroup // under mu to grow
}

func (as *answers) ask(b []byte) {
	head, body, err := split[askFrame](b)
	if err != nil {
		return // the hub is believed; nothing can be answered
	}
	r := &reply{s: as.s, id: head.ID, header: http.Header{}, grants: make(chan struct{}, window)}
	for range window {
		r.grants <- struct{}{}
	}
	run := func() {
		defer as.leave(head.ID)
		r.serve(head, body)
	}
	if !as.enter(head.ID, r, run) {
		r.refuse(http.StatusServiceUnavailable, "too many requests are open at this host")
	}
}

func (as *answers) enter(id uint64, r *reply, run func()) bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	if len(as.open) >= maxCalls || as.closed || as.open[id] != nil {
		return false
	}
	r.ctx, r.cancel = context.WithCancel(as.s.ctx)
	as.open[id] = r
	as.wg.Go(run)
	return true
}

// close waits for those that are open; their contexts have ended.
func (as *answers) close() {
	as.mu.Lock()
	as.closed = true
	as.mu.Unlock()
	as.wg.Wait()
}

func (as *answers) leave(id uint64) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.open[id].cancel()
	delete(as.open, id)
}

func (as *answers) flow(b []byte) {
	f, err := decode[flowFrame](b, maxSmall)
	if err != nil {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	r := as.open[f.ID]
	switch {
	case r == nil: // it has ended
	case f.Stop:
		r.cancel()
	default:
		for range min(f.More, window) {
			select {
			case r.grants <- struct{}{}:
			default: // it never has more than the window
			}
		}
	}
}

// reply is the http.ResponseWriter of one request. A write waits until the hub has room for it.
type reply struct {
	s      *session
	id     uint64
	ctx    context.Context //nolint:containedctx // of the request
	cancel context.CancelFunc
	grants chan struct{}

	header http.Header
	status int    // 0: not yet written
	sent   uint64 // parts
	buf    bytes.Buffer
	err    error
}

func (r *reply) serve(head askFrame, body []byte) {
	next := r.s.w.handler.Load()
	req, err := http.NewRequestWithContext(withAsker(r.ctx, head.Asker), head.Method, head.Path, bytes.NewReader(body))
	if next == nil || err != nil {
		r.refuse(http.StatusServiceUnavailable, "this host answers no requests yet")
		return
	}
	req.Header, req.RequestURI, req.RemoteAddr, req.Host = picked(head.Header, requestHeaders), head.Path, "hub", "fleetd"
	defer func() {
		if recover() != nil { // the console's own server keeps and logs it; here nobody's process may end by it
			r.finish("the handler panicked")
		}
	}()
	(*next).ServeHTTP(r, req)
	r.finish("")
}

// refuse answers without a handler, in the console's form.
func (r *reply) refuse(status int, why string) {
	if r.ctx == nil {
		r.ctx = r.s.ctx
	}
	r.header.Set("Content-Type", "application/problem+json")
	r.WriteHeader(status)
	b, err := json.Marshal(map[string]any{"title": http.StatusText(status), "status": status, "detail": why})
	if err == nil {
		r.buf.Write(b)
	}
	r.finish("")
}

// Header implements http.ResponseWriter.
func (r *reply) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *reply) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *reply) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	n := len(b)
	for len(b) > 0 && r.err == nil {
		k := min(maxChunk-r.buf.Len(), len(b))
		r.buf.Write(b[:k])
		if b = b[k:]; r.buf.Len() == maxChunk {
			r.send(partFrame{})
		}
	}
	return n - len(b), r.err
}

// FlushError is for http.ResponseController.
func (r *reply) FlushError() error {
	r.WriteHeader(http.StatusOK)
	if r.err == nil && (r.buf.Len() > 0 || r.sent == 0) {
		r.send(partFrame{})
	}
	return r.err
}

// SetWriteDeadline is for http.ResponseController. A write ends with the request or the connection, no later.
func (*reply) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline is for http.ResponseController: the request is here already.
func (*reply) SetReadDeadline(time.Time) error { return nil }

func (r *reply) finish(broken string) {
	r.WriteHeader(http.StatusOK)
	r.send(partFrame{End: true, Broken: broken})
}

// send sends what is in the buffer, when the hub has granted it.
func (r *reply) send(f partFrame) {
	if r.err == nil {
		r.err = r.ctx.Err() // a handler that ended because of it has no whole answer
	}
	if r.err != nil {
		return
	}
	select {
	case <-r.grants:
	case <-r.ctx.Done():
		r.err = r.ctx.Err()
		return
	}
	if r.err = r.s.answers.pace.Wait(r.ctx); r.err != nil {
		return
	}
	f.ID, f.N = r.id, r.sent
	if r.sent++; r.sent == 1 {
		f.Status, f.Header = r.status, picked(r.header, answerHeaders)
	}
	b, err := join(f, r.buf.Bytes())
	r.buf.Reset()
	if err == nil {
		err = r.s.nc.Publish(upSubject(r.s.w.cfg.HostUUID, kindPart), b)
	}
	if err != nil {
		r.err = errors.Join(ErrAway, fmt.Errorf("answer the hub: %w", err))
	}
}

func (w *Worker) setHandler(h http.Handler) {
	if h == nil {
		w.handler.Store(nil)
		return
	}
	w.handler.Store(&h)
}
