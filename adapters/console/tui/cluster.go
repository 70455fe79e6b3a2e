package tui

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/decnet/decnet-fleetd/messages"
)

// hostVerbs are about whole hosts.
var hostVerbs = []string{"drain", "undrain", "forget"}

func ofHosts(verb string) bool { return slices.Contains(hostVerbs, verb) }

// daemon is that of the chosen host.
func (m *Model) daemon() Daemon {
	if m.scope.HostUUID == "" {
		return m.cfg.Daemon
	}
	return m.cfg.Daemon.At(m.scope.HostUUID)
}

// place is the host that is asked.
func (m *Model) place() string {
	if m.scope.HostUUID != "" {
		return "@" + cmp.Or(m.scope.Name, m.scope.HostUUID)
	}
	return m.status.HostUUID
}

// choose asks another host from now on; "" or all asks this one.
func (m *Model) choose(name string) tea.Cmd {
	var to messages.Member
	if name != "" && name != "all" {
		if to = m.memberNamed(name); to.HostUUID == "" {
			to = messages.Member{HostUUID: name, Name: name} // the daemon knows whether there is one
		}
	}
	if m.stop != nil {
		m.stop()
	}
	m.scope, m.seq, m.gap, m.done = to, -1, false, 0
	m.status, m.deckies, m.events, m.rates, m.insight = messages.Status{}, nil, nil, nil, nil
	m.tables, m.troubles = map[Screen]any{Cluster: m.tables[Cluster]}, map[Screen]error{}
	m.lost, m.live, m.looked = nil, false, time.Time{}
	m.back, m.forward = nil, nil
	return tea.Batch(m.show(Deckies), m.follow())
}

// located finds the name of a host that was chosen before the members were known.
func (m *Model) located() {
	if to := m.memberNamed(m.scope.HostUUID); to.HostUUID != "" {
		m.scope.Name = to.Name
	}
}

func (m *Model) members() []messages.Member {
	all, _ := m.tables[Cluster].([]messages.Member)
	return all
}

func (m *Model) memberNamed(name string) messages.Member {
	for _, x := range m.members() {
		if x.HostUUID == name || x.Name == name && x.Status != messages.MemberGone {
			return x
		}
	}
	return messages.Member{}
}

// hostNames are the names of hosts; none where the targets are deckies.
func (m *Model) hostNames(targets []string) []string {
	if m.screen != Cluster {
		return nil
	}
	out := make([]string, 0, len(targets))
	for _, t := range targets {
		out = append(out, cmp.Or(m.memberNamed(t).Name, t))
	}
	return out
}

// drains is what the key of pause means to the host under the cursor.
func (m *Model) drains() string {
	if m.memberNamed(m.current()).Paused {
		return "undrain"
	}
	return "drain"
}

func (m *Model) memberGrid(all []messages.Member) grid {
	g := grid{empty: "this host runs alone", columns: []column{{name: "NAME"}, {name: "STATUS"}, {name: "ROLE", rank: 3}, {name: "HEARD", rank: 1}, {name: "DECKIES"}, {name: "LAG", rank: 2},
		{name: "VERSION", rank: 4}, {name: "CLOCK", rank: 5}, {name: "CERT", rank: 3}, {name: "ADDR", rank: 6}, {name: "WHY", rank: 7}}}
	now := m.cfg.Now()
	for _, x := range all {
		status, t, wrong := string(x.Status), memberTone(x, now), x.Status != messages.MemberUp || x.Paused || x.Health != "" || x.Skewed
		mark := map[tone]string{toneBad: "!", toneWarn: "~", toneGood: m.glyph(m.cfg.ASCII, ".", "·")}[t]
		for _, more := range []string{map[bool]string{true: "drained"}[x.Paused], x.Health} {
			if more != "" {
				status += "," + more
			}
		}
		v, clock := cmp.Or(x.Version, "-"), "-"
		if x.Skewed {
			v += " !="
		}
		if x.SkewSeconds > 0.05 || x.SkewSeconds < -0.05 {
			clock = fmt.Sprintf("%+.1fs", x.SkewSeconds)
		}
		heard := -float64(x.LastContact.UnixNano())
		g.rows = append(g.rows, m.row(x.HostUUID, t, []string{x.Name, mark + " " + status, x.Role, m.age(x.LastContact), number(int64(x.Deckies)), number(x.Lag), v, clock,
			ends(x.CertExpires, now), cmp.Or(x.Address, "-"), strings.ReplaceAll(x.Why, "\n", "; ")}, wrong || t != toneGood,
			[]float64{0, 0, 0, heard, float64(x.Deckies), float64(x.Lag), 0, x.SkewSeconds, float64(x.CertExpires.Unix()), 0, 0}))
	}
	return g
}

// memberTone warns of a certificate a month before it ends, as the command line does.
func memberTone(x messages.Member, now time.Time) tone {
	left := x.CertExpires.Sub(now)
	ends := !x.CertExpires.IsZero()
	switch {
	case x.Status == messages.MemberStale, ends && left <= 0:
		return toneBad
	case x.Status != messages.MemberUp, x.Paused, x.Health != "", x.Skewed, ends && left < 30*24*time.Hour:
		return toneWarn
	}
	return toneGood
}

func ends(at messages.Moment, now time.Time) string {
	switch left := at.Sub(now); {
	case at.IsZero():
		return "-"
	case left <= 0:
		return "expired"
	default:
		return short(left)
	}
}

// nodeOf is the host of a decky, with a mark where that is silent.
func nodeOf(d messages.DeckyStatus) string {
	name := cmp.Or(d.Node, d.HostUUID)
	if d.Stale {
		return name + " ~stale"
	}
	return name
}

func ofNode(e messages.Event) string {
	if e.Node == "" {
		return e.Target
	}
	return e.Target + "@" + e.Node
}
