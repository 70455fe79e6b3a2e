package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// deckiesPage is the list of deckies: filtered, sorted, and one part of it.
type deckiesPage struct {
	Items  []deckyRow `json:"items"`
	Shares []share    `json:"shares"` // of all that the filter selects
	Paging paging     `json:"paging"`
	Filter string     `json:"filter"`
	Sort   string     `json:"sort"`
	Faults bool       `json:"faults"`
	State  string     `json:"state,omitempty"`
	Wide   bool       `json:"wide"`
	Hosts  bool       `json:"-"` // they are of several hosts
	Query  url.Values `json:"-"`
}

// deckyRow is a decky with the history that a row shows.
type deckyRow struct {
	messages.DeckyStatus
	Standing string        `json:"standing"`
	Why      string        `json:"why"`
	Trend    template.HTML `json:"-"`
}

// Chosen: a page of a fleet is painted at once and can be read to its end; a person picks from these.
const (
	pageSize    = 100
	maxPageSize = 1000
	trendShown  = time.Hour
)

func (p *Pages) deckies(r *http.Request, _ Who) (content, error) {
	q := r.URL.Query()
	d := deckiesPage{Filter: q.Get("filter"), Sort: q.Get("sort"), Faults: q.Get("faults") == "1", State: q.Get("state"), Wide: q.Get("wide") == "1", Query: q}
	all, err := p.cfg.Model.Deckies(r.Context(), d.Filter)
	if err != nil {
		return content{}, err
	}
	s := siteOf(r.Context())
	d.Hosts = s.hub() && s.node.HostUUID == ""
	d.Shares = shares(all)
	all = narrowed(all, d.Faults, d.State, q.Get("phase"))
	ordered := sorted(all, d.Sort)
	size := numberOf(q.Get("size"), pageSize, maxPageSize)
	d.Paging = paged(len(all), numberOf(q.Get("page"), 1, 1<<20), size)
	now, part := p.cfg.Now(), ordered[d.Paging.From:d.Paging.To]
	events, err := p.cfg.Model.Events(r.Context(), EventQuery{Limit: eventsKept, Names: namesOf(part)})
	if err != nil {
		return content{}, err
	}
	of := byTarget(events.Items)
	for _, at := range part {
		x := *at
		l := laneOf(x.Name, x.Standing(), of[x.Name], now.Add(-trendShown), now)
		d.Items = append(d.Items, deckyRow{x, x.Standing(), why(x), trend(l, p.cfg.Escape)})
	}
	return content{view: "deckies", title: "Deckies", nav: "Deckies", data: d}, nil
}

func namesOf(deckies []*messages.DeckyStatus) map[string]bool {
	out := make(map[string]bool, len(deckies))
	for _, d := range deckies {
		out[d.Name] = true
	}
	return out
}

// narrowed leaves the deckies that the chips above the list select.
func narrowed(all []messages.DeckyStatus, faults bool, state, phase string) []messages.DeckyStatus {
	if !faults && state == "" && phase == "" {
		return all
	}
	out := make([]messages.DeckyStatus, 0, len(all))
	for _, d := range all {
		if (!faults || faulty(d)) && (state == "" || d.Standing() == state) && (phase == "" || d.Phase == phase || phase == "held" && d.Held != nil) {
			out = append(out, d)
		}
	}
	return out
}

// numberOf reads a number of the address; what is none is the default.
func numberOf(text string, none, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return none
	}
	return min(n, most)
}

// column is a head of the table that sorts.
type column struct {
	Name, Key, Sort, Link, Label string
	Num                          bool
}

// Columns are the heads, each with where it leads.
func (d deckiesPage) Columns() []column {
	all := []column{{Name: "Name", Key: "name"}, {Name: "State", Key: "state"}, {Name: "Services", Key: "services"}, {Name: "Last hour"}, {Name: "IP", Key: "ip"},
		{Name: "Mailbox", Key: "mailbox", Num: true}, {Name: "Restarts", Key: "restarts", Num: true}, {Name: "Changed", Key: "changed", Num: true}, {Name: "Why"}}
	if d.Hosts {
		all = slices.Insert(all, 5, column{Name: "Host", Key: "host"})
	}
	current := d.Sort
	if current == "" {
		current = "name"
	}
	for i := range all {
		c := &all[i]
		if c.Key == "" {
			continue
		}
		next := c.Key
		switch current {
		case c.Key:
			c.Sort, next = "ascending", "-"+c.Key
		case "-" + c.Key:
			c.Sort = "descending"
		}
		c.Link = with(d.Query, "sort", next, "page", "")
	}
	return all
}
