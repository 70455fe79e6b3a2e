package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// pages are what people see in a browser; nil if there are none. They ask the API as whoever asks them, so that each
// question and order is judged and put on record there, once.
func (s *Server) pages(api http.Handler) http.Handler {
	if s.cfg.Pages == nil {
		return nil
	}
	return s.cfg.Pages(api)
}

// ofAPI says whether a path belongs to the API.
func ofAPI(path string) bool {
	return strings.HasPrefix(path, "/v1/") || slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, path)
}

// admitPage lets those see pages who may look. What a page asks of the API, and what a form orders, is admitted there as
// any other request of theirs.
func (s *Server) admitPage(w http.ResponseWriter, r *http.Request, pages http.Handler) {
	who := s.caller(r)
	if who.Role < ReadOnly {
		refuseRole(w, who.Role, ReadOnly)
		return
	}
	pages.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerKey{}, who)))
}
