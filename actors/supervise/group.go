package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// renewal is the restart of a group, one for all: every member ends before the first begins again.
type renewal struct {
	waiting map[*Ref]struct{} // members that have not ended yet
	wait    time.Duration     // between the last end and the first begin
	cause   string
}

// renewalDue: the wait of a renewal is over.
type renewalDue struct {
	group string
	what  *renewal
}

// group is the key of the actors that restart together; one without a group is a group of its own.
func (r *Ref) group() string {
	if r.spec.Group == "" {
		return "actor " + r.Name()
	}
	return "group " + r.spec.Group
}

// escalate answers a subsystem that crashed too often: its group restarts, or the root gives up.
func (v *supervisor) escalate(m crashed) {
	past, over := giveUp(v.escalations, v.sys.cfg.Now(), v.sys.policy.Root)
	v.escalations = past
	if over {
		v.emit(m.event(EventEscalated, 0))
		v.quit(m)
		return
	}
	wait := backoff(len(past), v.sys.cfg.Jitter(), v.sys.policy)
	v.emit(m.event(EventEscalated, wait))
	v.renew(m.ref.group(), &renewal{waiting: map[*Ref]struct{}{}, wait: wait, cause: m.ref.Name() + ": " + m.crash.reason})
}

// ErrGaveUp is what Fatal delivers.
var ErrGaveUp = errors.New("supervise: root gave up")

func (v *supervisor) quit(m crashed) {
	err := fmt.Errorf("%w: %d restarts of groups within %v, the last for %s: %s",
		ErrGaveUp, len(v.escalations), v.sys.policy.Root.Window, m.ref.Name(), m.crash.reason)
	select {
	case v.sys.fatal <- err:
	default: // said already, and nobody has listened yet
	}
}

// renew ends the members in the reverse order of start.
func (v *supervisor) renew(group string, what *renewal) {
	v.renewals[group] = what
	for _, r := range slices.Backward(v.members(group)) {
		v.cancel(&r.kid)
		if !r.kid.down {
			what.waiting[r] = struct{}{}
			r.send(halt{r.kid.number})
		}
	}
	v.whenEnded(group, what)
}

// members are the group's actors that begin again with it, in the order of start. One in quarantine stays there, one that
// stops goes on stopping.
func (v *supervisor) members(group string) []*Ref {
	var refs []*Ref
	for r := range v.kids {
		if r.group() == group && !r.kid.closing && r.kid.number > 0 && !r.box.is(Quarantined) {
			refs = append(refs, r)
		}
	}
	slices.SortFunc(refs, bySeq)
	return refs
}

// halted notes that a member has ended by order.
func (v *supervisor) halted(m halted) {
	k := &m.ref.kid
	if m.number != k.number || k.down {
		return
	}
	k.down = true
	switch {
	case k.closing:
		v.wind(m.ref)
	case !v.fell(m.ref): // the renewal that ordered it is gone: do not leave it lying
		v.later(m.ref, v.sys.policy.BackoffMin)
	}
}

// fell notes that an actor has ended. It answers true if a renewal of its group will begin it again.
func (v *supervisor) fell(r *Ref) bool {
	group := r.group()
	what := v.renewals[group]
	if what == nil {
		return false
	}
	delete(what.waiting, r)
	v.whenEnded(group, what)
	return true
}

func (v *supervisor) whenEnded(group string, what *renewal) {
	if len(what.waiting) == 0 {
		time.AfterFunc(what.wait, func() { v.sys.report(renewalDue{group, what}) })
	}
}

// renewed begins the members again, with clean histories. They begin side by side, as they did at first.
func (v *supervisor) renewed(m renewalDue) {
	if v.renewals[m.group] != m.what || v.shutting {
		return
	}
	delete(v.renewals, m.group)
	for _, r := range v.members(m.group) {
		if r.kid.down {
			r.kid.past = history{}
			v.begin(r)
		}
	}
	kind, id, _ := strings.Cut(m.group, " ")
	v.emit(Event{What: EventGroupRestarted, Kind: kind, ID: id, Reason: m.what.cause})
}
