package fabric

import (
	"context"
	"net"
	"net/http"

	"github.com/decnet/decnet-fleetd/messages"
)

// Hub is the master's end. Its methods may be called from any goroutine.
type Hub struct{ cfg HubConfig }

// Listen starts a hub: it reads the files, asks for the pins, subscribes to every enrolled host, and opens the socket
// last. An error names what is wrong and leaves nothing behind. ctx bounds the start; the hub lives until Close.
func Listen(_ context.Context, cfg HubConfig) (*Hub, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	return &Hub{cfg: cfg}, nil
}

// Addr is where the hub listens.
func (h *Hub) Addr() net.Addr { return nil }

// Refresh asks for the pins again and cuts at once every connection whose host is gone or has another certificate.
func (h *Hub) Refresh(context.Context) error { return nil }

// Revoke cuts a host at once and keeps it out until Refresh finds it enrolled.
func (h *Hub) Revoke(string) {}

// Peers lists all enrolled hosts by uuid.
func (h *Hub) Peers() []messages.Peer { return nil }

// Do asks a worker's console on behalf of a user. The path begins with /v1. The body of the answer is a stream: it must
// be closed, ends when ctx does, and breaks with ErrAway when the worker goes.
func (h *Hub) Do(context.Context, string, messages.Asker, *http.Request) (*http.Response, error) {
	return nil, ErrAway
}

// Close ends all connections and waits for the callbacks that run.
func (h *Hub) Close() {}
