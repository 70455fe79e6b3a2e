package view

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// inspect says why a decky is as it is, from what it reported.
func (v *View) inspect(q messages.GetInspection, now time.Time) (messages.Inspection, error) {
	s, known := v.deckies[q.Name]
	if !known {
		return messages.Inspection{}, fmt.Errorf("decky %q: %w", q.Name, messages.ErrUnknownTarget)
	}
	s = v.shown(s)
	i := messages.Inspection{Decky: s, Facts: v.facts(s, now), Paused: v.pauseOf(q.Name)}
	if r := v.decisions[q.Name]; r != nil {
		i.Decisions = v.decided(r, min(cmp.Or(q.Most, always), maxDecisions))
	}
	return i, nil
}

// decided are the last decisions, newest first, each with what it changed.
func (v *View) decided(r *recent, most int) (out []messages.Decision) {
	for _, p := range r.list(v.archive, most+1) {
		d := v.unpack(p)
		if n := len(out); n > 0 {
			out[n-1].Changed = out[n-1].Since(d)
		}
		out = append(out, d)
	}
	return out[:min(len(out), most)]
}

// maxDecisions bounds one answer. Chosen: a screen shows some fifty.
const maxDecisions = 4096

func (v *View) pauseOf(name string) *messages.Pause {
	var host *messages.Pause
	for _, p := range v.fleet.Pauses {
		switch p.Target {
		case name:
			return &p
		case messages.PauseHost:
			host = &p
		}
	}
	return host
}

// facts are what the three sources say, as last seen. A complete look at a source confirms what it said before; what a
// source that is down once said is not known any more, and its age is that of the last look.
func (v *View) facts(s messages.DeckyStatus, now time.Time) []messages.FactSeen {
	out := []messages.FactSeen{
		{Source: string(messages.SourceDeclared), Presence: s.Declared, SeenAt: s.DeclaredAt, Detail: declaredDetail(s)},
		{Source: string(messages.SourceRecorded), Presence: s.Recorded, SeenAt: s.RecordedAt, Detail: recordedDetail(s)},
		{Source: string(messages.SourceObserved), Presence: s.Observed, SeenAt: s.ObservedAt, Detail: observedDetail(s)},
	}
	for i := range out {
		for _, look := range v.fleet.Sources {
			if string(look.Source) != out[i].Source {
				continue
			}
			out[i].Epoch, out[i].Seq = look.Stamp.Epoch, look.Stamp.Seq
			if look.Whole.After(out[i].SeenAt.Time) {
				out[i].SeenAt = messages.Moment{Time: look.Whole}
			}
			if !look.Known {
				out[i].Detail = strings.TrimSuffix("the source is down; "+out[i].Detail, "; ")
			}
		}
		if !out[i].SeenAt.IsZero() {
			out[i].AgeSeconds = max(0, now.Sub(out[i].SeenAt.Time).Seconds())
		}
	}
	return out
}

func declaredDetail(s messages.DeckyStatus) string {
	if s.Declared != messages.Present.String() {
		return ""
	}
	return "services " + cmp.Or(strings.Join(s.Expected, " "), "none that has a container") + "; ip " + cmp.Or(s.IP, "none")
}

func recordedDetail(s messages.DeckyStatus) string {
	if s.Recorded != messages.Present.String() {
		return ""
	}
	text := "state " + cmp.Or(s.State, "empty")
	if len(s.Drift) > 0 {
		text += "; differs from the file in " + strings.Join(s.Drift, " ")
	}
	return text
}

func observedDetail(s messages.DeckyStatus) string {
	parts := make([]string, 0, len(s.Services)+1)
	for _, x := range s.Services {
		text := x.Service + " " + x.State
		if x.Health != "" {
			text += " (" + x.Health + ")"
		}
		parts = append(parts, text)
	}
	if s.Base != "" {
		parts = append(parts, "base "+s.Base)
	}
	return strings.Join(parts, ", ")
}
