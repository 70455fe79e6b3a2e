package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// grid builds the list of the present screen.
func (m *Model) grid() grid {
	switch m.screen {
	case Deckies:
		return m.deckyGrid()
	case Events:
		return m.eventGrid()
	case Actors:
		return tableOf(m, m.actorGrid)
	case Crashes:
		return tableOf(m, m.crashGrid)
	case DeadLetters:
		return tableOf(m, m.deadGrid)
	case Audit:
		return tableOf(m, m.auditGrid)
	case Cluster:
		return tableOf(m, m.memberGrid)
	case Runtime:
		return m.componentGrid()
	case Detail, Help:
	}
	return grid{}
}

// tableOf builds a list from what was fetched, or says why there is none.
func tableOf[T any](m *Model, build func([]T) grid) grid {
	if err := m.troubles[m.screen]; err != nil {
		g := build(nil)
		g.empty = m.cfg.Escape(err.Error())
		return g
	}
	rows, _ := m.tables[m.screen].([]T)
	return build(rows)
}

func (m *Model) deckyGrid() grid {
	g := grid{empty: "no decky", columns: []column{{name: "NAME"}, {name: "STATE"}, {name: "SVC"}, {name: "NODE", rank: 4}, {name: "IP", rank: 3},
		{name: "MBOX", rank: 5}, {name: "HWM", rank: 6, wide: true}, {name: "RST", rank: 5}, {name: "CHANGED", rank: 2},
		{name: "CAUSE", rank: 1}, {name: "TREND", rank: 2}, {name: "PHASE", rank: 6, wide: true}, {name: "REASON", rank: 7, wide: true}}}
	for _, d := range m.deckies {
		state := d.Standing()
		cause := d.Cause
		if d.Held != nil {
			cause = "held: " + d.Held.What
		}
		g.rows = append(g.rows, m.row(d.Name, toneOf(state), []string{d.Name, m.mark(state) + " " + state, fmt.Sprintf("%d/%d", d.Up, len(d.Expected)),
			nodeOf(d), d.IP, number(d.Mailbox), number(d.HighWater), number(d.Restarts), m.age(d.ChangedAt), cause,
			m.spark(m.trend[d.Name]), d.Phase, d.Reason}, state != "running" || d.Held != nil,
			[]float64{0, severity(state), float64(d.Up), 0, 0, float64(d.Mailbox), float64(d.HighWater), float64(d.Restarts),
				-float64(d.ChangedAt.UnixNano()), 0, 0, 0, 0}).of(d))
	}
	return g
}

// row escapes the cells: nothing that comes from outside is drawn otherwise.
func (m *Model) row(id string, t tone, cells []string, wrong bool, keys []float64) row {
	for i := range cells {
		cells[i] = m.cfg.Escape(cells[i])
	}
	return row{id: id, cells: cells, tone: t, wrong: wrong, keys: keys}
}

// of notes what a row shows: filters look at that, not at what is drawn.
func (r row) of(item any) row { r.item = item; return r }

func severity(state string) float64 {
	return float64(slices.Index([]string{"running", "pending", "unrecorded", "paused", "torn_down", "degraded", "failed", "quarantined"}, state))
}

func (m *Model) eventGrid() grid {
	g := grid{empty: "nothing has happened since the console looks", columns: []column{{name: "TIME"}, {name: "SEQ", rank: 3}, {name: "TYPE", rank: 1},
		{name: "TARGET"}, {name: "FROM", rank: 1}, {name: "TO"}, {name: "CAUSE", rank: 2}}}
	of := slices.ContainsFunc(m.events, func(e messages.Event) bool { return e.Node != "" })
	if of { // one host alone is not named again and again
		g.columns = slices.Insert(g.columns, 4, column{name: "NODE", rank: 2})
	}
	for _, e := range slices.Backward(m.events) {
		cells := []string{e.At.Local().Format(time.TimeOnly), number(e.Seq), e.Type, e.Target, e.From, e.To, e.Cause}
		if of {
			cells = slices.Insert(cells, 4, e.Node)
		}
		g.rows = append(g.rows, m.row(e.Target, toneOf(e.To), cells, toneOf(e.To) != toneGood, []float64{float64(e.Seq), float64(e.Seq), 0, 0, 0, 0, 0}).of(e))
	}
	return g
}

