package decky

import (
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// mixedHold is how long the state waits for containers that fit neither list of services. Source: DECNET's mutator
// writes its list before compose has started or removed anything; a build takes minutes at most.
const mixedHold = 120 * time.Second

// arbitrate picks the entry that counts, where DECNET's row `deployment` has other services than the file: the mutator
// writes that row before compose and the file never, so neither is always right, and the containers decide. mixed: they
// fit neither, so nothing can be said of the services yet.
func arbitrate(o *observations) (entry *messages.Declared, mixed bool) {
	file := &o.declared.Entry
	if len(o.declared.Other) == 0 {
		return file, false
	}
	other := &o.declared.Other[0]
	inFile, deployed, there := expected(file.Services), expected(other.Services), present(o)
	recorded := expected(o.recorded.Row.Services)
	switch {
	case slices.Equal(inFile, deployed), slices.Equal(there, inFile):
		return file, false
	case slices.Equal(there, deployed):
		return other, false
	case within(there, recorded) && slices.Equal(recorded, deployed):
		return other, false
	case len(there) == 0, within(there, recorded) && slices.Equal(recorded, inFile):
		return file, false
	case o.mixedSince.IsZero() || o.now.Before(o.mixedSince.Add(mixedHold)):
		return file, true
	case other.LastMutated > file.LastMutated:
		return other, false
	}
	return file, false
}

// present lists the services that have a container in any state, sorted; nil where Docker is unknown.
func present(o *observations) []string {
	if !o.runtime.Known || o.runtime.Refused != "" {
		return nil
	}
	out := make([]string, 0, len(o.runtime.Services))
	for _, s := range o.runtime.Services {
		if !singletons[s.Service] {
			out = append(out, s.Service)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// within says whether every element of part is in whole. Nothing is within anything.
func within(part, whole []string) bool {
	return !slices.ContainsFunc(part, func(s string) bool { return !slices.Contains(whole, s) })
}

// foldMixed notes since when the containers have fitted neither list.
func foldMixed(o *observations) {
	since := o.mixedSince
	o.mixedSince = time.Time{}
	if _, mixed := arbitrate(o); !mixed {
		return
	}
	if o.mixedSince = since; since.IsZero() {
		o.mixedSince = o.now
	}
}
