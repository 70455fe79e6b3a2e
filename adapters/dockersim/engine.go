package dockersim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config makes an engine. The zero value of every field but Now is a default.
type Config struct {
	// Now gives the time of every event. Required.
	Now func() time.Time
	// Seed decides ids and the choices of Storm: equal seeds and equal calls make equal fleets.
	Seed uint64
	// APIVersion is the highest the engine speaks, and what it says of itself. "" means 1.47. Source: Docker 27.
	APIVersion string
	// Queue is how many events a stream may lag behind before it loses some. 0 means 32,768. Source: the two events
	// of each of 10,000 containers that are flipped at once fit; dockerd has 1,024 and waits instead.
	Queue int
}

// Engine is a simulated Docker engine. Its methods may be called from any goroutine.
type Engine struct {
	cfg   Config
	hub   hub
	stats counters

	mu     sync.RWMutex
	rand   *rand.Rand
	faults Faults
	lifted chan struct{} // closed when faults change
	seq    uint64
	order  []*slot // by seq, which is by creation
	ids    map[string]*slot
	names  map[string]*slot
}

// slot is the place of one container; what stands in it is replaced, never changed.
type slot struct {
	seq uint64
	rec *record
}

// New makes an engine without containers.
func New(cfg Config) (*Engine, error) {
	if cfg.Now == nil {
		return nil, errors.New("dockersim: a clock is required")
	}
	if cfg.APIVersion == "" {
		cfg.APIVersion = "1.47"
	}
	if cfg.Queue <= 0 {
		cfg.Queue = 1 << 15
	}
	return &Engine{
		cfg: cfg, lifted: make(chan struct{}), ids: make(map[string]*slot), names: make(map[string]*slot),
		rand: rand.New(rand.NewPCG(cfg.Seed, 0)), //nolint:gosec // ids of a simulation
		hub:  hub{queue: cfg.Queue, streams: make(map[*stream]struct{})},
	}, nil
}

// refusal is an error with the status an engine answers it with.
type refusal struct {
	code int
	text string
}

func (r *refusal) Error() string { return r.text }

func refuse(code int, format string, args ...any) error {
	return &refusal{code: code, text: fmt.Sprintf(format, args...)}
}

// find looks a container up as the docker command does: by id, by name, by a part of an id that only it has.
func (e *Engine) find(ref string) (*slot, error) {
	name := strings.TrimPrefix(ref, "/")
	if s, ok := e.ids[ref]; ok {
		return s, nil
	}
	if s, ok := e.names[name]; ok {
		return s, nil
	}
	var found *slot
	for _, s := range e.order {
		if ref == "" || !strings.HasPrefix(s.rec.id, ref) {
			continue
		}
		if found != nil {
			return nil, refuse(400, "Multiple IDs found with provided prefix: %s", ref)
		}
		found = s
	}
	if found == nil {
		return nil, refuse(404, "No such container: %s", ref)
	}
	return found, nil
}

// insert adds a container without an event.
func (e *Engine) insert(spec Spec) (*slot, error) {
	if spec.Name == "" {
		spec.Name = fmt.Sprintf("sim-%d", e.seq+1)
	}
	if old, ok := e.names[spec.Name]; ok {
		return nil, refuse(409, "Conflict. The container name %q is already in use by container %q. "+
			"You have to remove (or rename) that container to be able to reuse that name.", "/"+spec.Name, old.rec.id)
	}
	e.seq++
	id := fmt.Sprintf("%016x%016x%016x%016x", e.rand.Uint64(), e.rand.Uint64(), e.rand.Uint64(), e.seq)
	s := &slot{seq: e.seq, rec: newRecord(id, spec, e.cfg.Now())}
	e.order = append(e.order, s)
	e.ids[id], e.names[spec.Name] = s, s
	return s, nil
}

func (e *Engine) remove(s *slot) {
	i, ok := slices.BinarySearchFunc(e.order, s.seq, func(t *slot, seq uint64) int {
		return int(t.seq) - int(seq) //nolint:gosec // a sequence number of a simulation stays small
	})
	if ok {
		e.order = slices.Delete(e.order, i, i+1)
	}
	delete(e.ids, s.rec.id)
	delete(e.names, s.rec.name)
}

// snapshot copies what a list is made of, the newest container first as Docker has it.
func (e *Engine) snapshot() []*record {
	e.mu.RLock()
	defer e.mu.RUnlock()
	list := make([]*record, len(e.order))
	for i, s := range e.order {
		list[len(list)-1-i] = s.rec
	}
	return list
}

// State gives the state of a container, "" if there is none.
func (e *Engine) State(ref string) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	s, err := e.find(ref)
	if err != nil {
		return ""
	}
	return s.rec.state
}

// counters are Stats while they move.
type counters struct{ lists, looks, inspects, streams, events, lost atomic.Int64 }

// Stats counts what an engine was asked and told since it was made.
type Stats struct {
	Lists    int64 // full lists
	Looks    int64 // lists filtered by id
	Inspects int64
	Streams  int64 // event streams opened
	Events   int64 // that happened
	Lost     int64 // events that a stream did not get because it was not read
}

// Stats gives the counters as they are now.
func (e *Engine) Stats() Stats {
	c := &e.stats
	return Stats{
		Lists: c.lists.Load(), Looks: c.looks.Load(), Inspects: c.inspects.Load(), Streams: c.streams.Load(),
		Events: c.events.Load(), Lost: c.lost.Load(),
	}
}
