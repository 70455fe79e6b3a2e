package tui

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

var tabs = []string{"overview", "decisions", "timeline", "crashes", "state"}

// detail draws one decky: why it is as it is.
func (m *Model) detail(lines int) []string {
	var names []string
	for i, t := range tabs {
		if i == m.tab {
			t = "[" + t + "]"
		}
		names = append(names, t)
	}
	out := []string{m.paint(toneHead, " "+strings.Join(names, "  ")), ""}
	it := m.inspection()
	if err := m.troubles[Detail]; err != nil {
		out = append(out, m.paint(toneWarn, " "+m.cfg.Escape(err.Error())))
	}
	var text []string
	switch tabs[m.tab] {
	case "overview":
		text = m.overview(it)
	case "decisions":
		text = m.decisions(it)
	case "timeline":
		text = m.timeline(it)
	case "crashes":
		text = m.crashes(it)
	default:
		text = pretty(it)
	}
	for i := range text {
		text[i] = " " + m.cfg.Escape(text[i])
	}
	p := m.here()
	room := max(1, lines-len(out))
	p.top = max(0, min(p.cursor, len(text)-room))
	p.cursor = p.top
	return append(out, text[p.top:min(len(text), p.top+room)]...)
}

// inspection is what the daemon said, or at least what the list said.
func (m *Model) inspection() messages.Inspection {
	if m.insight != nil {
		return *m.insight
	}
	it := messages.Inspection{Decky: m.subject}
	for _, e := range slices.Backward(m.events) {
		if e.Target == m.subject.Name {
			it.Timeline = append(it.Timeline, e)
		}
	}
	return it
}

func (m *Model) overview(it messages.Inspection) []string {
	d := it.Decky
	out := []string{
		fmt.Sprintf("%s %s   %s   node %s   services %s", m.mark(d.Standing()), strings.ToUpper(d.Standing()), d.IP, d.HostUUID, strings.Join(d.Expected, " ")),
		"",
		"why      " + d.Reason + phaseWords(d),
	}
	if h := d.Held; h != nil {
		out = append(out, "held     "+h.What+": "+h.Why+until(m, h))
	}
	if p := it.Paused; p != nil {
		out = append(out, fmt.Sprintf("paused   by %s, %s ago: %s", p.By, m.age(p.Since), p.Reason))
	}
	if it.StaleFor > 0 {
		out = append(out, "stale    its actor is stuck: this is "+seconds(it.StaleFor)+" old")
	}
	out = append(out, "", "JSON     "+d.Declared, "DB       "+d.Recorded+" "+d.State, "Docker   "+d.Observed+" "+d.Aggregate)
	for _, s := range d.Services {
		out = append(out, fmt.Sprintf("           %-16s %s %s", s.Service, s.State, s.Health))
	}
	for _, f := range it.Facts {
		out = append(out, fmt.Sprintf("%-8s %s, %s ago (epoch %d, seq %d)  %s", f.Source, f.Presence, seconds(f.AgeSeconds), f.Epoch, f.Seq, f.Detail))
	}
	a := it.Actor
	out = append(out, "", fmt.Sprintf("mailbox %d / most %d   oldest %s   handled %d   crashes %d   restarts %d", d.Mailbox, d.HighWater,
		seconds(a.OldestSeconds), a.Done, a.Crashes, d.Restarts))
	if d.Rev > 0 {
		out = append(out, fmt.Sprintf("last     rev %d, %s ago, by %s", d.Rev, m.age(d.ChangedAt), d.Cause))
	}
	return out
}

func phaseWords(d messages.DeckyStatus) string {
	if d.Phase == "" || d.Phase == "quiet" {
		return ""
	}
	return " (" + d.Phase + ")"
}

func until(m *Model, h *messages.Held) string {
	switch {
	case h.Hash != "":
		return "; approve with `decnet-fleetd approve " + h.Hash + "`"
	case h.Until.IsZero():
		return ""
	}
	return ", for " + short(max(0, h.Until.Sub(m.cfg.Now())))
}

func (m *Model) decisions(it messages.Inspection) []string {
	if len(it.Decisions) == 0 {
		return []string{"none is kept"}
	}
	var out []string
	for _, d := range it.Decisions {
		text := fmt.Sprintf("%8s ago  %-10s  %s", m.age(d.At), d.State, d.Reason)
		if d.Action != "" {
			text += "  => " + d.Action
		}
		if d.Held != nil {
			text += "  held " + d.Held.Text()
		}
		if len(d.Changed) > 0 {
			text += "  [" + strings.Join(d.Changed, " ") + " changed]"
		}
		if d.Times > 1 {
			text += fmt.Sprintf("  (%d times)", d.Times)
		}
		out = append(out, text)
	}
	return out
}

func (m *Model) timeline(it messages.Inspection) []string {
	if len(it.Timeline) == 0 {
		return []string{"nothing has happened since the daemon started"}
	}
	var out []string
	for _, e := range it.Timeline {
		out = append(out, fmt.Sprintf("%s  %-14s %s -> %s  %s  seq %d", e.At.Local().Format(time.DateTime), e.Type, e.From, e.To, e.Cause, e.Seq))
	}
	return out
}

func (m *Model) crashes(it messages.Inspection) []string {
	if len(it.Crashes) == 0 {
		return []string{"it has not crashed"}
	}
	var out []string
	for _, c := range it.Crashes {
		out = append(out, fmt.Sprintf("#%d  %s ago  %s", c.ID, m.age(c.At), c.Reason), "  message "+c.Message, "  state   "+c.State)
		for l := range strings.SplitSeq(c.Stack, "\n") {
			out = append(out, "    "+strings.ReplaceAll(l, "\t", "  "))
		}
	}
	return out
}

func pretty(v any) []string {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return []string{err.Error()}
	}
	return strings.Split(string(raw), "\n")
}

// asJSON shows the row under the cursor as the API has it.
func (m *Model) asJSON(lines int) []string {
	out := pretty(m.document())
	for i := range out {
		out[i] = " " + m.cfg.Escape(out[i])
	}
	return fill(out, lines)
}

// document is what the row under the cursor stands for.
func (m *Model) document() any {
	id := m.current()
	switch m.screen {
	case Deckies:
		for _, d := range m.deckies {
			if d.Name == id {
				return d
			}
		}
	case Detail:
		return m.inspection()
	case Runtime:
		return m.status
	case Actors, Events, Crashes, DeadLetters, Audit, Cluster, Help:
	}
	g := m.grid()
	doc := map[string]string{}
	for _, r := range g.view(m.here(), m.faults) {
		if r.id == id {
			for i, c := range g.columns {
				doc[strings.ToLower(c.name)] = r.cells[i]
			}
			break
		}
	}
	return doc
}
