package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

// concern is one thing that needs somebody.
type concern struct {
	Level   string           `json:"level"` // bad, warn
	What    string           `json:"what"`  // decky, component, held, actor, file
	Name    string           `json:"name"`
	State   string           `json:"state"`
	Since   messages.Moment  `json:"since"`
	Why     string           `json:"why"`
	Path    string           `json:"path,omitempty"`
	Offers  []offer          `json:"offers,omitempty"`
	Members []string         `json:"members,omitempty"` // of a held set
	Until   *messages.Moment `json:"until,omitempty"`
}

// offer is something to do about it.
type offer struct {
	Label string `json:"label"`
	Path  string `json:"path"`
}

// most is how many concerns of one kind are listed. Chosen: what fits a screen; the rest is counted and linked.
const most = 12

// attention lists what needs somebody, the worst first. It is the first thing on the first page: an operator in a hurry
// reads it from the top and stops at the first line that explains the rest.
func attention(st messages.Status, deckies []messages.DeckyStatus, actors []messages.ActorStatus) []concern {
	var out []concern
	for _, c := range st.Components {
		if t := tone(c.State); t == "bad" || t == "warn" {
			out = append(out, concern{Level: t, What: "component", Name: c.Component, State: c.State, Since: c.Since, Why: c.Detail})
		}
	}
	out = append(out, heldSets(st.Held)...)
	for _, a := range actors {
		if a.Stuck {
			out = append(out, concern{Level: "bad", What: "actor", Name: a.PID, State: "stuck", Path: actorPath(a.PID),
				Why: "one message has been in its handler for " + span(a.InHandlerSeconds)})
		} else if a.State == "quarantined" && a.Kind != "decky" {
			out = append(out, concern{Level: "bad", What: "actor", Name: a.PID, State: a.State, Path: actorPath(a.PID), Why: fmt.Sprintf("%d crashes", a.Crashes)})
		}
	}
	out = append(out, deckyConcerns(deckies, st.Paused)...)
	for _, f := range st.Rejected {
		out = append(out, concern{Level: "warn", What: "file", Name: f.Where, State: "refused", Why: strings.TrimSpace(f.What + ". " + f.Remedy)})
	}
	for _, w := range st.Warnings {
		out = append(out, concern{Level: "warn", What: "warning", State: "warn", Why: w})
	}
	slices.SortStableFunc(out, func(a, b concern) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// rank puts causes before effects: a dependency that is down explains deckies that are.
func rank(c concern) int {
	order := []string{"component bad", "held warn", "actor bad", "decky bad", "component warn", "decky warn", "file warn", "warning warn"}
	return slices.Index(order, c.What+" "+c.Level)
}

// heldSets gathers deletions that wait for one approval.
func heldSets(held []messages.DeckyHeld) []concern {
	var out []concern
	at := map[string]int{}
	for _, h := range held {
		if h.Hash == "" {
			continue // its decky shows it
		}
		i, known := at[h.Hash]
		if !known {
			i = len(out)
			at[h.Hash] = i
			out = append(out, concern{Level: "warn", What: "held", State: "held", Why: h.Why, Path: "/deckies?phase=held",
				Offers: []offer{{"Approve…", "/act?verb=approve&target=" + h.Hash}}})
		}
		out[i].Members = append(out[i].Members, h.Name)
	}
	for i := range out {
		out[i].Name = counted(len(out[i].Members), "deletion", "deletions")
	}
	return out
}

func deckyConcerns(deckies []messages.DeckyStatus, pauses []messages.Pause) []concern {
	var out []concern
	for _, d := range deckies {
		c := concern{What: "decky", Name: d.Name, State: d.Standing(), Since: d.ChangedAt, Why: why(d), Path: deckyPath(d.HostUUID, d.Name)}
		switch c.Level = tone(c.State); {
		case c.State == "quarantined":
			c.Since = d.QuarantinedAt
			c.Offers = []offer{{"Release…", orderPath("release", d.Name, false)}}
		case c.State == "paused":
			c.Offers = []offer{{"Resume…", orderPath("resume", d.Name, false)}}
			c.pausedBy(pauses)
		case c.Level == "bad", c.Level == "warn":
			c.Offers = []offer{{"Resync…", orderPath("resync", d.Name, false)}}
		default:
			continue
		}
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b concern) int { return cmp.Compare(severity(a.State), severity(b.State)) })
	return out
}

// pausedBy tells since when, by whom and why: its own pause before the host's.
func (c *concern) pausedBy(pauses []messages.Pause) {
	i := slices.IndexFunc(pauses, func(p messages.Pause) bool { return p.Target == c.Name })
	if i < 0 {
		i = slices.IndexFunc(pauses, func(p messages.Pause) bool { return p.Target == messages.PauseHost })
	}
	if i < 0 {
		return
	}
	p := pauses[i]
	c.Since, c.Why = p.Since, strings.TrimSuffix("by "+p.By+": "+p.Reason, ": ")
}

// severity orders states, the worst first.
func severity(state string) int {
	order := []string{"quarantined", "failed", "torn_down", "degraded", "held", "paused", "pending", "unrecorded", "running"}
	if i := slices.Index(order, state); i >= 0 {
		return i
	}
	return len(order) - 2
}

// why is the shortest explanation of how a decky is: what is missing, else what it says itself.
func why(d messages.DeckyStatus) string {
	if d.Phase == "quarantined" {
		return d.Reason
	}
	var bad []string
	for _, s := range d.Services {
		if s.State != "running" {
			bad = append(bad, s.Service+" "+s.State)
		}
	}
	if missing := len(d.Expected) - len(d.Services); missing > 0 && d.Observed == "present" {
		bad = append(bad, counted(missing, "service has", "services have")+" no container")
	}
	if len(bad) > 4 {
		bad = append(bad[:3], fmt.Sprintf("and %d more", len(bad)-3))
	}
	if d.Held != nil {
		bad = append(bad, d.Held.What+" held: "+d.Held.Why)
	}
	if len(bad) == 0 {
		return d.Reason
	}
	return strings.Join(bad, ", ")
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(int64(n)) + " " + many
}

// faulty: what the key ctrl-z leaves in the list.
func faulty(d messages.DeckyStatus) bool {
	return d.Standing() != "running" || d.Held != nil || d.Restarts > 0
}

// orders are the keys deckies can be sorted by.
var orders = map[string]func(a, b *messages.DeckyStatus) int{
	"name": func(a, b *messages.DeckyStatus) int { return cmp.Compare(a.Name, b.Name) },
	"state": func(a, b *messages.DeckyStatus) int {
		return cmp.Compare(severity(a.Standing()), severity(b.Standing()))
	},
	"services": func(a, b *messages.DeckyStatus) int { return cmp.Compare(missing(b), missing(a)) },
	"host":     func(a, b *messages.DeckyStatus) int { return cmp.Compare(a.Node, b.Node) },
	"ip":       func(a, b *messages.DeckyStatus) int { return cmp.Compare(ipKey(a.IP), ipKey(b.IP)) },
	"mailbox":  func(a, b *messages.DeckyStatus) int { return cmp.Compare(b.Mailbox, a.Mailbox) },
	"restarts": func(a, b *messages.DeckyStatus) int { return cmp.Compare(b.Restarts, a.Restarts) },
	"changed":  func(a, b *messages.DeckyStatus) int { return b.ChangedAt.Compare(a.ChangedAt.Time) },
}

func missing(d *messages.DeckyStatus) int { return len(d.Expected) - d.Up }

// ipKey sorts 10.0.4.7 before 10.0.4.12.
func ipKey(ip string) string {
	parts := strings.Split(ip, ".")
	for i, p := range parts {
		parts[i] = fmt.Sprintf("%4s", p)
	}
	return strings.Join(parts, ".")
}

// sorted orders deckies by a key, "-" before it the other way round. An unknown key is the name. It moves pointers: a
// status is large, and a fleet has thousands.
func sorted(all []messages.DeckyStatus, by string) []*messages.DeckyStatus {
	by, down := strings.CutPrefix(by, "-")
	compare := orders[by]
	if compare == nil {
		compare = orders["name"]
	}
	out := make([]*messages.DeckyStatus, len(all))
	for i := range all {
		out[i] = &all[i]
	}
	order := compare
	if down {
		order = func(a, b *messages.DeckyStatus) int { return compare(b, a) }
	}
	if !slices.IsSortedFunc(out, order) {
		slices.SortStableFunc(out, order)
	}
	return out
}

// paging is a part of a long list.
type paging struct {
	Page, Pages, From, To, Total int
}

func paged(total, page, size int) paging {
	pages := max(1, (total+size-1)/size)
	page = max(1, min(page, pages))
	return paging{Page: page, Pages: pages, From: (page - 1) * size, To: min(page*size, total), Total: total}
}

// shares counts deckies by standing, the worst first.
type share struct {
	State string `json:"state"`
	Count int    `json:"count"`
}

func shares(deckies []messages.DeckyStatus) []share {
	count := map[string]int{}
	for _, d := range deckies {
		count[d.Standing()]++
	}
	out := make([]share, 0, len(count))
	for s, n := range count {
		out = append(out, share{s, n})
	}
	slices.SortFunc(out, func(a, b share) int {
		return cmp.Or(cmp.Compare(severity(a.State), severity(b.State)), cmp.Compare(a.State, b.State))
	})
	return out
}
