package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"

	"github.com/decnet/decnet-fleetd/messages"
)

// branch is one node of the tree of actors: a group, a kind with many actors, or one actor.
type branch struct {
	Name   string   `json:"name"`
	Note   string   `json:"note,omitempty"`
	Tone   string   `json:"tone"`
	Path   string   `json:"path,omitempty"`
	Leaves []branch `json:"leaves,omitempty"`
}

// folded is how many actors of one kind are drawn one by one. Chosen: the subsystems of a daemon, but no fleet.
const folded = 6

// treeOf puts actors below their group, and many of one kind into one node.
func treeOf(actors []messages.ActorStatus) branch {
	groups := map[string]map[string][]messages.ActorStatus{}
	for _, a := range actors {
		g := a.Group
		if groups[g] == nil {
			groups[g] = map[string][]messages.ActorStatus{}
		}
		groups[g][a.Kind] = append(groups[g][a.Kind], a)
	}
	root := branch{Name: "decnet-fleetd", Note: counted(len(actors), "actor", "actors"), Tone: "plain"}
	for _, g := range sortedKeys(groups) {
		leaves := leavesOf(groups[g])
		if g == "" {
			root.Leaves = append(root.Leaves, leaves...)
			continue
		}
		root.Leaves = append(root.Leaves, branch{Name: g, Note: "restart together", Tone: worst(leaves), Leaves: leaves})
	}
	slices.SortStableFunc(root.Leaves, func(a, b branch) int { return cmp.Compare(len(b.Leaves), len(a.Leaves)) })
	root.Tone = worst(root.Leaves)
	return root
}

func leavesOf(kinds map[string][]messages.ActorStatus) []branch {
	var out []branch
	for _, kind := range sortedKeys(kinds) {
		all := kinds[kind]
		if len(all) > folded {
			out = append(out, fold(kind, all))
			continue
		}
		for _, a := range all {
			out = append(out, branch{Name: a.PID, Note: actorNote(a), Tone: actorTone(a), Path: actorPath(a.PID)})
		}
	}
	return out
}

func fold(kind string, all []messages.ActorStatus) branch {
	b := branch{Name: fmt.Sprintf("%s × %s", kind, grouped(int64(len(all)))), Tone: "good", Path: "/actors?view=table&filter=kind:" + kind}
	bad := 0
	for _, a := range all {
		if t := actorTone(a); t != "good" {
			bad++
			b.Tone = worse(b.Tone, t)
		}
	}
	b.Note = "all running"
	if bad > 0 {
		b.Note = fmt.Sprintf("%s not running", grouped(int64(bad)))
	}
	return b
}

func actorTone(a messages.ActorStatus) string {
	if a.Stuck {
		return "bad"
	}
	return tone(a.State)
}

func actorNote(a messages.ActorStatus) string {
	note := a.State
	if a.Stuck {
		note = "stuck " + span(a.InHandlerSeconds)
	}
	if a.Mailbox > 0 {
		note += ", " + grouped(a.Mailbox) + " waiting"
	}
	if a.Restarts > 0 {
		note += ", " + counted(int(a.Restarts), "restart", "restarts")
	}
	return note
}

func worse(a, b string) string {
	order := []string{"bad", "warn", "good", "plain"}
	if slices.Index(order, a) <= slices.Index(order, b) {
		return a
	}
	return b
}

func worst(all []branch) string {
	t := "plain"
	for _, b := range all {
		t = worse(t, b.Tone)
	}
	return t
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// drawTree draws a tree from left to right; each leaf is a link.
func drawTree(root branch, escape func(string) string) template.HTML {
	const row, col = 34, 290
	var d, edges drawing
	var place func(b branch, depth int, y float64) (height, middle float64)
	place = func(b branch, depth int, y float64) (height, middle float64) {
		x := float64(depth*col) + 4
		var mids []float64
		for _, l := range b.Leaves {
			h, m := place(l, depth+1, y+height)
			height += h
			mids = append(mids, m)
		}
		if height == 0 {
			height = row
		}
		middle = y + height/2
		if len(mids) > 0 {
			middle = (mids[0] + mids[len(mids)-1]) / 2
		}
		for _, m := range mids {
			edges.f(`<path class="edge" d="M%.0f %.1fC%.0f %.1f %.0f %.1f %.0f %.1f"/>`, x+236, middle, x+262, middle, x+262, m, x+float64(col), m)
		}
		drawNode(&d, b, x, middle, escape)
		return height, middle
	}
	height, _ := place(root, 0, 4)
	var out drawing
	out.f(`<svg class="tree" viewBox="0 0 %d %.0f" role="group" aria-label="Tree of actors">`, 3*col, height+8)
	out.WriteString(edges.String())
	out.WriteString(d.String())
	out.f(`</svg>`)
	return out.html()
}

func drawNode(d *drawing, b branch, x, y float64, escape func(string) string) {
	if b.Path != "" {
		d.f(`<a href="%s">`, b.Path)
	}
	d.f(`<g class="node t-%s"><title>%s</title><rect x="%.0f" y="%.1f" width="236" height="28" rx="6"/><text class="glyph" x="%.0f" y="%.1f">%s</text>`,
		b.Tone, escape(b.Name)+": "+escape(b.Note), x, y-14, x+9, y+4.5, glyph(b.Tone))
	d.f(`<text x="%.0f" y="%.1f">%s</text><text class="note" x="%.0f" y="%.1f" text-anchor="end">%s</text></g>`,
		x+26, y+4.5, clip(escape(b.Name), 19), x+228, y+4.5, clip(escape(b.Note), 17))
	if b.Path != "" {
		d.f(`</a>`)
	}
}
