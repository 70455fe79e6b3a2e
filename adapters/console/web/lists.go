package web

import (
	"cmp"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/decnet/decnet-fleetd/messages"
)

func escapeQuery(s string) string { return url.QueryEscape(s) }

// actorsPage is the tree or the table of actors.
type actorsPage struct {
	Items   []messages.ActorStatus `json:"items"`
	Tree    branch                 `json:"tree"`
	Drawing template.HTML          `json:"-"`
	View    string                 `json:"view"` // tree, table
	Filter  string                 `json:"filter"`
	Sort    string                 `json:"sort"`
	Paging  paging                 `json:"paging"`
	Query   url.Values             `json:"-"`
	Kinds   []string               `json:"kinds"`
}

var actorOrders = map[string]func(a, b messages.ActorStatus) int{
	"pid":      func(a, b messages.ActorStatus) int { return cmp.Compare(a.PID, b.PID) },
	"state":    func(a, b messages.ActorStatus) int { return cmp.Compare(actorRank(a), actorRank(b)) },
	"mailbox":  func(a, b messages.ActorStatus) int { return cmp.Compare(b.Mailbox, a.Mailbox) },
	"hwm":      func(a, b messages.ActorStatus) int { return cmp.Compare(b.HighWater, a.HighWater) },
	"oldest":   func(a, b messages.ActorStatus) int { return cmp.Compare(b.OldestSeconds, a.OldestSeconds) },
	"in":       func(a, b messages.ActorStatus) int { return cmp.Compare(b.InPerSecond, a.InPerSecond) },
	"done":     func(a, b messages.ActorStatus) int { return cmp.Compare(b.Done, a.Done) },
	"p99":      func(a, b messages.ActorStatus) int { return cmp.Compare(b.P99Seconds, a.P99Seconds) },
	"restarts": func(a, b messages.ActorStatus) int { return cmp.Compare(b.Restarts, a.Restarts) },
	"up":       func(a, b messages.ActorStatus) int { return cmp.Compare(a.UpSeconds, b.UpSeconds) },
}

func actorRank(a messages.ActorStatus) int {
	return slices.Index([]string{"bad", "warn", "plain", "good"}, actorTone(a))
}

func (p *Pages) actors(r *http.Request, _ Who) (content, error) {
	q := r.URL.Query()
	d := actorsPage{View: q.Get("view"), Filter: q.Get("filter"), Sort: q.Get("sort"), Query: q}
	all, err := p.cfg.Model.Actors(r.Context(), d.Filter)
	if err != nil {
		return content{}, err
	}
	if d.View != "table" {
		d.View = "tree"
	}
	if d.Filter != "" || d.Sort != "" {
		d.View = "table"
	}
	for _, a := range all {
		if !slices.Contains(d.Kinds, a.Kind) {
			d.Kinds = append(d.Kinds, a.Kind)
		}
	}
	slices.Sort(d.Kinds)
	by, down := strings.CutPrefix(d.Sort, "-")
	compare := actorOrders[by]
	if compare == nil {
		compare = actorOrders["pid"]
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b messages.ActorStatus) int {
		if down {
			return compare(b, a)
		}
		return compare(a, b)
	})
	d.Tree = treeOf(all)
	d.Drawing = drawTree(d.Tree, p.cfg.Escape)
	d.Paging = paged(len(all), numberOf(q.Get("page"), 1, 1<<20), numberOf(q.Get("size"), pageSize, maxPageSize))
	d.Items = all[d.Paging.From:d.Paging.To]
	return content{view: "actors", title: "Actors", nav: "Actors", data: d}, nil
}

// Columns are the heads of the table, each with where it leads.
func (d actorsPage) Columns() []column {
	all := []column{{Name: "Actor", Key: "pid"}, {Name: "State", Key: "state"}, {Name: "Mailbox", Key: "mailbox", Num: true}, {Name: "High", Key: "hwm", Num: true, Label: "most that ever waited"},
		{Name: "Oldest", Key: "oldest", Num: true, Label: "age of the oldest waiting message"}, {Name: "In/s", Key: "in", Num: true}, {Name: "Done", Key: "done", Num: true},
		{Name: "p99", Key: "p99", Num: true, Label: "of a handler"}, {Name: "Restarts", Key: "restarts", Num: true}, {Name: "Up", Key: "up", Num: true}}
	for i := range all {
		c := &all[i]
		next := c.Key
		switch cmp.Or(d.Sort, "pid") {
		case c.Key:
			c.Sort, next = "ascending", "-"+c.Key
		case "-" + c.Key:
			c.Sort = "descending"
		}
		c.Link = with(d.Query, "sort", next, "page", "", "view", "table")
	}
	return all
}

// actorPage is one actor.
type actorPageData struct {
	Actor   messages.ActorStatus   `json:"actor"`
	Crashes []messages.CrashRecord `json:"crashes"`
	Logs    []LogLine              `json:"logs"`
	Offers  []control              `json:"-"`
}

