package console

import (
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
