package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// Code is the kind of a failure; scripts branch on it.
type Code string

// The codes. NotReachable never comes over the wire: it is the client's.
const (
	NotReachable Code = "not_reachable"
	Permission   Code = "permission"
	NotFound     Code = "not_found"
	Timeout      Code = "timeout"
	Conflict     Code = "conflict"
	BadRequest   Code = "bad_request"
	TooLarge     Code = "too_large"
	Unavailable  Code = "unavailable"
	Internal     Code = "internal"
	BadConfig    Code = "config"
	NodeAway     Code = "node_away" // another host of the cluster does not answer now
)

// problem is an RFC 9457 document with two members of our own, code and hint.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   Code   `json:"code"`
	Hint   string `json:"hint,omitempty"`
}

func refuse(w http.ResponseWriter, status int, code Code, detail, hint string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	writeJSON(w, problem{
		Type: "urn:decnet-fleetd:" + string(code), Title: http.StatusText(status), Status: status,
		Detail: detail, Code: code, Hint: hint,
	})
}

// refuseAnswer reports that the backend did not answer as it should.
func refuseAnswer(w http.ResponseWriter, err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		refuse(w, http.StatusGatewayTimeout, Timeout, "the daemon did not answer in time",
			"its log says what it waits for; GET /v1/status shows which component is degraded")
		return
	}
	if refuseCluster(w, err) {
		return
	}
	if errors.Is(err, messages.ErrShadow) {
		refuse(w, http.StatusConflict, Conflict, messages.ErrShadow.Error(), "a dry run is allowed; GET /v1/shadow shows what it would have done")
		return
	}
	if errors.Is(err, messages.ErrNoShadow) {
		refuse(w, http.StatusNotFound, NotFound, messages.ErrNoShadow.Error(), "start one beside DECNET's own reconciler: decnet-fleetd serve --shadow")
		return
	}
	refuse(w, http.StatusServiceUnavailable, Unavailable, "the daemon cannot answer: "+err.Error(), "it may be starting or stopping; try again")
}

// writeJSON writes one line. An error means that the reader has gone: there is nobody to tell.
func writeJSON(w http.ResponseWriter, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}
