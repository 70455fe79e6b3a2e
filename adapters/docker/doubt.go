package docker

import (
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// maxTries bounds the looks at an id whose lists contradict its event. Growing by half from 5 ms they last 0.9 s.
// Chosen: three times what an engine on a busy disk was seen to take; what is still in doubt then is left to the next
// full list.
const maxTries = 11

// doubt is a mark that a list has contradicted.
type doubt struct {
	mark mark
	due  time.Time
}

// contradicts says whether a list that was read after the event m still shows the container as it must have been
// before. Docker tells of a death and of a pause before its lists do: believing that list would leave a dead container
// running until the next full one.
func contradicts(m mark, present bool, state string) bool {
	switch m.last {
	case actionDestroy:
		return present
	case actionDie:
		return present && (state == "running" || state == "paused")
	case actionPause:
		return state != "paused"
	case actionStart, actionUnpause:
		return state != "running"
	}
	return !present
}

// weigh compares the events behind a list with what it says, and has the ids looked at again where they differ. A
// look that answers a newer event settles what was in doubt before.
func (s *session) weigh(marks []mark, list []messages.Container) {
	seen := index(list)
	for _, m := range marks {
		delete(s.again, m.id)
		i, present := seen[m.id]
		state := ""
		if present {
			state = list[i].State
		}
		if !contradicts(m, present, state) {
			continue
		}
		s.r.count.rechecks.Add(1)
		if m.tries < maxTries {
			wait := s.r.cfg.Recheck
			for range m.tries {
				wait += wait / 2
			}
			m.tries++
			s.again[m.id] = doubt{mark: m, due: s.looked.Add(wait)}
		}
	}
	s.watchDoubts()
}

// watchDoubts sets the timer to the first doubt that is due.
func (s *session) watchDoubts() {
	if len(s.again) == 0 {
		s.check.Stop()
		return
	}
	var first time.Time
	for _, d := range s.again {
		if first.IsZero() || d.due.Before(first) {
			first = d.due
		}
	}
	s.check.Reset(max(0, first.Sub(s.r.cfg.Now())))
}

// lookAgain marks every id whose time has come.
func (s *session) lookAgain() {
	now := s.r.cfg.Now()
	for id, d := range s.again {
		if !d.due.After(now) {
			s.dirt.add(d.mark)
			delete(s.again, id)
		}
	}
	s.watchDoubts()
}
