package fleet

import (
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// takeDeployed takes DECNET's fourth store in and says whether anybody's services changed by it.
func (f *Fleet) takeDeployed(m messages.RecordedChanged) bool {
	if m.DeployedKept {
		return false
	}
	f.deployed = make(map[string]messages.Deployed, len(m.Deployed))
	for _, d := range m.Deployed {
		f.deployed[d.Name] = d
	}
	renewed := false
	for _, x := range f.roll {
		if x.declared.Presence != messages.Present {
			continue
		}
		if d := f.offer(x.declared); !sameOffer(d.Other, x.declared.Other) {
			x.declared = d
			f.tell(x, d)
			renewed = x.renew() || renewed
		}
	}
	return renewed
}

// offer adds the services that the fourth store has, where they are others. It decides nothing: existence comes from the
// file, and which list counts is for the containers to say.
func (f *Fleet) offer(d messages.DeclaredObserved) messages.DeclaredObserved {
	d.Other = nil
	other, there := f.deployed[d.Entry.Name]
	if d.Presence != messages.Present || !there || f.cfg.Recode == nil || sameServices(other.Services, d.Entry.Services) {
		return d
	}
	if e, err := f.cfg.Recode(d.Entry, other.Services, other.LastMutated); err == nil { // else it is no list DECNET could have meant
		d.Other = []messages.Declared{e}
	}
	return d
}

// seekPatience bounds how often a container that nobody declares has the fourth store read. Source: the table is probed
// as often.
const seekPatience = 2 * time.Second

// seekDeployed has the fourth store read when a container bears the label of a service that neither file nor row has: a
// mutation began.
func (f *Fleet) seekDeployed(now time.Time, changed []messages.Container) {
	strange := slices.ContainsFunc(changed, func(x messages.Container) bool {
		return !x.Stranger && x.Decky != "" && x.Service != "" && f.roll.known(x.Decky) && !f.roll.serves(x.Decky, spelled(x.Service))
	})
	if strange && now.Sub(f.sought) >= seekPatience {
		f.sought = now
		f.poke(messages.SourceRecorded)
	}
}

func sameOffer(a, b []messages.Declared) bool {
	return slices.EqualFunc(a, b, func(x, y messages.Declared) bool { return x.ConfigJSON == y.ConfigJSON })
}

// sameServices compares two lists as sets.
func sameServices(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}
