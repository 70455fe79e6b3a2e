package docker

import (
	"context"
	"fmt"

	"github.com/decnet/decnet-fleetd/adapters/crashpoint"
	"github.com/decnet/decnet-fleetd/messages"
)

// look asks for the ids that have waited longest; too many of them are cheaper to find in the full list.
func (s *session) look(life context.Context) error {
	n, overflown := s.dirt.waiting()
	if overflown || n > maxAsked && n > len(s.last)/2 {
		s.r.count.overflows.Add(1)
		return s.full(life)
	}
	marks := s.dirt.take(maxAsked)
	if len(marks) == 0 {
		return nil
	}
	s.hint()
	asked := make([]string, len(marks))
	for i, m := range marks {
		asked[i] = m.id
	}
	read := messages.RuntimeRead{Asked: asked}
	read.EventAt, read.Cause = oldest(marks)
	list, err := s.list(life, &read, nil)
	if err != nil {
		return err
	}
	read.Containers = answers(list, marks)
	s.r.count.looks.Add(1)
	s.weigh(marks, read.Containers)
	s.current = false
	s.emit(read)
	return nil
}

// answers keeps what was asked for, in the order of the list.
func answers(list []messages.Container, marks []mark) []messages.Container {
	asked := make(map[string]bool, len(marks))
	for _, m := range marks {
		asked[m.id] = true
	}
	kept := make([]messages.Container, 0, len(list))
	for _, c := range list {
		if asked[c.ID] {
			kept = append(kept, c)
		}
	}
	return kept
}

// full reads the whole list and emits it, unless nothing changed since it was last emitted and nobody asked.
func (s *session) full(life context.Context) error {
	select { // a poke that came before this list is answered by it
	case _, open := <-s.poke:
		s.poked(open)
	default:
	}
	marks, lost := s.dirt.takeAll()
	read := messages.RuntimeRead{Full: true}
	list, err := s.list(life, &read, s.last)
	if err != nil {
		return err
	}
	c := &s.r.count
	c.relists.Add(1)
	c.listNanos.Store(int64(read.Took))
	if s.r.cfg.OnRelist != nil {
		s.r.cfg.OnRelist(read.Took)
	}
	c.containers.Store(int64(len(list)))
	next := min(max(100*read.Took, s.r.cfg.RelistMin), s.r.cfg.RelistMax)
	if lost { // nobody can tell whether this list was ahead of the events that were not kept
		next = min(next, settled)
	}
	s.relist.Reset(next)
	s.hint()
	if len(marks) > 0 {
		s.weigh(marks, list)
	}
	same := s.current && len(list) == len(s.last) && (len(list) == 0 || &list[0] == &s.last[0])
	if same && !s.asked {
		return nil
	}
	// An event that came meanwhile may be what this list shows: then it is no drift. Its id stays marked, because
	// the list may as well be older.
	read.EventAt, read.Cause = oldest(append(marks, s.dirt.peek()...))
	read.Containers = list
	s.last, s.current, s.asked, s.fault = list, true, false, messages.Fault{}
	s.emit(read)
	return nil
}

// hint passes on what events said, before the list that they caused.
func (s *session) hint() {
	if h, ok := s.dirt.hints(); ok {
		s.emit(h)
	}
}

// list reads one list whole or not at all.
func (s *session) list(life context.Context, read *messages.RuntimeRead, last []messages.Container) ([]messages.Container, error) {
	call, end := within(life, s.r.cfg.CallTimeout)
	defer end()
	read.ReadAt = s.r.cfg.Now()
	body, err := s.engine.List(call, read.Asked)
	if err != nil {
		return nil, cause(call, err)
	}
	defer func() { _ = body.Close() }() // it was only read
	list, err := s.lister.decode(body, last)
	if err != nil {
		return nil, fmt.Errorf("list the containers: %w", cause(call, err))
	}
	crashpoint.At(crashpoint.ListRead)
	s.looked = s.r.cfg.Now()
	s.r.count.answered.Store(s.looked.UnixNano())
	read.Took = s.looked.Sub(read.ReadAt)
	s.took = read.Took
	return list, nil
}
