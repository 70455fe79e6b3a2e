package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// TapEnd is the last line of a tap.
type TapEnd struct {
	Kind    string `json:"kind"` // end
	Dropped int64  `json:"dropped"`
}

// streamTap sends the messages of a tap as they come, and ends it when the reader goes.
func (s *Server) streamTap(w http.ResponseWriter, r *http.Request) {
	x, taken := s.taps.claim(r.PathValue("id"))
	switch {
	case x == nil:
		refuseTap(w)
		return
	case taken:
		refuse(w, http.StatusConflict, Conflict, "somebody reads this tap already", "open another with POST /v1/taps")
		return
	}
	defer x.Stop()
	if !s.enterStream(w) {
		return
	}
	defer s.leaveStream()
	lines := strings.Contains(r.Header.Get("Accept"), "application/jsonl")
	kind := "text/event-stream"
	if lines {
		kind = "application/jsonl"
	}
	w.Header().Set("Content-Type", kind)
	s.pump(w, r, x, lines)
}

func (s *Server) pump(w http.ResponseWriter, r *http.Request, x *openTap, lines bool) {
	out := http.NewResponseController(w)
	send := func(text []byte) bool {
		s.allowWriting(w, writeWait)
		_, err := w.Write(text)
		return err == nil && out.Flush() == nil
	}
	if out.Flush() != nil {
		return
	}
	for seq := int64(1); ; {
		wait, cancel := context.WithTimeout(r.Context(), pingEvery)
		m, err := x.Next(wait)
		cancel()
		switch {
		case r.Context().Err() != nil:
			return
		case errors.Is(err, context.DeadlineExceeded):
			if !send(pingText(lines)) {
				return
			}
		case err != nil:
			send(tapText(lines, "end", 0, TapEnd{"end", x.Dropped()}))
			return
		default:
			m.Seq = seq
			seq++
			s.taps.count(x)
			if !send(tapText(lines, "", m.Seq, m)) {
				return
			}
		}
	}
}

func (t *taps) count(x *openTap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x.seen++
}

func pingText(lines bool) []byte {
	if lines {
		return jsonl{}.ping()
	}
	return sse{}.ping()
}

func tapText(lines bool, event string, id int64, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil // plain values: this cannot happen
	}
	switch {
	case lines:
		return append(raw, '\n')
	case event != "":
		return []byte("event: " + event + "\ndata: " + string(raw) + "\n\n")
	}
	return []byte("id: " + itoa(id) + "\ndata: " + string(raw) + "\n\n")
}

// enterStream takes one of the places for streams. It answers itself where there is none.
func (s *Server) enterStream(w http.ResponseWriter) bool {
	select {
	case s.streams <- struct{}{}:
		return true
	default:
		refuse(w, http.StatusServiceUnavailable, Unavailable, "too many streams are open", "close one; "+strconv.Itoa(maxStreams)+" are the limit")
		return false
	}
}

func (s *Server) leaveStream() { <-s.streams }
