package docker

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxListBytes bounds one answer. Source: 1.3 KB a container as compose makes them, times maxContainers, cut by
// what a small host can afford to read.
const maxListBytes = 256 << 20

// maxContainers bounds one answer. Chosen: 25 times the largest fleet that is promised.
const maxContainers = 1 << 20

// maxText bounds names and labels. Chosen: no name that means something has more than 128 bytes.
const maxText = 4 << 10

// maxID bounds ids. Source: Docker's have 64 bytes.
const maxID = 128

// maxState bounds the word for a state. Source: the longest of Docker has 10 bytes.
const maxState = 64

var (
	errMany  = errors.New("more containers than any host has")
	errNoID  = errors.New("a container without a usable Id")
	errState = errors.New("a container without a State")
)

// raw is one container as it was just read: its texts are overwritten by the next one.
type raw struct {
	id, name, state, health []byte
	marks                   marks
}

func (w *raw) reset() {
	w.id, w.name, w.state, w.health = w.id[:0], w.name[:0], w.state[:0], w.health[:0]
	w.marks.reset()
}

// lister decodes lists, one after the other. It is used by one goroutine. The list before is the hint: whatever is
// as it was is taken from there, so that a list without news costs no memory.
type lister struct {
	scan  scanner
	raw   raw
	words words
	bytes int64 // the most that is read of one answer
	rows  int   // the most containers of one answer
}

func newLister() *lister { return &lister{bytes: maxListBytes, rows: maxContainers} }

// decode reads a list. The result is hint itself where nothing differs, in content or order. It is never written to
// again and shares memory with hint.
func (l *lister) decode(src io.Reader, hint []messages.Container) ([]messages.Container, error) {
	s := &l.scan
	s.reset(src, l.bytes)
	var fresh []messages.Container
	var where map[string]int
	same := 0 // so many agree with hint, one by one
	for s.open('['); s.more(']'); {
		l.container()
		if s.err != nil {
			break
		}
		if fresh == nil && same < len(hint) && l.equals(&hint[same]) {
			same++
			continue
		}
		if fresh == nil {
			fresh = append(make([]messages.Container, 0, len(hint)+1), hint[:same]...)
			where = index(hint)
		}
		if len(fresh) >= l.rows {
			s.fail(errMany)
			break
		}
		fresh = append(fresh, l.keep(hint, where))
	}
	if err := s.finish(); err != nil {
		return nil, fmt.Errorf("decode the list of containers: %w", err)
	}
	if fresh == nil {
		return hint[:same:same], nil
	}
	return fresh, nil
}

func index(list []messages.Container) map[string]int {
	m := make(map[string]int, len(list))
	for i := range list {
		m[list[i].ID] = i
	}
	return m
}

// container reads one element of a list into l.raw.
func (l *lister) container() {
	s, w := &l.scan, &l.raw
	w.reset()
	for s.open('{'); s.more('}'); {
		switch string(s.key()) {
		case "Id":
			w.id = append(w.id[:0], s.str(maxID+1)...)
		case "Names":
			l.names()
		case "State":
			w.state = append(w.state[:0], s.str(maxState)...)
		case "Status":
			l.status()
		case "Labels":
			if !s.null() {
				w.marks.read(s)
			}
		default:
			s.skip()
		}
	}
	switch {
	case s.err != nil:
	case !usableID(w.id):
		s.fail(errNoID)
	case len(w.state) == 0:
		s.fail(errState)
	}
}

// names keeps the container's own name: the one without a second slash. The others belong to links. There are none
// while a container is being removed.
func (l *lister) names() {
	s, w := &l.scan, &l.raw
	w.name = w.name[:0]
	if s.null() {
		return
	}
	found := false
	for s.open('['); s.more(']'); {
		n := s.str(maxText)
		if len(n) > 0 && n[0] == '/' {
			n = n[1:]
		}
		own := !slices.Contains(n, '/')
		if len(w.name) == 0 || own && !found {
			w.name = append(w.name[:0], n...)
		}
		found = found || own
	}
}

// status takes the health out of texts like "Up 2 hours (healthy)".
func (l *lister) status() {
	s, w := &l.scan, &l.raw
	w.health = w.health[:0]
	if !s.null() {
		w.health = append(w.health, health(s.str(maxText))...)
	}
}

func health(status []byte) string {
	for _, h := range [...]struct{ suffix, word string }{
		{"(healthy)", "healthy"}, {"(unhealthy)", "unhealthy"}, {"(health: starting)", "starting"},
	} {
		if n := len(status) - len(h.suffix); n >= 0 && string(status[n:]) == h.suffix {
			return h.word
		}
	}
	return ""
}

// usableID accepts what can be put into a filter again: Docker's ids are 64 hex digits, other engines may differ.
func usableID(id []byte) bool {
	for _, c := range id {
		if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= maxID
}

// equals says whether the container just read is exactly c.
func (l *lister) equals(c *messages.Container) bool {
	w := &l.raw
	return string(w.id) == c.ID && string(w.state) == c.State && string(w.name) == c.Name &&
		string(w.health) == c.Health && w.marks.equal(c)
}

// keep makes a container of what was just read; where hint has it already, its texts are used again.
func (l *lister) keep(hint []messages.Container, where map[string]int) messages.Container {
	w := &l.raw
	c := messages.Container{State: l.words.of(w.state), Health: l.words.of(w.health)}
	w.marks.put(&c, &l.words)
	if i, ok := where[string(w.id)]; ok {
		c.ID, c.Name = hint[i].ID, hint[i].Name
	}
	if c.ID == "" {
		c.ID = string(w.id)
	}
	if c.Name != string(w.name) {
		c.Name = string(w.name)
	}
	return c
}
