package web

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// figure is one number of the overview with its past.
type figure struct {
	Name  string        `json:"name"`
	Value string        `json:"value"`
	Note  string        `json:"note,omitempty"`
	Curve template.HTML `json:"-"`
	Rows  []float64     `json:"past"` // oldest first
}

// overviewPage is the first page: what needs somebody, then how all of it is.
type overviewPage struct {
	Attention []concern                  `json:"attention"`
	More      int                        `json:"more"` // concerns that are not listed
	Shares    []share                    `json:"shares"`
	Bar       template.HTML              `json:"-"`
	Total     int                        `json:"total"`
	Parts     []messages.ComponentStatus `json:"components"`
	Figures   []figure                   `json:"figures"`
	Latest    []messages.Event           `json:"latest"` // newest first
	Status    messages.Status            `json:"status"`
}

// pastShown is the time the curves of the overview cover.
const pastShown = 15 * time.Minute

func (p *Pages) overview(r *http.Request, _ Who) (content, error) {
	ctx := r.Context()
	st, err := p.cfg.Model.Status(ctx)
	if err != nil {
		return content{}, err
	}
	deckies, err := p.cfg.Model.Deckies(ctx, "")
	if err != nil {
		return content{}, err
	}
	actors, err := p.cfg.Model.Actors(ctx, "")
	if err != nil && !notOffered(err) {
		return content{}, err
	}
	now := p.cfg.Now()
	events, err := p.cfg.Model.Events(ctx, EventQuery{Limit: eventsKept, NotBefore: now.Add(-pastShown)})
	if err != nil {
		return content{}, err
	}
	d := overviewPage{Attention: append(p.hostConcerns(siteOf(ctx)), attention(st, deckies, actors)...), Shares: shares(deckies), Total: len(deckies), Parts: st.Components, Status: st}
	if n := len(d.Attention); n > 2*most {
		d.Attention, d.More = d.Attention[:2*most], n-2*most
	}
	d.Bar = shareBar(d.Shares, p.cfg.Escape)
	past := p.past.of(siteOf(ctx).node.HostUUID)
	p.remember(ctx, past, st, deckies, actors)
	d.Figures = figures(past, st, actors, perBucket(events.Items, now, pastShown, 60))
	d.Latest = newest(events.Items, 8)
	return content{view: "overview", title: "Overview", nav: "Overview", data: d}, nil
}

// eventsKept is as many as a feed keeps.
const eventsKept = 4096

// newest gives the last n events, the newest first.
func newest(events []messages.Event, n int) []messages.Event {
	out := make([]messages.Event, 0, n)
	for i := len(events) - 1; i >= 0 && len(out) < n; i-- {
		out = append(out, events[i])
	}
	return out
}

// remember adds to the curves, at most every few seconds.
func (p *Pages) remember(ctx context.Context, past *past, st messages.Status, deckies []messages.DeckyStatus, actors []messages.ActorStatus) {
	now := p.cfg.Now()
	if !past.due(now) {
		return
	}
	s := sample{at: now}
	for _, d := range deckies {
		s.numbers[curveMailbox] = max(s.numbers[curveMailbox], float64(d.Mailbox))
		s.numbers[curveRestarts] += float64(d.Restarts)
	}
	for _, a := range actors {
		s.numbers[curveMailbox] = max(s.numbers[curveMailbox], float64(a.Mailbox))
		if a.Kind != "decky" {
			s.numbers[curveRestarts] += float64(a.Restarts)
		}
	}
	s.numbers[curveOutbox] = float64(st.OutboxDepth)
	if rt, err := p.cfg.Model.Runtime(ctx); err == nil {
		s.numbers[curveMemory] = float64(rt.RSSBytes)
	}
	past.add(s)
}

func figures(past *past, st messages.Status, actors []messages.ActorStatus, events []float64) []figure {
	last := func(i int) float64 {
		all := past.curve(i)
		if len(all) == 0 {
			return 0
		}
		return all[len(all)-1]
	}
	curve := func(name, value, note string, i int) figure {
		all := past.curve(i)
		return figure{name, value, note, spark(all, name+" while somebody looked, at most 15 minutes"), all}
	}
	total := 0.0
	for _, n := range events {
		total += n
	}
	out := []figure{
		{"Events", grouped(int64(total)), "in 15 minutes", bars(events, "Events in 15 minutes, a bar for 15 seconds"), events},
		curve("Outbox", grouped(st.OutboxDepth), "wait for the bus", curveOutbox),
		curve("Mailboxes", grouped(int64(last(curveMailbox))), "longest now", curveMailbox),
		curve("Restarts", grouped(int64(last(curveRestarts))), "of actors", curveRestarts),
	}
	if last(curveMemory) > 0 {
		out = append(out, curve("Memory", byteSize(uint64(last(curveMemory))), counted(len(actors), "actor", "actors"), curveMemory))
	}
	return out
}
