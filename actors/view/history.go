package view

import (
	"time"
	"unsafe"

	"github.com/decnet/decnet-fleetd/messages"
)

// packed is a decision in 40 bytes. Texts are numbers of the words.
type packed struct {
	at     int64 // nanoseconds since 1970; 0: no time
	until  int64 // of what is held; 0: no time
	times  uint32
	reason uint16
	state  uint16
	action uint16
	cause  uint16
	what   uint16 // held; 0: nothing is held
	why    uint16
	hash   uint16
}

// always is how many decisions of a decky are kept whatever else happens. Chosen: a flapping container takes three for
// one turn.
const always = 8

// recent are a decky's last decisions: a ring that grows to always and no further. The zero value is empty.
type recent struct {
	ring []packed
	next int   // where the next goes once the ring has grown
	old  int64 // number of the newest one that went to the archive; 0: none did
}

func (r *recent) last() *packed {
	if len(r.ring) == 0 {
		return nil
	}
	return &r.ring[(r.next+len(r.ring)-1)%len(r.ring)]
}

// push keeps d; what it displaces goes to the archive.
func (r *recent) push(d packed, a *archive) {
	if len(r.ring) < always {
		if len(r.ring) == cap(r.ring) {
			r.ring = append(make([]packed, 0, len(r.ring)+2), r.ring...) // by two: most deckies never fill it
		}
		r.ring = append(r.ring, d) // next stays 0 until the ring is full
		return
	}
	r.old = a.put(r.ring[r.next], r.old)
	r.ring[r.next] = d
	r.next = (r.next + 1) % always
}

// list answers the newest first, at most most of them.
func (r *recent) list(a *archive, most int) []packed {
	out := make([]packed, 0, min(most, always))
	for i := range min(most, len(r.ring)) {
		out = append(out, r.ring[(r.next+2*len(r.ring)-1-i)%len(r.ring)])
	}
	for n := r.old; len(out) < most; {
		e, ok := a.get(n)
		if !ok {
			break
		}
		out = append(out, e.packed)
		n = e.before
	}
	return out
}

// archive keeps the older decisions of all deckies in one ring of bounded size, each with the number of the decky's one
// before it. It grows in chunks, so that a quiet fleet pays nothing.
type archive struct {
	chunks [][]archived
	next   int64 // number of the next one, from 1
	limit  int64 // how many are kept
}

type archived struct {
	packed
	number int64
	before int64
}

const (
	archiveBytes = 16 << 20 // Source: the budget of all long histories
	archiveChunk = 1024     // decisions
)

func newArchive() *archive { return newArchiveOf(archiveBytes) }

func newArchiveOf(bytes int64) *archive {
	size := int64(unsafe.Sizeof(archived{})) * archiveChunk
	return &archive{next: 1, limit: max(1, bytes/size) * archiveChunk}
}

func (a *archive) put(d packed, before int64) int64 {
	n := a.next
	a.next++
	slot := n % a.limit
	chunk := int(slot / archiveChunk)
	for len(a.chunks) <= chunk {
		a.chunks = append(a.chunks, nil)
	}
	if a.chunks[chunk] == nil {
		a.chunks[chunk] = make([]archived, archiveChunk)
	}
	a.chunks[chunk][slot%archiveChunk] = archived{d, n, before}
	return n
}

func (a *archive) get(n int64) (archived, bool) {
	slot := n % a.limit
	chunk := int(slot / archiveChunk)
	if n <= 0 || chunk >= len(a.chunks) || a.chunks[chunk] == nil {
		return archived{}, false
	}
	e := a.chunks[chunk][slot%archiveChunk]
	return e, e.number == n
}

// pack makes a decision small.
func (v *View) pack(d messages.Decision) packed {
	p := packed{at: nanos(d.At), times: uint32(max(1, d.Times)), reason: v.words.number(d.Reason), state: v.words.number(d.State),
		action: v.words.number(d.Action), cause: v.words.number(d.Cause)}
	if d.Held != nil {
		p.until, p.what, p.why, p.hash = nanos(d.Held.Until), v.words.number(d.Held.What), v.words.number(d.Held.Why), v.words.number(d.Held.Hash)
	}
	return p
}

func (v *View) unpack(p packed) messages.Decision {
	d := messages.Decision{At: moment(p.at), Reason: v.words.text(p.reason), State: v.words.text(p.state), Action: v.words.text(p.action),
		Cause: v.words.text(p.cause), Times: int64(p.times)}
	if p.what != 0 {
		d.Held = &messages.Held{What: v.words.text(p.what), Why: v.words.text(p.why), Until: moment(p.until), Hash: v.words.text(p.hash)}
	}
	return d
}

func nanos(m messages.Moment) int64 {
	if m.IsZero() {
		return 0
	}
	return m.UnixNano()
}

func moment(n int64) messages.Moment {
	if n == 0 {
		return messages.Moment{}
	}
	return messages.Moment{Time: time.Unix(0, n).UTC()}
}

// same tells whether two decisions differ in nothing but their time.
func (p packed) same(q packed) bool {
	p.at, p.times, q.at, q.times = 0, 0, 0, 0
	return p == q
}

// remember keeps what a decky came to.
func (v *View) remember(m messages.DeckyReported) {
	r := v.decisions[m.Status.Name]
	if r == nil {
		r = &recent{}
		v.decisions[m.Status.Name] = r
	}
	last := r.last()
	if last != nil {
		last.times = addTimes(last.times, m.Repeated)
	}
	p := v.pack(m.Decision)
	if last != nil && last.same(p) {
		last.times = addTimes(last.times, 1)
		return
	}
	r.push(p, v.archive)
}

func addTimes(a uint32, b int64) uint32 { return uint32(min(int64(a)+max(0, b), 1<<32-1)) }
