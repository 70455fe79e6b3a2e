package console

import (
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// health: the process answers, and the loops that everything goes through do. A dependency that is away changes nothing:
// nobody helps it by starting us anew.
func (s *Server) health(w http.ResponseWriter, r *http.Request) {
	if _, err := ask[messages.Alive](r.Context(), s, messages.GetHealth{}, answerWait); err != nil {
		refuseAnswer(w, err)
		return
	}
	reply(w, map[string]string{"status": "ok"})
}

// readiness is the body of /readyz. The code is 503 where there are reasons.
type readiness struct {
	Status string `json:"status"` // ready, degraded, starting
	messages.Ready
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	a, err := ask[messages.Ready](r.Context(), s, messages.GetReady{}, answerWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	whole(&a.Reasons)
	body := readiness{"ready", a}
	w.Header().Set("Content-Type", "application/json")
	if len(a.Reasons) > 0 {
		body.Status = "degraded"
		if !a.Passed || a.Role == "starting" || a.Role == "" {
			body.Status = "starting"
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	writeJSON(w, body)
}

func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Metrics == nil {
		refuse(w, http.StatusNotFound, NotFound, "this daemon measures nothing", "")
		return
	}
	s.cfg.Metrics.ServeHTTP(w, r)
}
