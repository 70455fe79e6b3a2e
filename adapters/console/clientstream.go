package console

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxLine bounds one event of a stream. Chosen: DECNET's bus has no larger frame.
const maxLine = 2 << 20

// Item is one thing a stream brought: an event, or a reset where Reset.Kind is not empty.
type Item struct {
	Event messages.Event
	Reset Reset
}

// Stream hands over events until ctx ends, the daemon goes or on returns an error. It returns nil only where the daemon
// ended the stream; then and on NotReachable the caller may resume after the last seq it saw.
func (c *Client) Stream(ctx context.Context, q Query, on func(Item) error) error {
	path := "/v1/stream"
	if v := q.values(); len(v) > 0 {
		path += "?" + v.Encode()
	}
	resp, err := c.send(ctx, http.MethodGet, path, nil, "application/jsonl")
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // a sign of life
		}
		item, err := readItem(lines.Bytes())
		if err != nil {
			return &Error{Internal, fmt.Sprintf("the stream of %q cannot be read: %v", c.socket, err), ""}
		}
		if err := on(item); err != nil {
			return err
		}
	}
	return c.ended(ctx, lines.Err())
}

func (c *Client) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil || err == io.ErrUnexpectedEOF { //nolint:errorlint // bufio hands it on as it is
		return nil
	}
	return c.failed(ctx, err)
}

func readItem(raw []byte) (Item, error) {
	var r Reset
	if err := json.Unmarshal(raw, &r); err != nil {
		return Item{}, err
	}
	if r.Kind == "reset" {
		return Item{Reset: r}, nil
	}
	var e messages.Event
	err := json.Unmarshal(raw, &e)
	return Item{Event: e}, err
}
