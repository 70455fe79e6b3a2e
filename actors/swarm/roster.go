package swarm

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// roster is the rows of all other hosts: values, no actors. What repeats is kept once.
type roster struct {
	rows   map[string]map[string]messages.MirrorRow // by host, by name
	texts  map[string]string
	during map[[2]string]bool // told of since a read of the table began; nil: none runs
}

func newRoster() *roster {
	return &roster{rows: map[string]map[string]messages.MirrorRow{}, texts: map[string]string{}}
}

// maxTexts bounds the texts that are kept once. Chosen: states, causes and lists of services are a few hundred.
const maxTexts = 4096

func (r *roster) once(text string) string {
	if t, known := r.texts[text]; known {
		return t
	}
	if len(r.texts) < maxTexts {
		t := strings.Clone(text)
		r.texts[t] = t
		return t
	}
	return text
}

func (r *roster) keep(x messages.MirrorRow) {
	x.State, x.Services, x.Cause, x.HostUUID = r.once(x.State), r.once(x.Services), r.once(x.Cause), r.once(x.HostUUID)
	if r.rows[x.HostUUID] == nil {
		r.rows[x.HostUUID] = map[string]messages.MirrorRow{}
	}
	r.rows[x.HostUUID][x.Name] = x
}

func (r *roster) drop(host, name string) {
	if delete(r.rows[host], name); len(r.rows[host]) == 0 {
		delete(r.rows, host)
	}
}

// told takes what was just committed.
func (r *roster) told(m Mirrored) {
	for _, x := range m.Rows {
		r.keep(x)
		r.mark(m.HostUUID, x.Name)
	}
	for _, name := range m.Gone {
		r.drop(m.HostUUID, name)
		r.mark(m.HostUUID, name)
	}
}

func (r *roster) mark(host, name string) {
	if r.during != nil {
		r.during[[2]string{host, name}] = true
	}
}

func (r *roster) reading() { r.during = map[[2]string]bool{} }

// read takes a complete look at the table. What was told of since it began is newer. It gives the hosts of whose rows
// somebody else changed or removed one: their own word is needed.
func (r *roster) read(rows []messages.MirrorRow) (spoiled map[string]bool) {
	was, there := r.rows, map[[2]string]bool{}
	spoiled = map[string]bool{}
	r.rows = map[string]map[string]messages.MirrorRow{}
	for _, x := range rows {
		if r.during[[2]string{x.HostUUID, x.Name}] {
			continue
		}
		if before, known := was[x.HostUUID][x.Name]; known && before.Rev == x.Rev {
			x.Cause = before.Cause
			spoiled[x.HostUUID] = spoiled[x.HostUUID] || x.Rev > 0 && x.State != before.State
		}
		there[[2]string{x.HostUUID, x.Name}] = true
		r.keep(x)
	}
	for host, names := range was {
		for name, x := range names {
			key := [2]string{host, name}
			spoiled[host] = spoiled[host] || x.Rev > 0 && !there[key] && !r.during[key]
		}
	}
	for key := range r.during {
		if x, there := was[key[0]][key[1]]; there {
			r.keep(x)
		}
	}
	r.during = nil
	maps.DeleteFunc(spoiled, func(_ string, is bool) bool { return !is })
	return spoiled
}

// hosts that have rows.
func (r *roster) hosts() []string { return slices.Collect(maps.Keys(r.rows)) }

// deckies are the rows as every face of the console shows them.
func (r *roster) deckies(name func(host string) (string, bool)) []messages.DeckyStatus {
	n := 0
	for _, rows := range r.rows {
		n += len(rows)
	}
	out := make([]messages.DeckyStatus, 0, n)
	for host, rows := range r.rows {
		node, stale := name(host)
		for _, x := range rows {
			out = append(out, shown(x, node, stale))
		}
	}
	slices.SortFunc(out, func(a, b messages.DeckyStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.HostUUID, b.HostUUID))
	})
	return out
}

// shown is a row of another host: the hub knows what it says, the rest is known to that host.
func shown(x messages.MirrorRow, node string, stale bool) messages.DeckyStatus {
	s := messages.DeckyStatus{HostUUID: x.HostUUID, Name: x.Name, State: x.State, Declared: messages.Unknown.String(), Recorded: messages.Present.String(),
		Observed: messages.Unknown.String(), IP: x.IP, Phase: "quiet", Reason: "as " + node + " reported it", Rev: x.Rev, Cause: x.Cause, ChangedAt: x.UpdatedAt,
		Node: node, Stale: stale}
	_ = json.Unmarshal([]byte(x.Services), &s.Expected) // what is no list is none
	if x.LastError != "" {
		s.Reason += ": " + x.LastError
	}
	return s
}

// states counts rows by state.
func (r *roster) states(into map[string]int) {
	for _, rows := range r.rows {
		for _, x := range rows {
			into[cmp.Or(x.State, "unrecorded")]++
		}
	}
}
