package console

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// At has the client ask another host of the cluster, by name or uuid, through the hub whose socket it is. "" is the
// socket's own host.
func (c *Client) At(node string) { c.node = node }

// Of is a client that asks another host, over the same connections.
func (c *Client) Of(node string) *Client {
	there := *c
	there.node = node
	return &there
}

// pathAt is where the API of the chosen host answers a path.
func (c *Client) pathAt(path string) string {
	rest, is := strings.CutPrefix(path, "/v1/")
	if c.node == "" || !is {
		return path
	}
	return "/v1/nodes/" + url.PathEscape(c.node) + "/" + rest
}

// Members lists the hosts of the cluster.
func (c *Client) Members(ctx context.Context, s Selection) (MemberList, error) {
	return get[MemberList](ctx, c, "/v1/cluster/members", s.values())
}

// Owners says which process writes the rows of each host.
func (c *Client) Owners(ctx context.Context, s Selection) (OwnerList, error) {
	return get[OwnerList](ctx, c, "/v1/cluster/owners", s.values())
}

// Drain pauses a whole host, by name or uuid; undo ends that.
func (c *Client) Drain(ctx context.Context, host string, undo bool, want ClusterRequest) (ActionReply, error) {
	verb := "drain"
	if undo {
		verb = "undrain"
	}
	return ordered[ActionReply](ctx, c, "/v1/cluster/hosts/"+url.PathEscape(host)+"/"+verb, want)
}

// Leave has a worker say goodbye to its hub.
func (c *Client) Leave(ctx context.Context, want ClusterRequest) (LeaveReply, error) {
	return ordered[LeaveReply](ctx, c, "/v1/cluster/leave", want)
}

// Forget removes the rows of a host that is no longer enrolled.
func (c *Client) Forget(ctx context.Context, host string, want ClusterRequest) (ForgetReply, error) {
	return ordered[ForgetReply](ctx, c, "/v1/cluster/hosts/"+url.PathEscape(host)+"/forget", want)
}

func ordered[T any](ctx context.Context, c *Client, path string, want ClusterRequest) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, max(c.timeout, forgetWait+writeWait))
	defer cancel()
	body, err := json.Marshal(want)
	if err != nil {
		var none T
		return none, err
	}
	var key [16]byte
	_, _ = rand.Read(key[:]) // it never fails: crypto/rand ends the process instead
	return doCall[T](ctx, c, call{method: http.MethodPost, path: path, body: body, accept: "application/json", key: hex.EncodeToString(key[:])})
}
