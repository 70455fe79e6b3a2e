package fabric

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// Files name one side's certificate, its key and the authority, all PEM. They are read again when they change.
type Files struct {
	CA   string
	Cert string
	Key  string
}

// HubConfig says what a hub is made of. Callbacks come from several goroutines, those of one host one at a time; the
// fabric waits for each, so none may block for long but Deliver. They may call the hub, but for Refresh and Close.
type HubConfig struct {
	// Listen is host:port of the one socket. Port 0 takes any.
	Listen string
	// Files are the hub's own: its certificate carries the DNS name decnet-master, or workers pin its fingerprint.
	Files Files
	// Version of the program, for the workers.
	Version string
	// Pins gives all enrolled hosts. It is asked at the start and at every Refresh. An error keeps the pins that were
	// known; at the start it keeps the socket closed.
	Pins func(ctx context.Context) ([]messages.Pin, error)
	// Deliver commits a batch of a host. The worker hears of it when Deliver has returned without an error; after an
	// error the worker ships it again. One call at a time for each host. Its context ends with the hub, not with the
	// connection.
	Deliver func(ctx context.Context, hostUUID string, b messages.ShipBatch) (messages.ShipAck, error)
	// Beat hears signs of life. nil = nobody.
	Beat func(hostUUID string, b messages.Beat)
	// Peer hears who comes and goes. nil = nobody.
	Peer func(messages.PeerEvent)
	// Refused hears who was not let in and what was not taken; equal ones are told once a minute, counted. nil = nobody.
	Refused func(messages.Refusal)
	// Fault hears of what is wrong with our own files while the hub runs (the old ones stay in use), and, with an empty
	// What, that it is right again. nil = nobody.
	Fault func(messages.Fault)
	// Now is the clock, with its monotonic part. Required.
	Now func() time.Time
	// Reread is how often the files are looked at. 0 means 2 s. Source: chosen; a stat of three files.
	Reread time.Duration
}

// WorkerConfig says what a worker's end is made of.
type WorkerConfig struct {
	// Hub is where it listens: tls://host:port.
	Hub string
	// HostUUID is our own, as enrolled.
	HostUUID string
	// Files are those of the agent's directory.
	Files Files
	// HubFingerprint pins the hub's certificate instead of the name decnet-master: lowercase hex SHA-256 of the DER,
	// colons allowed. "" means by name.
	HubFingerprint string
	// Version of the program, for the hub.
	Version string
	// State hears every change of the link, one at a time. nil = nobody. It must not block.
	State func(messages.LinkState)
	// Now is the clock, with its monotonic part. Required.
	Now func() time.Time
	// Jitter gives numbers in [0, 1) that spread reconnects. Required. It is called from one goroutine.
	Jitter func() float64
	// Reread is how often the files are looked at. 0 means 2 s.
	Reread time.Duration
}

const rereadEvery = 2 * time.Second

func (c *HubConfig) fill() error {
	if c.Pins == nil || c.Deliver == nil || c.Now == nil {
		return errors.New("fabric: a hub needs pins, a delivery and a clock")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("fabric: listen on %q: %w (give host:port)", c.Listen, err)
	}
	if c.Reread <= 0 {
		c.Reread = rereadEvery
	}
	if c.Beat == nil {
		c.Beat = func(string, messages.Beat) {}
	}
	if c.Peer == nil {
		c.Peer = func(messages.PeerEvent) {}
	}
	if c.Refused == nil {
		c.Refused = func(messages.Refusal) {}
	}
	if c.Fault == nil {
		c.Fault = func(messages.Fault) {}
	}
	return nil
}

// fill gives the hub's address as host:port.
func (c *WorkerConfig) fill() (string, error) {
	if c.Now == nil || c.Jitter == nil {
		return "", errors.New("fabric: a worker needs a clock and a source of jitter")
	}
	if !messages.ValidHostUUID(c.HostUUID) {
		return "", fmt.Errorf("fabric: host-uuid %q is no uuid (see [agent] host-uuid in decnet.ini)", c.HostUUID)
	}
	c.HubFingerprint = strings.ToLower(strings.ReplaceAll(c.HubFingerprint, ":", ""))
	if c.HubFingerprint != "" && !fingerprintForm.MatchString(c.HubFingerprint) {
		return "", errors.New("fabric: the hub's fingerprint must be the 64 hex digits of a SHA-256")
	}
	u, err := url.Parse(c.Hub)
	if err != nil || u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", fmt.Errorf("fabric: hub %q: want tls://host:port", c.Hub)
	}
	if c.Reread <= 0 {
		c.Reread = rereadEvery
	}
	if c.State == nil {
		c.State = func(messages.LinkState) {}
	}
	return u.Host, nil
}

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
