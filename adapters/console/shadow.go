package console

import (
	"context"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// ShadowReply answers GET /v1/shadow.
type ShadowReply struct {
	Envelope
	messages.ShadowReport
}

func (s *Server) shadow(w http.ResponseWriter, r *http.Request) {
	a, err := ask[messages.ShadowReport](r.Context(), s, messages.GetShadow{}, answerWait)
	if err != nil {
		refuseAnswer(w, err)
		return
	}
	whole(&a.Items)
	if a.Codes == nil {
		a.Codes = map[string]int64{}
	}
	reply(w, ShadowReply{Envelope{API, "shadow"}, a})
}

// Shadow asks a shadow for its report. A daemon that is none answers NotFound.
func (c *Client) Shadow(ctx context.Context) (ShadowReply, error) {
	return get[ShadowReply](ctx, c, "/v1/shadow", nil)
}
