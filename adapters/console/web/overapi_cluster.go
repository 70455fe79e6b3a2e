package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/decnet/decnet-fleetd/messages"
)

// Members asks for the hosts of the cluster.
func (m *overAPI) Members(ctx context.Context) (all []messages.Member, self string, err error) {
	l, err := ask[struct {
		Items []messages.Member `json:"items"`
		Self  string            `json:"self"`
	}](ctx, m, "/v1/cluster/members", url.Values{"sort": {"name"}})
	return l.Items, l.Self, err
}

// Host orders something of a whole host.
func (m *overAPI) Host(ctx context.Context, o Order) ([]messages.ActionResult, error) {
	path := "/v1/cluster/hosts/" + url.PathEscape(o.Targets[0]) + "/" + o.Verb
	if o.Verb == "leave" {
		path = "/v1/cluster/leave"
	}
	head := http.Header{}
	if o.Key != "" {
		head.Set("Idempotency-Key", o.Key)
	}
	got, err := send[struct {
		Items   []messages.ActionResult `json:"items"`
		Deckies []string                `json:"deckies"`
		Host    string                  `json:"host"`
	}](ctx, m, http.MethodPost, path, map[string]any{"reason": o.Reason, "dry_run": o.DryRun}, head)
	result := map[bool]string{true: "would be done", false: "done"}[o.DryRun]
	for _, d := range got.Deckies {
		got.Items = append(got.Items, messages.ActionResult{Name: d, Before: "recorded", After: "deleted", Result: result})
	}
	if got.Host != "" {
		got.Items = append(got.Items, messages.ActionResult{Name: got.Host, Before: "up", After: "left", Result: result})
	}
	return got.Items, err
}
