package console

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Selection is what a list is asked for; the zero value is all of it.
type Selection struct {
	Filter string // see Filter
	Sort   string // a key, or -key
	Limit  int    // 0: all
}

func (s Selection) values() url.Values {
	v := url.Values{}
	if s.Filter != "" {
		v.Set("filter", s.Filter)
	}
	if s.Sort != "" {
		v.Set("sort", s.Sort)
	}
	if s.Limit > 0 {
		v.Set("limit", strconv.Itoa(s.Limit))
	}
	return v
}

// Via names the face the client belongs to, for the audit: cli, tui or web.
func (c *Client) Via(face string) { c.via = face }

// Who says who the daemon takes the caller for.
func (c *Client) Who(ctx context.Context) (WhoReply, error) {
	return get[WhoReply](ctx, c, "/v1/whoami", nil)
}

// Select lists the deckies of a selection.
func (c *Client) Select(ctx context.Context, s Selection) (DeckyList, error) {
	return get[DeckyList](ctx, c, "/v1/deckies", s.values())
}

// Actors lists the actors of a selection.
func (c *Client) Actors(ctx context.Context, s Selection) (ActorList, error) {
	return get[ActorList](ctx, c, "/v1/actors", s.values())
}

// Actor asks for one actor by kind/id.
func (c *Client) Actor(ctx context.Context, pid string) (ActorReply, error) {
	return get[ActorReply](ctx, c, "/v1/actors/"+url.PathEscape(pid), nil)
}

// Handlers lists handler times.
func (c *Client) Handlers(ctx context.Context, s Selection) (HandlerList, error) {
	return get[HandlerList](ctx, c, "/v1/handlers", s.values())
}

// Crashes lists crash records, of one actor where it is not "".
func (c *Client) Crashes(ctx context.Context, actor string, s Selection) (CrashList, error) {
	v := s.values()
	if actor != "" {
		v.Set("actor", actor)
	}
	return get[CrashList](ctx, c, "/v1/crashes", v)
}

// Crash asks for one crash record, whole.
func (c *Client) Crash(ctx context.Context, id uint64) (CrashReply, error) {
	return get[CrashReply](ctx, c, "/v1/crashes/"+strconv.FormatUint(id, 10), nil)
}

// DeadLetters lists what nobody took; group adds up what has target, type or why in common, "" nothing.
func (c *Client) DeadLetters(ctx context.Context, group string, s Selection) (DeadLetterList, error) {
	v := s.values()
	if group != "" {
		v.Set("group", group)
	}
	return get[DeadLetterList](ctx, c, "/v1/deadletters", v)
}

// Audit lists what somebody asked for.
func (c *Client) Audit(ctx context.Context, s Selection) (AuditList, error) {
	return get[AuditList](ctx, c, "/v1/audit", s.values())
}

// Config lists the settings of the daemon.
func (c *Client) Config(ctx context.Context) (ConfigList, error) {
	return get[ConfigList](ctx, c, "/v1/config", nil)
}

// Runtime tells of the process.
func (c *Client) Runtime(ctx context.Context) (RuntimeReply, error) {
	return get[RuntimeReply](ctx, c, "/v1/runtime", nil)
}

// Goroutines lists them by actor and stack.
func (c *Client) Goroutines(ctx context.Context, s Selection) (GoroutineList, error) {
	return get[GoroutineList](ctx, c, "/v1/debug/goroutines", s.values())
}

// Inspect says why a decky is as it is; id is {host_uuid}:{name}.
func (c *Client) Inspect(ctx context.Context, id string, decisions int) (InspectionReply, error) {
	v := url.Values{}
	if decisions > 0 {
		v.Set("decisions", strconv.Itoa(decisions))
	}
	return get[InspectionReply](ctx, c, "/v1/deckies/"+url.PathEscape(id)+"/inspect", v)
}

// Logs lists the lines after since, of the actors a pattern selects.
func (c *Client) Logs(ctx context.Context, actor string, since int64, s Selection) (LogList, error) {
	v := s.values()
	v.Set("since", strconv.FormatInt(since, 10))
	if actor != "" {
		v.Set("actor", actor)
	}
	return get[LogList](ctx, c, "/v1/logs", v)
}

// Act orders a control verb. It is done once, however often the request has to be sent.
func (c *Client) Act(ctx context.Context, verb string, want ActionRequest) (ActionReply, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+time.Duration(want.Wait))
	defer cancel()
	body, err := json.Marshal(want)
	if err != nil {
		return ActionReply{}, err
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // it never fails: crypto/rand ends the process instead
	return doCall[ActionReply](ctx, c, call{method: http.MethodPost, path: "/v1/actions/" + url.PathEscape(verb), body: body,
		accept: "application/json", key: hex.EncodeToString(key[:])})
}

// Download writes what a path answers to to, and says how many bytes it was. It takes as long as wait beyond the client's
// own time.
func (c *Client) Download(ctx context.Context, path string, wait time.Duration, to io.Writer) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout+wait)
	defer cancel()
	resp, err := c.send(ctx, http.MethodGet, path, nil, "*/*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	n, err := io.Copy(to, io.LimitReader(resp.Body, maxReply))
	if err != nil && ctx.Err() != nil {
		err = c.failed(ctx, ctx.Err())
	}
	return n, err
}

// Tap opens a tap and hands its messages over until it ends, ctx ends or on returns an error; then the tap is ended. The
// answer is what was lost.
func (c *Client) Tap(ctx context.Context, want TapRequest, on func(messages.Tapped) error) (TapEnd, error) {
	body, err := json.Marshal(want)
	if err != nil {
		return TapEnd{}, err
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	t, err := do[TapReply](limited, c, http.MethodPost, "/v1/taps", body)
	cancel()
	if err != nil {
		return TapEnd{}, err
	}
	resp, err := c.send(ctx, http.MethodGet, "/v1/taps/"+t.ID+"/stream", nil, "application/jsonl")
	if err != nil {
		return TapEnd{}, err
	}
	defer func() { _ = resp.Body.Close() }() // the daemon ends the tap then
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var end TapEnd
		if json.Unmarshal(lines.Bytes(), &end) == nil && end.Kind == "end" {
			return end, nil
		}
		var m messages.Tapped
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return TapEnd{}, &Error{Internal, fmt.Sprintf("the stream of %q cannot be read: %v", c.socket, err), ""}
		}
		if err := on(m); err != nil {
			return TapEnd{}, err
		}
	}
	return TapEnd{}, c.ended(ctx, lines.Err())
}