func (m *Model) actorGrid(all []messages.ActorStatus) grid {
	g := grid{empty: "no actor", columns: []column{{name: "PID"}, {name: "KIND", rank: 6, wide: true}, {name: "STATE"}, {name: "MBOX"}, {name: "HWM", rank: 3},
		{name: "OLDEST", rank: 2}, {name: "IN/S", rank: 4}, {name: "OUT/S", rank: 4}, {name: "P99", rank: 5}, {name: "RST", rank: 1}, {name: "UP", rank: 5}}}
	for _, a := range all {
		state := a.State
		if a.Stuck {
			state = "stuck"
		}
		name := a.PID
		if m.tree {
			name = "  " + a.ID
		}
		g.rows = append(g.rows, m.row(a.PID, toneOf(state), []string{name, a.Kind, state, number(a.Mailbox), number(a.HighWater), seconds(a.OldestSeconds),
			rate(a.InPerSecond), rate(a.DonePerSecond), seconds(a.P99Seconds), number(a.Restarts), seconds(a.UpSeconds)},
			state != "running" || a.Mailbox > 0, []float64{0, 0, 0, float64(a.Mailbox), float64(a.HighWater), a.OldestSeconds, a.InPerSecond,
				a.DonePerSecond, a.P99Seconds, float64(a.Restarts), a.UpSeconds}).of(a))
	}
	if m.tree {
		g.rows = byKind(m, all, g.rows)
	}
	return g
}

// byKind puts a line for each kind before its actors.
func byKind(m *Model, all []messages.ActorStatus, rows []row) []row {
	groups, order := map[string][]row{}, []string{}
	for i, a := range all {
		if groups[a.Kind] == nil {
			order = append(order, a.Kind)
		}
		groups[a.Kind] = append(groups[a.Kind], rows[i])
	}
	slices.Sort(order)
	var out []row
	for _, k := range order {
		cells := make([]string, len(rows[0].cells))
		cells[0] = fmt.Sprintf("%s (%d)", k, len(groups[k]))
		out = append(append(out, m.row("", toneHead, cells, true, nil)), groups[k]...)
	}
	return out
}

func (m *Model) crashGrid(all []messages.CrashRecord) grid {
	g := grid{empty: "nothing has crashed", columns: []column{{name: "ID"}, {name: "TIME", rank: 1}, {name: "ACTOR"}, {name: "LIFE", rank: 3},
		{name: "REASON"}, {name: "MESSAGE", rank: 2}}}
	for _, c := range all {
		g.rows = append(g.rows, m.row(strconv.FormatUint(c.ID, 10), toneBad, []string{strconv.FormatUint(c.ID, 10), m.age(c.At), c.Actor,
			number(int64(c.Incarnation)), c.Reason, c.Message}, true, []float64{float64(c.ID), -float64(c.At.UnixNano()), 0, float64(c.Incarnation), 0, 0}).of(c))
	}
	return g
}

func (m *Model) deadGrid(all []messages.DeadLetter) grid {
	g := grid{empty: "no dead letter", columns: []column{{name: "TIME", rank: 1}, {name: "TARGET"}, {name: "TYPE"}, {name: "WHY"}, {name: "COUNT"}}}
	for _, d := range all {
		g.rows = append(g.rows, m.row(d.Target+" "+d.Type, toneWarn, []string{m.age(d.At), d.Target, d.Type, d.Why, number(d.Count)}, true,
			[]float64{-float64(d.At.UnixNano()), 0, 0, 0, float64(d.Count)}).of(d))
	}
	return g
}

func (m *Model) auditGrid(all []messages.AuditEntry) grid {
	g := grid{empty: "nobody has changed anything", columns: []column{{name: "TIME", rank: 1}, {name: "UID"}, {name: "ROLE", rank: 2}, {name: "VIA", rank: 3},
		{name: "VERB"}, {name: "TARGET"}, {name: "REASON", rank: 1}, {name: "RESULT"}}}
	for _, a := range all {
		g.rows = append(g.rows, m.row(number(a.Seq), toneOf(a.Result), []string{m.age(a.Time), number(a.UID), a.Role, a.Via, a.Verb, a.Target, a.Reason, a.Result},
			a.Result != "done", []float64{-float64(a.Time.UnixNano()), float64(a.UID), 0, 0, 0, 0, 0, 0}).of(a))
	}
	return g
}

func (m *Model) componentGrid() grid {
	g := grid{empty: "nothing is known yet", columns: []column{{name: "COMPONENT"}, {name: "STATE"}, {name: "SINCE", rank: 2}, {name: "LATENCY", rank: 1}, {name: "DETAIL"}}}
	for _, c := range m.status.Components {
		g.rows = append(g.rows, m.row(c.Component, toneOf(c.State), []string{c.Component, m.mark(c.State) + " " + c.State, m.age(c.Since),
			seconds(c.LatencySeconds), strings.ReplaceAll(c.Detail, "\n", "; ")}, c.State != "ok" && c.State != "off", nil).of(c))
	}
	return g
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

func rate(r float64) string { return strconv.FormatFloat(r, 'f', 1, 64) }

// seconds writes a duration in its largest unit; "-" for none.
func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d <= 0:
		return "-"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	}
	return short(d)
}

// short is a duration in its two largest units.
func short(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
}

func (m *Model) age(at messages.Moment) string {
	if at.IsZero() {
		return "-"
	}
	return short(max(0, m.cfg.Now().Sub(at.Time)))
}
