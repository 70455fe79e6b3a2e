package console

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// ApproveRequest is the body of POST /v1/approve.
type ApproveRequest struct {
	Hash   string `json:"hash"` // of the held set, as the status shows it
	DryRun bool   `json:"dry_run"`
	Reason string `json:"reason,omitempty"` // for the log
}

// ApproveReply answers POST /v1/approve.
type ApproveReply struct {
	Envelope
	messages.ApproveReply
}

// approve passes an operator's consent to a held set of deletions on.
func (s *Server) approve(w http.ResponseWriter, r *http.Request) {
	var want ApproveRequest
	if err := s.readBody(w, r, &want); err != nil {
		refuseBody(w, err, `send {"hash": "…"}`)
		return
	}
	if want.Hash == "" {
		refuse(w, http.StatusBadRequest, BadRequest, "the body names no hash", "GET /v1/status shows what is held, with its hash")
		return
	}
	if n := noteOf(r.Context()); n != nil {
		n.target, n.reason, n.dry = want.Hash, want.Reason, want.DryRun
	}
	got, err := ask[messages.ApproveReply](r.Context(), s, messages.ApproveDeletes{Hash: want.Hash, DryRun: want.DryRun}, answerWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	asking(s.cfg.Log.Warn(), r).Str("hash", want.Hash).Bool("dry_run", want.DryRun).
		Str("reason", want.Reason).Bool("accepted", got.Accepted).Int("deckies", len(got.Names)).Msg("deletions approved")
	whole(&got.Names)
	reply(w, ApproveReply{Envelope{API, "approve"}, got})
}

// Approve consents to the held set of deletions with that hash.
func (c *Client) Approve(ctx context.Context, want ApproveRequest) (messages.ApproveReply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := json.Marshal(want)
	if err != nil {
		return messages.ApproveReply{}, err
	}
	r, err := do[ApproveReply](ctx, c, http.MethodPost, "/v1/approve", body)
	return r.ApproveReply, err
}
