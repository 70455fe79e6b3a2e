package dockersim

import "time"

// change does one thing to a container and tells of it, as one step.
func (e *Engine) change(ref string, do func(s *slot, now time.Time) error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.find(ref)
	if err != nil {
		return err
	}
	return do(s, e.cfg.Now())
}

// set puts a container into another state and tells of it with an action.
func (e *Engine) set(s *slot, now time.Time, state, action string) {
	s.rec = s.rec.with(state, 0, now)
	e.tell(s.rec, now, action)
}

// die ends the process of a container: signal is 9 or 15, the exit code 137 or 0.
func (e *Engine) die(s *slot, now time.Time, signal int) {
	e.tell(s.rec, now, "kill", "signal", itoa(signal))
	exit := 137
	if signal != 9 {
		exit = 0
	}
	s.rec = s.rec.with("exited", exit, now)
	e.tell(s.rec, now, "die", "exitCode", itoa(exit))
}

// Create adds a container and tells of it; the answer is its id.
func (e *Engine) Create(spec Spec) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.insert(spec)
	if err != nil {
		return "", err
	}
	e.tell(s.rec, e.cfg.Now(), "create")
	return s.rec.id, nil
}

// Kill ends a running container by SIGKILL: events kill and die.
func (e *Engine) Kill(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if !s.rec.up() {
			return refuse(409, "Cannot kill container: %s: Container %s is not running", ref, s.rec.id)
		}
		e.die(s, now, 9)
		return nil
	})
}

// Stop ends a running container by SIGTERM: events kill, die and stop. A stopped one is left alone.
func (e *Engine) Stop(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if !s.rec.up() {
			return &refusal{code: 304}
		}
		e.die(s, now, 15)
		e.tell(s.rec, now, "stop")
		return nil
	})
}

// Start starts a container that does not run.
func (e *Engine) Start(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		switch {
		case s.rec.state == "paused":
			return refuse(500, "cannot start a paused container, try unpause instead")
		case s.rec.up():
			return &refusal{code: 304}
		}
		e.set(s, now, "running", "start")
		return nil
	})
}

// Restart ends a container if it runs, and starts it.
func (e *Engine) Restart(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if s.rec.up() {
			e.die(s, now, 15)
			e.tell(s.rec, now, "stop")
		}
		e.set(s, now, "running", "start")
		e.tell(s.rec, now, "restart")
		return nil
	})
}

// Pause freezes a running container.
func (e *Engine) Pause(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if s.rec.state != "running" {
			return refuse(409, "Container %s is not running", s.rec.id)
		}
		e.set(s, now, "paused", "pause")
		return nil
	})
}

// Unpause lets a paused container go on.
func (e *Engine) Unpause(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if s.rec.state != "paused" {
			return refuse(500, "Container %s is not paused", s.rec.id)
		}
		e.set(s, now, "running", "unpause")
		return nil
	})
}

// Rename gives a container another name, which must be free.
func (e *Engine) Rename(ref, name string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if name == "" {
			return refuse(400, "Neither old nor new names may be empty")
		}
		if old, ok := e.names[name]; ok {
			return refuse(409, "Conflict. The container name %q is already in use by container %q.", "/"+name, old.rec.id)
		}
		before := s.rec.name
		delete(e.names, before)
		s.rec = s.rec.renamed(name)
		e.names[name] = s
		e.tell(s.rec, now, "rename", "oldName", "/"+before)
		return nil
	})
}

// Remove removes a container; a running one only by force.
func (e *Engine) Remove(ref string, force bool) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		if s.rec.up() {
			if !force {
				return refuse(409, "You cannot remove a running container %s. Stop the container before attempting "+
					"removal or force remove", s.rec.id)
			}
			e.die(s, now, 9)
		}
		e.remove(s)
		e.tell(s.rec, now, "destroy")
		return nil
	})
}

// SetHealth gives a running container the health healthy, unhealthy, starting or "" (no check).
func (e *Engine) SetHealth(ref, health string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		n := *s.rec
		n.health = health
		s.rec = &n
		e.tell(s.rec, now, "health_status: "+health)
		return nil
	})
}

// SetState puts any text as the state without an event, as if the event had been lost.
func (e *Engine) SetState(ref, state string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		s.rec = s.rec.with(state, 0, now)
		return nil
	})
}

// Flip kills a container that runs and starts one that does not.
func (e *Engine) Flip(ref string) error {
	return e.change(ref, func(s *slot, now time.Time) error {
		e.flip(s, now)
		return nil
	})
}

// flip answers how many events it made.
func (e *Engine) flip(s *slot, now time.Time) int {
	if s.rec.up() {
		e.die(s, now, 9)
		return 2
	}
	e.set(s, now, "running", "start")
	return 1
}
