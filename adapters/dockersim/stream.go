package dockersim

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/filters"
)

// events answers GET /events: what is remembered since the time asked for, then what happens, until it is cut, the
// client goes away or the time in until has come.
func (e *Engine) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	want, err := filters.FromJSON(q.Get("filters"))
	if err != nil {
		fail(w, refuse(http.StatusBadRequest, "%v", err))
		return
	}
	since, err1 := stamp(q.Get("since"))
	until, err2 := stamp(q.Get("until"))
	if err1 != nil || err2 != nil {
		fail(w, refuse(http.StatusBadRequest, "since and until must be seconds since the epoch"))
		return
	}
	e.stats.streams.Add(1)
	s, past := e.hub.subscribe(want, since)
	defer e.hub.unsubscribe(s)
	ctx, stop := r.Context(), context.CancelFunc(func() {})
	if !until.IsZero() {
		ctx, stop = context.WithTimeout(ctx, until.Sub(e.cfg.Now()))
	}
	defer stop()
	w.Header().Set("Content-Type", "application/json")
	rc := http.NewResponseController(w)
	if f, _ := e.broken(); f.EventBody != "" {
		_, _ = io.WriteString(w, f.EventBody) // see answer
	}
	for _, m := range past {
		if until.IsZero() || !m.at.After(until) {
			_, _ = w.Write(m.body) // see answer
		}
	}
	for rc.Flush() == nil && s.pass(ctx, w) {
	}
}

// pass waits for an event and writes it with all that have gathered, so that a burst costs one write.
func (s *stream) pass(ctx context.Context, w http.ResponseWriter) bool {
	select {
	case <-ctx.Done():
		return false
	case <-s.cut:
		cut(w)
		return false
	case m := <-s.events:
		_, err := w.Write(m.body)
		for n := len(s.events); n > 0 && err == nil; n-- {
			m = <-s.events
			_, err = w.Write(m.body)
		}
		return err == nil
	}
}

// stamp reads seconds since the epoch with up to nine digits after the point; "" is the zero time.
func stamp(s string) (time.Time, error) {
	if s == "" || s == "0" {
		return time.Time{}, nil
	}
	whole, part, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	nano, err := strconv.ParseInt((part + "000000000")[:9], 10, 64)
	if err != nil {
		return time.Time{}, err
	}
	return time.Unix(sec, nano), nil
}
