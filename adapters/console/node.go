package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Bounds of what is passed on.
const (
	maxNodeBody   = 256 << 10        // Source: no larger request crosses the fabric
	maxNodeAnswer = 16 << 20         // of an order. Chosen: one item for each of 16,384 targets
	nodeWait      = passWait         // until an answer begins. Source: no handler takes longer
	forgetWait    = 60 * time.Second // chosen: 65,536 rows are deleted and announced in batches
)

// node serves /v1/nodes/{host}/…: what that host answers to /v1/…, for who asks here.
func (s *Server) node(w http.ResponseWriter, r *http.Request) {
	m, err := s.member(r.Context(), r.PathValue("host"))
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	path := pathAtNode(r.URL)
	if path == "/v1/" || strings.HasPrefix(path, "/v1/nodes/") {
		refuse(w, http.StatusNotFound, NotFound, "there is no "+r.URL.Path, "after the host comes what stands behind /v1/, like /v1/nodes/"+url.PathEscape(m.Name)+"/deckies")
		return
	}
	s.relay(w, r, m, path)
}

// nodeOnce: the key of a repeated order does not cross the fabric.
func (s *Server) nodeOnce(w http.ResponseWriter, r *http.Request) { s.once(w, r, s.node) }

// pathAtNode is the path behind /v1/nodes/{host}, escaped as it came.
func pathAtNode(u *url.URL) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/v1/nodes/"), "/")
	return "/v1/" + rest
}

// relay has a member answer a request under another path: this host by itself, others over the fabric.
func (s *Server) relay(w http.ResponseWriter, r *http.Request, m messages.Member, path string) {
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	if err := s.noteNode(w, r, m); err != nil {
		refuseBody(w, err, bodyHint)
		return
	}
	if m.HostUUID == s.cfg.Node {
		here, err := http.NewRequestWithContext(context.WithValue(r.Context(), aloneKey{}, true), r.Method, path, r.Body)
		if err != nil {
			refuse(w, http.StatusBadRequest, BadRequest, "the path cannot be read: "+err.Error(), "")
			return
		}
		here.Header = r.Header
		s.mux.ServeHTTP(w, here)
		return
	}
	wait, stop := context.WithCancel(r.Context())
	defer stop()
	late := time.AfterFunc(nodeWait, stop)
	got, err := s.askMember(wait, m, CallerOf(r.Context()), nodeRequest{r.Method, path, r.Body, r.Header})
	if !late.Stop() && r.Context().Err() == nil {
		if err == nil {
			_ = got.Body.Close() // nobody reads it
		}
		err = context.DeadlineExceeded
	}
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	defer func() { _ = got.Body.Close() }() // it was only read
	w.Header().Set("X-Decnet-Node", headerSafe(m.HostUUID))
	if changes(r) {
		s.copyWhole(w, got)
		return
	}
	s.copyAsItComes(w, got)
}

// aloneKey marks a request that is about this host alone, though it is a hub.
type aloneKey struct{}

// nodeRequest is what a member is asked.
type nodeRequest struct {
	method, path string
	body         io.Reader
	header       http.Header
}

// askMember asks another host, with the role of who asks here and no higher one.
func (s *Server) askMember(ctx context.Context, m messages.Member, who Caller, q nodeRequest) (*http.Response, error) {
	if s.cfg.AskMember == nil {
		return nil, messages.ErrNotHub
	}
	if err := reachable(m, s.cfg.Now()); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, q.method, q.path, q.body)
	if err != nil {
		return nil, err
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	got, err := s.cfg.AskMember(ctx, m.HostUUID, messages.Asker{Node: s.nodeName(ctx), UID: who.UID, User: who.User, Role: who.Role.String(), Via: who.Via}, r)
	if errors.Is(err, ErrAway) {
		m.Status = messages.MemberStale
		return nil, &awayError{m.Name + " does not answer: " + err.Error(), awayHint(m)}
	}
	return got, err
}

// noteNode puts on record what is passed on, and to whom.
func (s *Server) noteNode(w http.ResponseWriter, r *http.Request, m messages.Member) error {
	n := noteOf(r.Context())
	if n == nil {
		return nil
	}
	raw, err := s.readAll(w, r)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var of struct {
		Targets                     []string
		Filter, Actor, Hash, Reason string
		DryRun                      bool `json:"dry_run"`
	}
	_ = json.Unmarshal(raw, &of) // what it cannot read is for the host to refuse
	n.reason, n.dry = of.Reason, of.DryRun
	n.target = m.Name + ": " + listOf(append(of.Targets, nonEmpty(of.Filter, of.Actor, of.Hash)...))
	n.target = strings.TrimSuffix(n.target, ": ")
	return nil
}

func nonEmpty(texts ...string) []string {
	var out []string
	for _, t := range texts {
		if t != "" {
			out = append(out, t)
		}
	}
	return out
}

// passedHeaders are those of an answer that go on to the client.
var passedHeaders = []string{"Allow", "Cache-Control", "Content-Disposition", "Content-Type", "Etag", "Retry-After"}

func passHeaders(w http.ResponseWriter, from http.Header) {
	for _, name := range passedHeaders {
		if v := from.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
}

// copyWhole passes an answer on once it is whole: whether an order was carried out must not be left to guess.
func (s *Server) copyWhole(w http.ResponseWriter, got *http.Response) {
	raw, err := io.ReadAll(io.LimitReader(got.Body, maxNodeAnswer+1))
	if err != nil || len(raw) > maxNodeAnswer {
		refuse(w, http.StatusBadGateway, NodeAway, "the answer of the host broke off: the order may have been carried out", "look at the host before it is repeated")
		return
	}
	s.allowWriting(w, writeWait)
	passHeaders(w, got.Header)
	w.WriteHeader(got.StatusCode)
	_, _ = w.Write(raw) // an error means that the reader has gone
}

// copyAsItComes passes an answer on piece by piece. One that breaks off breaks here too, so that nobody takes it for whole.
func (s *Server) copyAsItComes(w http.ResponseWriter, got *http.Response) {
	passHeaders(w, got.Header)
	w.WriteHeader(got.StatusCode)
	out, buf := http.NewResponseController(w), make([]byte, 32<<10)
	_ = out.Flush() // the client knows that it is connected; one that has gone is seen by the write
	for {
		n, err := got.Body.Read(buf)
		if n > 0 {
			s.allowWriting(w, writeWait)
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
			_ = out.Flush() // as above
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(http.ErrAbortHandler) //nolint:forbidigo // net/http has no other word for it
		}
	}
}
