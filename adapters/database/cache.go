package database

import (
	"hash/maphash"
	"sync"

	"github.com/decnet/decnet-fleetd/messages"
)

// content is what services and decky_config of a row mean: all that is dear to find out.
type content struct {
	sum         uint64
	services    []string
	digest      string
	lastMutated float64
	faults      []messages.Fault
}

// rowCache remembers content, so that unchanged columns are hashed and not parsed again. What the store wrote is
// remembered too: a change of state makes no row new.
type rowCache struct {
	where  string
	digest func(string) (string, error)
	seed   maphash.Seed // random: nobody can write two rows that look the same

	mu   sync.Mutex
	rows map[string]content
}

func newRowCache(where string, cfg Config) *rowCache {
	return &rowCache{where: where, digest: cfg.Digest, seed: maphash.MakeSeed(), rows: map[string]content{}}
}

// content gives the meaning of services and decky_config of a row whose name is usable.
func (c *rowCache) content(r raw) content {
	sum := c.sum(r)
	c.mu.Lock()
	have, ok := c.rows[string(r.name)]
	c.mu.Unlock()
	if ok && have.sum == sum {
		return have
	}
	p := c.parse(r)
	p.sum = sum
	c.mu.Lock()
	c.rows[string(r.name)] = p
	c.mu.Unlock()
	return p
}

// know takes the meaning of a row from whoever wrote it.
func (c *rowCache) know(r raw, means content) content {
	means.sum = c.sum(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows[string(r.name)] = means
	return means
}

// keep forgets every row that is not among rows.
func (c *rowCache) keep(rows []messages.Recorded) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rows) == len(rows) {
		return
	}
	names := make(map[string]bool, len(rows))
	for _, r := range rows {
		names[r.Name] = true
	}
	for name := range c.rows {
		if !names[name] {
			delete(c.rows, name)
		}
	}
}

// sum hashes what parse reads. The length keeps the two columns apart.
func (c *rowCache) sum(r raw) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	maphash.WriteComparable(&h, len(r.services))
	maphash.WriteComparable(&h, r.hasConfig)
	_, _ = h.Write(r.services) // never fails
	_, _ = h.Write(r.config)
	return h.Sum64()
}
