package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/decnet/decnet-fleetd/messages"
)

// Auditor keeps what somebody asked for. Safe from any goroutine.
type Auditor interface {
	// Record numbers an entry and keeps it; an error means that it will not survive a restart.
	Record(e messages.AuditEntry) (messages.AuditEntry, error)
	// Entries gives the last entries, newest first.
	Entries() []messages.AuditEntry
}

// note is what a handler knows of its request better than its path says.
type note struct {
	verb, target, reason, result string
	dry                          bool // nothing was to be changed
}

type noteKey struct{}

// noteOf is the note of a request that changes something; nil for others.
func noteOf(ctx context.Context) *note {
	n, _ := ctx.Value(noteKey{}).(*note)
	return n
}

// audited runs a request that changes something and puts it on record, whatever becomes of it. The record is made before
// the client has read the answer to its end, and also where it has gone.
func (s *Server) audited(w http.ResponseWriter, r *http.Request, next http.Handler) {
	n, who := &note{verb: verbOf(r)}, CallerOf(r.Context())
	seen := &witness{ResponseWriter: w, status: http.StatusOK}
	whole := false
	defer func() {
		switch {
		case !whole:
			n.result = "failed: the handler panicked"
		case n.result == "":
			n.result = outcome(seen.status)
		}
		if !n.dry {
			s.record(who, *n)
		}
	}()
	next.ServeHTTP(seen, r.WithContext(context.WithValue(r.Context(), noteKey{}, n)))
	whole = true
}

// verbOf is the last word of the path, which names the verb on every route that changes something.
func verbOf(r *http.Request) string {
	if r.Method == http.MethodDelete {
		return clipped("delete "+strings.TrimPrefix(r.URL.Path, "/v1/"), maxNote)
	}
	return clipped(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], maxNote)
}

func outcome(status int) string {
	switch {
	case status < 300:
		return "done"
	case status == http.StatusNotFound:
		return "not found"
	case status == http.StatusGatewayTimeout:
		return "timed out"
	case status >= 500:
		return "failed " + strconv.Itoa(status)
	}
	return "refused " + strconv.Itoa(status)
}

// asking adds to a line of the log who asks.
func asking(e *zerolog.Event, r *http.Request) *zerolog.Event {
	p, who := peerFrom(r.Context()), CallerOf(r.Context())
	return e.Int64("uid", who.UID).Int32("pid", p.pid).Bool("peer_known", p.known).Str("user", who.User)
}

// maxNote bounds each text of an entry, in bytes. Chosen: a reason is a sentence.
const maxNote = 1024

// record puts an entry on record: in the audit, and in the log, which outlives a full disk.
func (s *Server) record(who Caller, n note) {
	e := messages.AuditEntry{Time: messages.Moment{Time: s.cfg.Now()}, UID: who.UID, User: who.User, Role: who.Role.String(), Via: who.Via, Node: who.Node,
		Verb: clipped(n.verb, maxNote), Target: clipped(n.target, maxNote), Reason: clipped(n.reason, maxNote), Result: clipped(n.result, maxNote)}
	s.cfg.Log.Info().Int64("uid", e.UID).Str("user", e.User).Str("role", e.Role).Str("via", e.Via).Str("node", e.Node).Str("verb", e.Verb).
		Str("target", e.Target).Str("reason", e.Reason).Str("result", e.Result).Msg("audit")
	if s.cfg.Audit == nil {
		return
	}
	if _, err := s.cfg.Audit.Record(e); err != nil {
		s.cfg.Log.Error().Err(err).Msg("the audit cannot be written: this entry is in the log only")
	}
}

// refusals bounds how many requests without the right role go on record: they must not push the others out of it.
type refusals struct {
	mu      sync.Mutex
	left    int
	at      time.Time
	dropped int
}

// Chosen: a mistake is seen, a flood is counted.
const (
	refusalBurst = 20
	refusalEvery = 3 * time.Second
)

// admit says whether one more goes on record, and how many before it did not.
func (f *refusals) admit(now time.Time) (dropped int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at.IsZero() {
		f.left, f.at = refusalBurst, now
	}
	if n := int(now.Sub(f.at) / refusalEvery); n > 0 {
		f.left, f.at = min(refusalBurst, f.left+n), now
	}
	if f.left == 0 {
		f.dropped++
		return 0, false
	}
	f.left--
	dropped, f.dropped = f.dropped, 0
	return dropped, true
}

func (s *Server) recordRefusal(who Caller, r *http.Request) {
	if dropped, ok := s.refusals.admit(s.cfg.Now()); ok {
		result := "refused: role"
		if dropped > 0 {
			result += ", and " + strconv.Itoa(dropped) + " before it"
		}
		s.record(who, note{verb: verbOf(r), target: r.URL.Path, result: result})
	}
}

// witness remembers the status of an answer.
type witness struct {
	http.ResponseWriter
	status int
	begun  bool
}

// WriteHeader remembers the status.
func (w *witness) WriteHeader(status int) {
	if !w.begun {
		w.status, w.begun = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *witness) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// clipped cuts a text to limit bytes, at a character.
func clipped(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
