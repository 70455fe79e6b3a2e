package web

import (
	"net/http"
	"slices"
)

// runtimePage is the process: memory, collector, scheduler, handlers and goroutines.
type runtimePage struct {
	Runtime    Runtime       `json:"runtime"`
	Known      bool          `json:"known"`
	Handlers   []HandlerTime `json:"handlers"`
	Goroutines []Goroutines  `json:"goroutines"` // admins only
	Settings   []Setting     `json:"settings"`
	Profiles   []string      `json:"profiles"`
	Admin      bool          `json:"admin"`
	Counters   []counter     `json:"counters"`
}

type counter struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

func (p *Pages) runtime(r *http.Request, who Who) (content, error) {
	ctx, d := r.Context(), runtimePage{Admin: who.May("admin"), Profiles: []string{"cpu", "heap", "allocs", "goroutine", "block", "mutex", "trace"}}
	st, err := p.cfg.Model.Status(ctx)
	if err != nil {
		return content{}, err
	}
	for _, k := range sortedKeys(st.Counters) {
		d.Counters = append(d.Counters, counter{k, st.Counters[k]})
	}
	if d.Runtime, err = p.cfg.Model.Runtime(ctx); err == nil {
		d.Known = true
	} else if !notOffered(err) {
		return content{}, err
	}
	if d.Handlers, err = p.cfg.Model.Handlers(ctx); err != nil && !notOffered(err) {
		return content{}, err
	}
	slices.SortStableFunc(d.Handlers, func(a, b HandlerTime) int { return int(b.Count - a.Count) })
	if d.Settings, err = p.cfg.Model.Settings(ctx); err != nil && !notOffered(err) {
		return content{}, err
	}
	if d.Admin && d.Known && r.URL.Query().Get("goroutines") == "1" { // listing them stops the process for a moment
		if d.Goroutines, err = p.cfg.Model.Goroutines(ctx); err != nil && !notOffered(err) {
			return content{}, err
		}
		slices.SortStableFunc(d.Goroutines, func(a, b Goroutines) int { return b.Count - a.Count })
	}
	return content{view: "runtime", title: "Runtime", nav: "Runtime", data: d}, nil
}
