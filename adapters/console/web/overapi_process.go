package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/decnet/decnet-fleetd/messages"
)

// Runtime asks how the process is.
func (m *overAPI) Runtime(ctx context.Context) (Runtime, error) {
	return ask[Runtime](ctx, m, "/v1/runtime", nil)
}

// Handlers asks how long handlers take.
func (m *overAPI) Handlers(ctx context.Context) ([]HandlerTime, error) {
	l, err := ask[list[HandlerTime]](ctx, m, "/v1/handlers", nil)
	return l.Items, err
}

// Goroutines groups the goroutines of the process.
func (m *overAPI) Goroutines(ctx context.Context) ([]Goroutines, error) {
	l, err := ask[list[Goroutines]](ctx, m, "/v1/debug/goroutines", nil)
	return l.Items, err
}

// Settings lists the settings in force.
func (m *overAPI) Settings(ctx context.Context) ([]Setting, error) {
	l, err := ask[list[Setting]](ctx, m, "/v1/config", nil)
	return l.Items, err
}

// Logs gives the last lines of the log.
func (m *overAPI) Logs(ctx context.Context, actor string) ([]LogLine, error) {
	v := url.Values{}
	if actor != "" {
		v.Set("actor", actor)
	}
	l, err := ask[list[LogLine]](ctx, m, "/v1/logs", v)
	return l.Items, err
}

// Act carries a control verb out.
func (m *overAPI) Act(ctx context.Context, o Order) ([]messages.ActionResult, error) {
	body := map[string]any{"targets": o.Targets, "actors": o.Actors, "reason": o.Reason, "dry_run": o.DryRun}
	head := http.Header{}
	if o.Key != "" {
		head.Set("Idempotency-Key", o.Key)
	}
	l, err := send[list[messages.ActionResult]](ctx, m, http.MethodPost, "/v1/actions/"+url.PathEscape(o.Verb), body, head)
	return l.Items, err
}

// Reconcile reads every source again and waits for the end of the pass.
func (m *overAPI) Reconcile(ctx context.Context, dryRun bool) (messages.PassReport, error) {
	return send[messages.PassReport](ctx, m, http.MethodPost, "/v1/reconcile", map[string]any{"dry_run": dryRun}, nil)
}

// Approve consents to a held set of deletions.
func (m *overAPI) Approve(ctx context.Context, hash, reason string, dryRun bool) ([]string, error) {
	got, err := send[struct {
		Accepted bool     `json:"accepted"`
		Names    []string `json:"names"`
		Why      string   `json:"why"`
	}](ctx, m, http.MethodPost, "/v1/approve", map[string]any{"hash": hash, "reason": reason, "dry_run": dryRun}, nil)
	if err == nil && !got.Accepted && !dryRun {
		return nil, &Problem{Status: http.StatusConflict, Code: "conflict", Detail: "not approved: " + got.Why, Hint: "the held set has changed: look at it again"}
	}
	return got.Names, err
}

// Tap opens a tap and reads it to its end. The tap ends with ctx.
func (m *overAPI) Tap(ctx context.Context, t TapWanted, each func(Tapped) error) (int64, error) {
	opened, err := send[struct {
		ID string `json:"id"`
	}](ctx, m, http.MethodPost, "/v1/taps", t, nil)
	if err != nil {
		return 0, err
	}
	if err := each(Tapped{}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines := &liner{answer: answer{header: http.Header{}}}
	lines.each = func(line []byte) error {
		var m struct {
			Tapped
			Kind    string `json:"kind"`
			Dropped int64  `json:"dropped"`
		}
		if len(line) == 0 {
			return nil // a sign of life
		}
		if err := json.Unmarshal(line, &m); err != nil {
			return err
		}
		if m.Kind == "end" {
			lines.dropped = m.Dropped
			return nil
		}
		return each(m.Tapped)
	}
	r, err := request(ctx, http.MethodGet, "/v1/taps/"+url.PathEscape(opened.ID)+"/stream", nil, http.Header{"Accept": {"application/jsonl"}})
	if err != nil {
		return 0, err
	}
	if serves(m.api, lines, r) {
		return lines.dropped, &Problem{Status: http.StatusBadGateway, Code: "node_away", Detail: "the connection to the host has ended"}
	}
	return lines.dropped, lines.problem()
}

// liner hands over an answer line by line.
type liner struct {
	answer
	each    func(line []byte) error
	dropped int64
	err     error
}

// Write takes whole and broken lines.
func (l *liner) Write(b []byte) (int, error) {
	l.WriteHeader(http.StatusOK)
	l.body.Write(b)
	if l.status >= 400 {
		return len(b), nil // that is one document
	}
	for l.err == nil {
		line, rest, whole := bytes.Cut(l.body.Bytes(), []byte{'\n'})
		if !whole {
			break
		}
		l.err = l.each(line)
		left := bytes.Clone(rest)
		l.body.Reset()
		l.body.Write(left)
	}
	return len(b), l.err
}

// Flush has nothing to do: each line has been handed over.
func (l *liner) Flush() {}
