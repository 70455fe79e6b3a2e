package supervise

import "time"

// crashed records a crash and does what follows from it.
func (v *supervisor) crashed(m crashed) {
	r, k := m.ref, &m.ref.kid
	v.record(m)
	if k.gone || k.down || m.number != k.number {
		return
	}
	k.down = true
	if m.crash.processLost && !k.closing {
		v.respawn(r)
	}
	if k.closing {
		v.wind(r)
		return
	}
	v.follow(m)
}

// record keeps the crash for the console, and announces storms.
func (v *supervisor) record(m crashed) {
	now, p := v.sys.cfg.Now(), v.sys.policy
	v.tell(v.sys.records.add(Crash{
		At: now, Actor: m.ref.Name(), Incarnation: m.number, Reason: m.crash.reason, Stack: m.crash.stack,
		Message: m.crash.message, State: m.crash.state,
	}, p.Crashes))
	var announce bool
	if v.storm, announce = stormy(v.storm, now, v.stormAt, p.Storm); announce {
		v.stormAt = now
		v.emit(Event{What: EventStorm, Kind: m.ref.Kind(), ID: m.ref.ID(), Reason: m.crash.reason})
	}
}

// follow decides what follows the crash of a child that is down now, and does it.
func (v *supervisor) follow(m crashed) {
	r, k := m.ref, &m.ref.kid
	if r.box.isClosing() || v.fell(r) && !k.jailed {
		return // its order to stop is under way, or it begins again with its group
	}
	if k.jailed {
		v.jail(r, m.event(EventQuarantined, 0))
		return
	}
	f := failure{at: v.sys.cfg.Now(), up: m.up, subsystem: r.spec.Subsystem, jitter: v.sys.cfg.Jitter()}
	past, then := judge(k.past, f, v.sys.policy)
	k.past = past
	switch then.do {
	case restart:
		v.later(r, then.after)
		v.emit(m.event(EventRestarting, then.after))
	case quarantine:
		r.box.jail()
		v.later(r, then.after)
		v.emit(m.event(EventQuarantined, then.after))
	case escalate:
		v.escalate(m)
	}
}

func (m crashed) event(what string, retryIn time.Duration) Event {
	return Event{
		What: what, Kind: m.ref.Kind(), ID: m.ref.ID(), Reason: m.crash.reason, Stack: m.crash.stack,
		Message: m.crash.message, Incarnation: m.number, RetryIn: retryIn,
	}
}

// release takes a child out of quarantine. If a retry runs just now it clears the history alone.
func (v *supervisor) release(r *Ref) {
	k := &r.kid
	if k.gone || k.closing || !k.past.quarantined {
		return
	}
	k.past, k.jailed = history{}, false
	v.emit(Event{What: EventReleased, Kind: r.Kind(), ID: r.ID(), Incarnation: k.number})
	if k.down {
		v.begin(r)
	}
}

// jail keeps a child that is down there until it is released.
func (v *supervisor) jail(r *Ref, e Event) {
	v.cancel(&r.kid)
	r.kid.past.quarantined = true
	r.box.jail()
	v.emit(e)
}

// crashIt crashes a child on purpose.
func (v *supervisor) crashIt(m crashIt) {
	r, k := m.ref, &m.ref.kid
	if k.gone || k.closing {
		return
	}
	k.jailed = k.jailed || m.jail
	if k.down {
		if m.jail {
			v.jail(r, Event{What: EventQuarantined, Kind: r.Kind(), ID: r.ID(), Reason: m.why, Incarnation: k.number})
		}
		return
	}
	since, _, busy := r.box.busy()
	if busy && (m.now || isStuck(v.now(), time.Duration(since), v.sys.policy.StuckReport)) {
		v.replace(r, since, m.why)
		return
	}
	r.send(fault{k.number, crash{reason: m.why, message: OnPurpose}})
}

// now is the coarse clock's exact reading.
func (v *supervisor) now() time.Duration { return time.Duration(v.sys.clock.exact()) }
