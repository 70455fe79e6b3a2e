package deckyconfig

import (
	"encoding/json"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/deckyconfig/pyjson"
	"github.com/decnet/decnet-fleetd/messages"
)

// Recode gives an entry other services, and the time of the mutation that chose them, as DECNET would write it then. The
// error is a messages.Fault, or says that the entry was none of ours. Safe from any goroutine.
func Recode(e messages.Declared, services []string, lastMutated float64) (messages.Declared, error) {
	p := parsers.Get().(*Parser)
	defer parsers.Put(p)
	return p.recode(e, services, lastMutated)
}

func (p *Parser) recode(e messages.Declared, list []string, mutated float64) (messages.Declared, error) {
	raw, err := json.Marshal(struct {
		Services    []string `json:"services"`
		LastMutated float64  `json:"last_mutated"`
	}{list, mutated})
	if err != nil {
		return messages.Declared{}, fmt.Errorf("encode services: %w", err)
	}
	defer p.doc.Release()
	entry, err := p.doc.Parse([]byte(e.ConfigJSON))
	if err != nil {
		return messages.Declared{}, fmt.Errorf("read the entry of %q again: %w", e.Name, err)
	}
	var doc pyjson.Doc
	other, err := doc.Parse(raw)
	if err != nil {
		return messages.Declared{}, fmt.Errorf("read the services of %q: %w", e.Name, err)
	}
	ignore := func(_, _ pyjson.Value) {}
	f, g := fields(entry, ignore), fields(other, ignore)
	for _, id := range []fieldID{services, lastMutated} {
		f[id] = g[id]
		if err := check(id, f[id]); err != nil {
			return messages.Declared{}, err
		}
	}
	out := messages.Declared{Name: e.Name, UnknownKeys: e.UnknownKeys}
	p.encode(&f, &out)
	out.Digest = p.digest(&f, nil)
	return out, nil
}
