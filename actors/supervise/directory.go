package supervise

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"sync"
)

// name is what an actor is found by.
type name struct{ kind, id string }

// directory says which Ref a name means now. It has a lock because Spawn answers at once, from any goroutine.
type directory struct {
	mu   sync.Mutex
	refs map[name]*Ref
}

func (r *Ref) name() name { return name{r.spec.Kind, r.spec.ID} }

// claim enters r under its name, unless a living actor has it: then it answers that one. Of an actor that is still
// stopping r becomes the successor.
func (d *directory) claim(r *Ref) *Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	owner := d.refs[r.name()]
	if owner != nil && !owner.box.isClosing() {
		return owner
	}
	r.kid.after = owner
	d.refs[r.name()] = r
	return r
}

// forget frees the name of r, unless a successor has it already.
func (d *directory) forget(r *Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refs[r.name()] == r {
		delete(d.refs, r.name())
	}
}

// find answers who has a name; nil if nobody does.
func (d *directory) find(n name) *Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refs[n]
}

// list answers all, in the order of start.
func (d *directory) list() []*Ref {
	refs := d.all()
	slices.SortFunc(refs, bySeq)
	return refs
}

// all answers all, in no order: a tenth of the price.
func (d *directory) all() []*Ref {
	d.mu.Lock()
	defer d.mu.Unlock()
	refs := make([]*Ref, 0, len(d.refs))
	for _, r := range d.refs {
		refs = append(refs, r)
	}
	return refs
}

func bySeq(a, b *Ref) int { return cmp.Compare(a.seq, b.seq) }

// escape makes any text fit for a part of a hollywood id, where a slash separates kind and id.
func escape(text string) string { return url.PathEscape(text) }

// processID is the hollywood id of an actor's process. The epoch makes it unique for the life of the daemon: an abandoned
// process that wakes up removes its entry from hollywood's registry by id.
func processID(id string, epoch uint64) string {
	return escape(id) + "~" + strconv.FormatUint(epoch, 10)
}
