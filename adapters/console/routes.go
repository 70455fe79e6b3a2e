package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/healthz", only(http.MethodGet, s.health))
	mux.Handle("/readyz", only(http.MethodGet, s.ready))
	mux.Handle("/metrics", only(http.MethodGet, s.metrics))
	mux.Handle("/v1/status", only(http.MethodGet, s.status))
	mux.Handle("/v1/deckies", only(http.MethodGet, s.deckies))
	mux.Handle("/v1/deckies/{id}", only(http.MethodGet, s.decky))
	mux.Handle("/v1/events", only(http.MethodGet, s.events))
	mux.Handle("/v1/stream", only(http.MethodGet, s.stream))
	mux.Handle("/v1/shadow", only(http.MethodGet, s.shadow))
	mux.Handle("/v1/reconcile", only(http.MethodPost, s.reconcile))
	mux.Handle("/v1/approve", only(http.MethodPost, s.approve))
	mux.Handle("/v1/reload", only(http.MethodPost, s.reload))
	s.addAPI(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, NotFound, "there is no "+r.URL.Path, "GET /v1/openapi.json lists the paths")
	})
	return mux
}

func only(method string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method && (r.Method != http.MethodHead || method != http.MethodGet) {
			w.Header().Set("Allow", method)
			refuse(w, http.StatusMethodNotAllowed, BadRequest, r.URL.Path+" takes "+method+", not "+r.Method, "")
			return
		}
		h(w, r)
	}
}

// ask puts a question to the backend and checks the type of the answer.
func ask[T any](ctx context.Context, s *Server, question any, wait time.Duration) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answer, err := s.cfg.Backend.Ask(ctx, question)
	if err != nil {
		var none T
		return none, err
	}
	v, ok := answer.(T)
	if !ok {
		return v, fmt.Errorf("the answer to %T is a %T", question, answer)
	}
	return v, nil
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	writeJSON(w, v)
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	st, err := ask[messages.Status](r.Context(), s, messages.GetStatus{}, answerWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	st.YourRole = CallerOf(r.Context()).Role.String()
	reply(w, StatusReply{Envelope{API, "status"}, wholeStatus(st)})
}

func (s *Server) deckies(w http.ResponseWriter, r *http.Request) {
	seq := s.cfg.Feed.Last() // before the question: what is in no later event is in the list
	if !s.hub() && s.deckiesUnchanged(w, r, seq) {
		return
	}
	all, nodes, err := s.allDeckies(r.Context())
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	items, ok := listed(w, r, all)
	if !ok {
		return
	}
	if nodes == nil {
		replyLong(w, Envelope{API, "deckies"}, items, wholeDecky, seq)
		return
	}
	list := DeckyList{Envelope: Envelope{API, "deckies"}, Items: make([]messages.DeckyStatus, 0, len(items)), Seq: seq, Nodes: nodes}
	for _, d := range items {
		list.Items = append(list.Items, wholeDecky(d))
	}
	replyTagged(w, r, list)
}

func (s *Server) decky(w http.ResponseWriter, r *http.Request) {
	all, _, err := s.allDeckies(r.Context())
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	id := r.PathValue("id")
	for _, d := range all {
		if id == d.HostUUID+":"+d.Name {
			reply(w, DeckyReply{Envelope{API, "decky"}, wholeDecky(d)})
			return
		}
	}
	refuse(w, http.StatusNotFound, NotFound, "there is no decky "+id, "GET /v1/deckies lists them; the id is {host_uuid}:{name}")
}

func (s *Server) reconcile(w http.ResponseWriter, r *http.Request) {
	var want PassRequest
	if err := s.readBody(w, r, &want); err != nil {
		refuseBody(w, err, `send {"dry_run": true} or nothing`)
		return
	}
	asking(s.cfg.Log.Info(), r).Bool("dry_run", want.DryRun).Msg("reconcile asked for")
	s.allowWriting(w, passWait+writeWait)
	report, err := ask[messages.PassReport](r.Context(), s, messages.GetPass{DryRun: want.DryRun}, passWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	reply(w, PassReply{Envelope{API, "reconcile"}, Whole(report)})
}

// errNotJSON: a form of another site cannot send JSON without asking first.
var errNotJSON = errors.New("the body must be application/json")

// readAll reads a body within the time and size it may have.
func (s *Server) readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(s.cfg.Now().Add(bodyWait)) // where it cannot be set, the size is bounded still
	raw, err := io.ReadAll(r.Body)
	_ = c.SetReadDeadline(time.Time{})
	return raw, err
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request, into any) error {
	raw, err := s.readAll(w, r)
	if err != nil || len(raw) == 0 {
		return err
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return errNotJSON
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("the body cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) { // More does not see a bracket too many
		return errors.New("the body has more than one document")
	}
	return nil
}

func refuseBody(w http.ResponseWriter, err error, hint string) {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, TooLarge, "the body is larger than "+strconv.FormatInt(large.Limit>>10, 10)+" KiB", "")
	case errors.Is(err, errNotJSON):
		refuse(w, http.StatusUnsupportedMediaType, BadRequest, err.Error(), "send the header Content-Type: application/json")
	default:
		refuse(w, http.StatusBadRequest, BadRequest, err.Error(), hint)
	}
}
