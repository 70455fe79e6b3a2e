package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	q, err := readQuery(r)
	if err != nil {
		refuseQuery(w, err)
		return
	}
	page := s.cfg.Feed.Page(q)
	page.Items = s.named(r.Context(), page.Items)
	replyTagged(w, r, page)
}

// readQuery reads ?since= &limit= &type= &target= &not_before=. Without since the page is the newest events.
func readQuery(r *http.Request) (Query, error) {
	v := r.URL.Query()
	q := Query{Since: -1, Type: v.Get("type"), Target: v.Get("target")}
	if s := v.Get("since"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return q, fmt.Errorf("since is %q, must be the seq of an event", s)
		}
		q.Since = n
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return q, fmt.Errorf("limit is %q, must be a number from 1 to %d", s, maxLimit)
		}
		q.Limit = n
	}
	if s := v.Get("not_before"); s != "" {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return q, fmt.Errorf("not_before is %q, must be a time like 2006-01-02T15:04:05Z", s)
		}
		q.NotBefore = t
	}
	return q, nil
}

func refuseQuery(w http.ResponseWriter, err error) {
	refuse(w, http.StatusBadRequest, BadRequest, err.Error(), "the parameters are since, limit, type, target and not_before")
}

// stream sends events as they happen: server-sent events, or one JSON object a line where the client accepts
// application/jsonl. A client that was here before resumes after its Last-Event-ID, or since.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	q, err := readQuery(r)
	if id := r.Header.Get("Last-Event-ID"); id != "" && err == nil {
		if q.Since, err = strconv.ParseInt(id, 10, 64); err != nil || q.Since < 0 {
			err = fmt.Errorf("Last-Event-ID is %q, must be the seq of an event", id)
		}
	}
	if err != nil {
		refuseQuery(w, err)
		return
	}
	if q.topics, err = parseTopics(r.URL.Query().Get("topics")); err != nil {
		refuse(w, http.StatusBadRequest, BadRequest, err.Error(), "topics is a list of deckies, actors, sources, events, events:NAME")
		return
	}
	if r.Method == http.MethodHead { // nothing would ever come
		w.Header().Set("Content-Type", sse{}.contentType())
		return
	}
	if !s.enterStream(w) {
		return
	}
	defer s.leaveStream()
	s.follow(w, r, q)
}

func (s *Server) follow(w http.ResponseWriter, r *http.Request, q Query) {
	format := format(sse{})
	if accept := r.Header.Get("Accept"); strings.Contains(accept, "application/jsonl") {
		format = jsonl{}
	}
	w.Header().Set("Content-Type", format.contentType())
	follower := s.cfg.Feed.Follow(q)
	defer follower.Stop()
	out := http.NewResponseController(w)
	if out.Flush() != nil { // the client knows now that it is connected
		return
	}
	for {
		text, done := s.nextText(r.Context(), follower, format)
		if done {
			return
		}
		s.allowWriting(w, writeWait)
		if _, err := w.Write(text); err != nil || out.Flush() != nil {
			return // the reader has gone, or is stuck
		}
	}
}

// nextText waits for a batch, or a moment without one. It is done when ctx ends.
func (s *Server) nextText(ctx context.Context, f *Follower, in format) (text []byte, done bool) {
	wait, cancel := context.WithTimeout(ctx, pingEvery)
	defer cancel()
	b, err := f.Next(wait)
	switch {
	case ctx.Err() != nil:
		return nil, true
	case errors.Is(err, context.DeadlineExceeded):
		return in.ping(), false
	case err != nil:
		return nil, true
	}
	if b.Reset {
		text = in.reset(text, Reset{Kind: "reset", Seq: b.After, Dropped: b.Dropped})
	}
	for _, e := range s.named(ctx, b.Events) {
		text = in.event(text, e)
	}
	return text, false
}

// Reset says that events are missing: what was known from events before has to be asked for again.
type Reset struct {
	Kind    string `json:"kind"`    // "reset"
	Seq     int64  `json:"seq"`     // the stream goes on after it
	Dropped int64  `json:"dropped"` // how many are missing; 0 where nobody can tell
}

// format is how a stream is written.
type format interface {
	contentType() string
	ping() []byte
	reset(to []byte, r Reset) []byte
	event(to []byte, e messages.Event) []byte
}

// sse are server-sent events. Source: the WHATWG HTML standard.
type sse struct{}

func (sse) contentType() string { return "text/event-stream" }
func (sse) ping() []byte        { return []byte(": still here\n\n") }

func (sse) reset(to []byte, r Reset) []byte {
	return fmt.Appendf(to, "event: reset\ndata: %s\n\n", line(r))
}

func (sse) event(to []byte, e messages.Event) []byte {
	return fmt.Appendf(to, "id: %d\ndata: %s\n\n", e.Seq, line(e))
}

// jsonl is one JSON object a line; an empty line is a sign of life.
type jsonl struct{}

func (jsonl) contentType() string                      { return "application/jsonl" }
func (jsonl) ping() []byte                             { return []byte("\n") }
func (jsonl) reset(to []byte, r Reset) []byte          { return append(append(to, line(r)...), '\n') }
func (jsonl) event(to []byte, e messages.Event) []byte { return append(append(to, line(e)...), '\n') }

// line encodes on one line. A payload that is not JSON cannot be: it is left out.
func line(v any) []byte {
	raw, err := json.Marshal(v)
	if e, is := v.(messages.Event); err != nil && is {
		e.Payload = nil
		raw, err = json.Marshal(e)
	}
	if err != nil {
		return []byte("{}")
	}
	return raw
}
