package deckyconfig

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// ErrOtherHost says that the configuration names a host that is not the one it came from.
var ErrOtherHost = errors.New("deckyconfig: it names another host")

// Rehome gives a configuration with its host named in it, as DECNET writes it: a row of a swarm's host without its host
// would be deployed on the master next time. The error wraps ErrOtherHost, or is a messages.Fault. Safe from any
// goroutine.
func Rehome(configJSON, host string) (string, error) {
	p := parsers.Get().(*Parser)
	defer parsers.Put(p)
	return p.rehome(configJSON, host)
}

func (p *Parser) rehome(configJSON, host string) (string, error) {
	d, err := p.Parse([]byte(configJSON))
	switch {
	case err != nil:
		return "", err
	case d.HostUUID == host:
		return d.ConfigJSON, nil
	case d.HostUUID != "":
		return "", fmt.Errorf("%w: %q", ErrOtherHost, shorten(d.HostUUID))
	}
	raw, err := json.Marshal(map[string]string{"host_uuid": host})
	if err != nil {
		return "", fmt.Errorf("encode a host: %w", err)
	}
	defer p.doc.Release()
	entry, err := p.doc.Parse([]byte(configJSON))
	if err != nil {
		return "", fmt.Errorf("read the entry of %q again: %w", d.Name, err)
	}
	var doc pyjson.Doc
	other, err := doc.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("read a host: %w", err)
	}
	ignore := func(_, _ pyjson.Value) {}
	f, g := fields(entry, ignore), fields(other, ignore)
	f[hostUUID] = g[hostUUID]
	var out messages.Declared
	p.encode(&f, &out)
	return out.ConfigJSON, nil
}
