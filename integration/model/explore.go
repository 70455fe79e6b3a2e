package model

import "fmt"

// Result is what an exploration found.
type Result struct {
	Worlds int      // different states
	Wrong  string   // the first violation; "" is none
	Trace  []string // the shortest way there
}

// seen remembers how a world was first reached.
type seen struct {
	from world
	how  label
}

// Explore walks through every world, nearest first, and stops at the first violation. The error says that there are more
// worlds than limit: then nothing was proven.
func Explore(b Bounds, r Rules, limit int) (Result, error) {
	x := &explorer{b: b, rules: r}
	start := world{}
	reached := map[world]seen{start: {}}
	for queue := []world{start}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		steps := x.next(w)
		for _, s := range steps {
			wrong := s.wrong
			if wrong == "" {
				wrong = x.lost(s.after)
			}
			if wrong != "" {
				return Result{len(reached), wrong, append(trace(reached, w), s.name.String())}, nil
			}
			if _, known := reached[s.after]; !known {
				reached[s.after] = seen{w, s.name}
				queue = append(queue, s.after)
			}
		}
		if wrong := x.stuck(w); wrong != "" {
			return Result{len(reached), wrong, trace(reached, w)}, nil
		}
		if len(reached) > limit {
			return Result{Worlds: len(reached)}, fmt.Errorf("more than %d worlds", limit)
		}
	}
	return Result{Worlds: len(reached)}, nil
}

// lost: whatever was committed has been heard or still waits.
func (x *explorer) lost(w world) string {
	for d := range x.b.Deckies {
		for rev := w.Heard[d] + 1; rev <= w.Row[d]; rev++ {
			if w.Outbox[d]&bit(rev) == 0 {
				return fmt.Sprintf("lost: revision %d of decky %d is committed, neither heard nor in the outbox", rev, d)
			}
		}
	}
	return ""
}

// stuck: once nothing fails any more and one process has the lease, all that changed is written, heard and acknowledged.
func (x *explorer) stuck(w world) string {
	rules := x.rules
	rules.Overtake = false                                           // or two of a decky would be sent in turns for ever
	calm := &explorer{b: Bounds{Deckies: x.b.Deckies}, rules: rules} // no change, no fault
	w.Token++
	w.P = [processes]process{{Up: true, Token: w.Token, Life: w.P[0].Life, Order: w.P[0].Order}}
	const most = 100 // far above what two deckies can need
	for range most {
		steps := calm.next(w)
		if len(steps) == 0 {
			break
		}
		w = steps[0].after
	}
	for d := range x.b.Deckies {
		if w.Row[d] != w.Wanted[d] || w.Heard[d] != w.Wanted[d] || w.Outbox[d] != 0 {
			return fmt.Sprintf("stuck: decky %d changed %d times, written %d, heard %d, outbox %b", d, w.Wanted[d], w.Row[d], w.Heard[d], w.Outbox[d])
		}
	}
	return ""
}

func trace(reached map[world]seen, w world) []string {
	var back []string
	for at := w; at != (world{}); at = reached[at].from {
		back = append(back, reached[at].how.String())
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return back
}
