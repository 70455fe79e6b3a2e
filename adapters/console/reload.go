package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// reloadWait bounds a reload. Chosen: it reads three small files; one of them may be on a disk that hangs.
const reloadWait = 5 * time.Second

// ReloadReply answers POST /v1/reload.
type ReloadReply struct {
	Envelope
	messages.ReloadReport
}

// reload has the daemon read its configuration again. A configuration that is not accepted is the asker's problem
// document; the daemon goes on with the one it has.
func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	if err := s.readBody(w, r, &struct{}{}); err != nil {
		refuseBody(w, err, "a reload takes no body")
		return
	}
	asking(s.cfg.Log.Info(), r).Msg("reload asked for")
	got, err := ask[messages.ReloadReport](r.Context(), s, messages.ReloadSettings{}, reloadWait)
	switch {
	case err != nil:
		refuseAnswer(w, err)
	case len(got.Rejected) > 0:
		lines := make([]string, 0, len(got.Rejected)+1)
		lines = append(lines, "the configuration is not accepted, the old one stays in force:")
		for _, f := range got.Rejected {
			lines = append(lines, f.Error())
		}
		refuse(w, http.StatusUnprocessableEntity, BadConfig, strings.Join(lines, "\n"), "decnet-fleetd config show --origin says where each value comes from")
	default:
		whole(&got.Changed)
		whole(&got.Restart)
		whole(&got.Rejected)
		whole(&got.Warnings)
		reply(w, ReloadReply{Envelope{API, "reload"}, got})
	}
}

// Reload has the daemon read its configuration again. A configuration that is not accepted is an *Error with BadConfig.
func (c *Client) Reload(ctx context.Context) (messages.ReloadReport, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r, err := do[ReloadReply](ctx, c, http.MethodPost, "/v1/reload", nil)
	return r.ReloadReport, err
}
