package web

import (
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// deckyPage says why one decky is as it is.
type deckyPage struct {
	messages.Inspection
	Standing string           `json:"standing"`
	Why      string           `json:"why"`
	Windows  []window         `json:"-"`
	Swim     template.HTML    `json:"-"`
	Lane     lane             `json:"-"`
	Events   []messages.Event `json:"events"` // newest first
	Offers   []control        `json:"-"`
	Whole    bool             `json:"whole"` // the daemon tells facts and decisions
	Path     string           `json:"-"`
}

// window is a length of the timeline that can be chosen.
type window struct {
	Name, Link string
	Here       bool
}

// control is a button of a decky or an actor.
type control struct {
	Label, Path, Key, Hint string
	Allowed                bool
	Danger                 bool
}

var windowLengths = []struct {
	name   string
	length time.Duration
}{{"15m", 15 * time.Minute}, {"1h", time.Hour}, {"6h", 6 * time.Hour}, {"24h", 24 * time.Hour}}

// windowOf is the window that was asked for, else the shortest that has all there is to see, up to six hours.
func windowOf(asked string, events []messages.Event, now time.Time) int {
	first := now
	if len(events) > 0 {
		first = events[0].At.Time
	}
	for i, w := range windowLengths {
		if asked == w.name {
			return i
		}
		if i < len(windowLengths)-2 && asked == "" && now.Sub(first) <= w.length {
			return i
		}
	}
	return len(windowLengths) - 2
}

func (p *Pages) decky(r *http.Request, who Who) (content, error) {
	id := r.PathValue("id")
	i, err := p.cfg.Model.Inspect(r.Context(), id)
	if err != nil {
		return content{}, err
	}
	now := p.cfg.Now()
	page, err := p.cfg.Model.Events(r.Context(), EventQuery{Limit: eventsKept})
	if err != nil {
		return content{}, err
	}
	events := ofDecky(page.Items, i.Decky.Name)
	d := deckyPage{Inspection: i, Standing: i.Decky.Standing(), Why: why(i.Decky), Whole: len(i.Facts) > 0, Path: deckyPath(i.Decky.HostUUID, i.Decky.Name)}
	shown := windowOf(r.URL.Query().Get("window"), events, now)
	length := windowLengths[shown].length
	for k, w := range windowLengths {
		d.Windows = append(d.Windows, window{w.name, with(r.URL.Query(), "window", w.name), k == shown})
	}
	d.Lane = laneOf(i.Decky.Name, d.Standing, events, now.Add(-length), now)
	d.Swim = swimlane(d.Lane, p.cfg.Escape)
	d.Events = newest(events, 20)
	d.Offers = deckyControls(i, who)
	return content{view: "decky", title: p.cfg.Escape(i.Decky.Name), nav: "Deckies", data: d}, nil
}

// ofDecky leaves the events of one decky, and those of its actor.
func ofDecky(events []messages.Event, name string) []messages.Event {
	return slices.DeleteFunc(slices.Clone(events), func(e messages.Event) bool { return e.Target != name && e.Target != deckyKind+name })
}

// deckyControls are the buttons of a decky as it is now, for whoever looks. What a role may not do is shown and says so:
// a button that is missing sends people looking for it.
func deckyControls(i messages.Inspection, who Who) []control {
	name, jailed := i.Decky.Name, i.Decky.Phase == "quarantined"
	out := []control{{Label: "Resync", Path: orderPath("resync", name, false), Key: "r", Hint: "read every source again and decide anew"}}
	if i.Paused != nil {
		out = append(out, control{Label: "Resume", Path: orderPath("resume", name, false), Key: "P", Hint: "let its row be written again"})
	} else {
		out = append(out, control{Label: "Pause", Path: orderPath("pause", name, false), Key: "P", Hint: "do not write its row until somebody resumes it"})
	}
	if jailed {
		out = append(out, control{Label: "Release", Path: orderPath("release", name, false), Key: "Q", Hint: "let its actor try again now"})
	} else {
		out = append(out, control{Label: "Restart actor", Path: orderPath("restart", name, false), Key: "R", Hint: "a new incarnation of its actor; containers are not touched"},
			control{Label: "Quarantine", Path: orderPath("quarantine", name, false), Key: "Q", Hint: "stop its actor until somebody releases it", Danger: true})
	}
	out = append(out, control{Label: "Tap", Path: "/taps?actor=decky/" + escapeQuery(name), Key: "t", Hint: "watch what its actor handles"})
	for k := range out {
		out[k].Allowed = who.May("operator")
	}
	return out
}
