package supervise

import (
	"reflect"
	"time"
)

// recents is how many handled messages an actor remembers. Chosen: a decky's way from one rest to the next takes six.
const recents = 8

// Handled is a message an actor has handled: its type and when the handler began, not what was in it.
type Handled struct {
	At   time.Time // up to a second early
	Type string
}

// recent remembers the last messages an actor handled, under the lock of its mailbox. It holds types, which live as long
// as the program, so that no message is kept alive.
type recent struct {
	types [recents]reflect.Type
	at    [recents]int64
	next  uint32
}

func (r *recent) note(h hand) {
	i := r.next % recents
	r.types[i], r.at[i] = reflect.TypeOf(h.msg), h.since
	r.next++
}

// Recent is the last messages the actor has handled since somebody first asked, newest first; none where its Spec does not
// allow it. Nobody looks at most actors, so most have no ring: it would cost ten thousand deckies 2 MiB.
func (r *Ref) Recent() []Handled {
	b := &r.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if !r.spec.Remember {
		return nil
	}
	if b.recent == nil {
		b.recent = &recent{}
	}
	n := min(b.recent.next, recents)
	out := make([]Handled, 0, n)
	for k := range n {
		i := (b.recent.next - 1 - k) % recents
		name := "nil"
		if t := b.recent.types[i]; t != nil {
			name = t.String()
		}
		out = append(out, Handled{At: r.sys.clock.time(b.recent.at[i]), Type: name})
	}
	return out
}
