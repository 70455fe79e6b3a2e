package console

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Bounds of remembered answers. Chosen: a client that repeats itself does so within minutes.
const (
	keptAnswers = 256
	keepAnswer  = 10 * time.Minute
	maxKey      = 128
	maxAnswer   = 256 << 10 // a longer one is done, but its repetition is refused
)

// answers remembers what requests with an Idempotency-Key were answered, so that a repeated one is not done twice.
type answers struct {
	mu  sync.Mutex
	all map[answerKey]*answer
}

type answerKey struct {
	uid       int64
	user, key string
}

type answer struct {
	at     time.Time
	asked  [sha256.Size]byte // of method, path and body
	done   bool
	status int
	kind   string
	body   []byte // nil: too long to keep
}

var (
	errOtherKey = errors.New("this Idempotency-Key was used for another request")
	errLongKey  = errors.New("the Idempotency-Key is longer than " + strconv.Itoa(maxKey) + " bytes")
)

// begin claims a key. It answers what was answered before, or nil where the request is to be done.
func (a *answers) begin(k answerKey, asked [sha256.Size]byte, now time.Time) (*answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[answerKey]*answer{}
	}
	for key, x := range a.all {
		if x.done && now.Sub(x.at) > keepAnswer {
			delete(a.all, key)
		}
	}
	switch x := a.all[k]; {
	case x == nil:
	case x.asked != asked:
		return nil, errOtherKey
	case !x.done:
		return nil, errBusyKey
	default:
		return x, nil
	}
	a.room()
	a.all[k] = &answer{at: now, asked: asked}
	return nil, nil
}

// room forgets the oldest answer where there is none.
func (a *answers) room() {
	if len(a.all) < keptAnswers {
		return
	}
	var oldest answerKey
	var at time.Time
	for key, x := range a.all {
		if x.done && (at.IsZero() || x.at.Before(at)) {
			oldest, at = key, x.at
		}
	}
	delete(a.all, oldest)
}

func (a *answers) finish(k answerKey, c *copying) {
	a.mu.Lock()
	defer a.mu.Unlock()
	x := a.all[k]
	if x == nil {
		return
	}
	if c.status >= 500 { // it may go better the next time
		delete(a.all, k)
		return
	}
	x.done, x.status, x.kind = true, c.status, c.Header().Get("Content-Type")
	if c.body.Len() <= maxAnswer {
		x.body = c.body.Bytes()
	}
}

// copying keeps a copy of an answer.
type copying struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader remembers the status.
func (c *copying) WriteHeader(status int) { c.status = status; c.ResponseWriter.WriteHeader(status) }

// Write keeps what fits.
func (c *copying) Write(p []byte) (int, error) {
	if c.body.Len() <= maxAnswer {
		c.body.Write(p)
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (c *copying) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// once does a request, or repeats the answer it had before where it has an Idempotency-Key that was used.
func (s *Server) once(w http.ResponseWriter, r *http.Request, do http.HandlerFunc) {
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		do(w, r)
		return
	}
	body, err := s.readAll(w, r)
	if err == nil && len(key) > maxKey {
		err = errLongKey
	}
	if err != nil {
		refuseBody(w, err, bodyHint)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	who := CallerOf(r.Context())
	k := answerKey{who.UID, who.User, key}
	asked := sha256.Sum256([]byte(r.Method + "\x00" + r.URL.Path + "\x00" + string(body)))
	was, err := s.answers.begin(k, asked, s.cfg.Now())
	switch {
	case err != nil:
		refuse(w, http.StatusConflict, Conflict, err.Error(), "use a new key for a new request")
	case was != nil:
		s.again(w, r, was)
	default:
		c := &copying{ResponseWriter: w, status: http.StatusOK}
		defer func() { s.answers.finish(k, c) }()
		do(c, r)
	}
}

// again repeats an answer.
func (s *Server) again(w http.ResponseWriter, r *http.Request, was *answer) {
	if n := noteOf(r.Context()); n != nil {
		n.result = "done before: the answer was repeated"
	}
	if was.body == nil {
		refuse(w, http.StatusConflict, Conflict, "this request was done before, and its answer was too long to keep", "GET shows what is there now")
		return
	}
	w.Header().Set("Content-Type", was.kind)
	w.Header().Set("Idempotent-Replayed", "true")
	w.WriteHeader(was.status)
	_, _ = w.Write(was.body) // an error means that the reader has gone
}