func (p *Pages) actor(r *http.Request, who Who) (content, error) {
	pid := r.PathValue("pid")
	all, err := p.cfg.Model.Actors(r.Context(), "")
	if err != nil {
		return content{}, err
	}
	i := slices.IndexFunc(all, func(a messages.ActorStatus) bool { return a.PID == pid })
	if i < 0 {
		return content{}, &Problem{Status: http.StatusNotFound, Code: "not_found", Detail: "there is no actor " + p.cfg.Escape(pid), Hint: "the page of actors lists them"}
	}
	d := actorPageData{Actor: all[i], Offers: actorControls(all[i], who)}
	if d.Crashes, err = p.cfg.Model.Crashes(r.Context(), pid); err != nil {
		return content{}, err
	}
	if d.Logs, err = p.cfg.Model.Logs(r.Context(), pid); err != nil && !notOffered(err) {
		return content{}, err
	}
	slices.Reverse(d.Logs)
	d.Logs = d.Logs[:min(len(d.Logs), 50)]
	return content{view: "actor", title: p.cfg.Escape(pid), nav: "Actors", data: d}, nil
}

func actorControls(a messages.ActorStatus, who Who) []control {
	out := []control{{Label: "Restart", Path: orderPath("restart", a.PID, true), Key: "R", Hint: "a new incarnation", Allowed: who.May("operator")}}
	if a.State == "quarantined" {
		out[0] = control{Label: "Release", Path: orderPath("release", a.PID, true), Key: "Q", Hint: "let it try again now", Allowed: who.May("operator")}
	}
	return append(out, control{Label: "Tap", Path: "/taps?actor=" + escapeQuery(a.PID), Key: "t", Hint: "watch what it handles", Allowed: who.May("operator")},
		control{Label: "Kill", Path: orderPath("kill", a.PID, true), Hint: "crash it, for a drill", Allowed: who.May("admin"), Danger: true})
}

// eventsPage is the list of events, newest first.
type eventsPage struct {
	Items  []messages.Event `json:"items"`
	Type   string           `json:"type"`
	Target string           `json:"target"`
	Types  []string         `json:"types"`
	Seq    int64            `json:"seq"`
	Limit  int              `json:"limit"`
	Query  url.Values       `json:"-"`
}

func (p *Pages) events(r *http.Request, _ Who) (content, error) {
	q := r.URL.Query()
	d := eventsPage{Type: q.Get("type"), Target: q.Get("target"), Limit: numberOf(q.Get("limit"), pageSize, maxPageSize), Query: q}
	page, err := p.cfg.Model.Events(r.Context(), EventQuery{Limit: d.Limit, Type: d.Type, Target: d.Target})
	if err != nil {
		return content{}, err
	}
	d.Items, d.Seq = newest(page.Items, d.Limit), page.Seq
	d.Types = []string{"inserted", "state_changed", "config_changed", "deleted", "held", "quarantined", "released", "crash", "component", "control"}
	if d.Type != "" && !slices.Contains(d.Types, d.Type) {
		d.Types = append(d.Types, d.Type)
	}
	return content{view: "events", title: "Events", nav: "Events", data: d}, nil
}

func (p *Pages) crashes(r *http.Request, _ Who) (content, error) {
	actor := r.URL.Query().Get("actor")
	all, err := p.cfg.Model.Crashes(r.Context(), actor)
	if err != nil {
		return content{}, err
	}
	return content{view: "crashes", title: "Crashes", nav: "Crashes", data: map[string]any{"items": all, "actor": actor}}, nil
}

func (p *Pages) crash(r *http.Request, _ Who) (content, error) {
	c, err := p.cfg.Model.Crash(r.Context(), r.PathValue("id"))
	if err != nil {
		return content{}, err
	}
	return content{view: "crash", title: "Crash " + r.PathValue("id"), nav: "Crashes", data: c}, nil
}

func (p *Pages) deadLetters(r *http.Request, _ Who) (content, error) {
	group := r.URL.Query().Get("group")
	all, err := p.cfg.Model.DeadLetters(r.Context(), group)
	if err != nil {
		return content{}, err
	}
	return content{view: "deadletters", title: "Dead letters", nav: "Dead letters", doc: all,
		data: map[string]any{"Items": all.Items, "Total": all.Total, "Group": group}}, nil
}

func (p *Pages) audit(r *http.Request, _ Who) (content, error) {
	filter := r.URL.Query().Get("filter")
	all, err := p.cfg.Model.Audit(r.Context(), filter)
	if err != nil {
		return content{}, err
	}
	all = all[:min(len(all), maxPageSize)]
	return content{view: "audit", title: "Audit", nav: "Audit", data: map[string]any{"items": all, "filter": filter}}, nil
}

func (p *Pages) logs(r *http.Request, _ Who) (content, error) {
	actor := r.URL.Query().Get("actor")
	all, err := p.cfg.Model.Logs(r.Context(), actor)
	if err != nil {
		return content{}, err
	}
	all = slices.Clone(all[max(0, len(all)-500):])
	slices.Reverse(all)
	return content{view: "logs", title: "Log", data: map[string]any{"items": all, "actor": actor}}, nil
}

func (p *Pages) help(*http.Request, Who) (content, error) {
	return content{view: "help", title: "Keys", data: keyTable}, nil
}
