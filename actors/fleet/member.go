package fleet

import (
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/actors/supervise"
	"github.com/decnet/decnet-fleetd/messages"
)

// member is what the fleet keeps of one decky.
type member struct {
	ref      *supervise.Ref
	declared messages.DeclaredObserved
	recorded messages.RecordedObserved
	permit   messages.DeletePermitted
	holds    messages.HoldsObserved
	pause    messages.PauseObserved
	asked    time.Time // when it asked for a reread; zero: it does not wait for one
	reply    *messages.RowReply
	untold   bool     // its mailbox was full: it hears everything again, reply first
	broken   bool     // in quarantine
	serves   []string // declared and recorded services, as container names spell them
}

// renew computes the services by which unlabelled containers are known, and says whether they changed.
func (m *member) renew() bool {
	var next []string
	lists := [][]string{m.declared.Entry.Services, m.recorded.Row.Services}
	for _, o := range m.declared.Other {
		lists = append(lists, o.Services)
	}
	for _, s := range slices.Concat(lists...) {
		next = append(next, spelled(s))
	}
	slices.Sort(next)
	next = slices.Compact(next)
	same := slices.Equal(next, m.serves)
	m.serves = next
	return !same
}

// wantsDelete: the table has it, the file does not.
func (m *member) wantsDelete() bool {
	return m.declared.Presence == messages.Absent && m.recorded.Presence == messages.Present
}

// roll is the fleet's roster.
type roll map[string]*member

func (r roll) known(decky string) bool { return r[decky] != nil }

func (r roll) serves(decky, service string) bool {
	m := r[decky]
	return m != nil && slices.Contains(m.serves, service)
}
