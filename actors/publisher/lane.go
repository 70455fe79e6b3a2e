package publisher

import (
	"slices"
	"time"

	"github.com/decnet/decnet-fleetd/messages"
)

// item is a row on its way.
type item struct {
	row     messages.OutboxRow
	pos     uint64    // its place among what was written; landed = not in flight
	sent    time.Time // when it first went out
	tries   int       // how often it was lost while it was alone in flight
	suspect bool      // it was in flight when something was lost: next time it goes alone
	replay  bool      // acknowledged before; the store does not wait for it
}

// landed is the place of what is not in flight.
const landed = 0

// size is what the item takes of the window.
func (it *item) size() int { return len(it.row.Payload) + len(it.row.Topic) + 64 }

// lane holds the rows of one decky in their order. Only its head can be in flight, so nothing overtakes a resend.
type lane struct {
	name  string
	items []*item
	after time.Time // the head does not go before
}

func (l *lane) head() *item { return l.items[0] }

// lanes is what waits and what is in flight, per decky. A lane whose head waits is in exactly one of ready and suspects.
type lanes struct {
	all      map[string]*lane
	ready    []*lane
	suspects []*lane // whose head goes alone
	rows     int     // items that are no replay
}

func newLanes() lanes { return lanes{all: map[string]*lane{}} }

// add puts a row behind what its decky has already.
func (ls *lanes) add(row messages.OutboxRow) {
	l := ls.all[row.Name]
	if l == nil {
		l = &lane{name: row.Name}
		ls.all[row.Name] = l
		ls.ready = append(ls.ready, l)
	}
	l.items = append(l.items, &item{row: row})
	ls.rows++
}

// pop takes the head of a lane that is not queued, and queues the lane again if something follows.
func (ls *lanes) pop(l *lane) {
	if !l.head().replay {
		ls.rows--
	}
	l.items[0] = nil
	l.items, l.after = l.items[1:], time.Time{}
	if len(l.items) == 0 {
		delete(ls.all, l.name)
		return
	}
	ls.queue(l)
}

// queue makes a lane wait behind the others.
func (ls *lanes) queue(l *lane) {
	if l.head().suspect {
		ls.suspects = append(ls.suspects, l)
		return
	}
	ls.ready = append(ls.ready, l)
}

// queueFirst makes lanes wait before all others, in the given order.
func (ls *lanes) queueFirst(lost []*lane) {
	var ready, suspects []*lane
	for _, l := range lost {
		if l.head().suspect {
			suspects = append(suspects, l)
		} else {
			ready = append(ready, l)
		}
	}
	ls.ready = append(ready, ls.ready...)
	ls.suspects = append(suspects, ls.suspects...)
}

// next is the lane whose head may go now: a suspect that is due before everything else. nil: none.
func (ls *lanes) next(now time.Time) *lane {
	for _, l := range ls.suspects {
		if !l.after.After(now) {
			return l
		}
	}
	if len(ls.ready) > 0 {
		return ls.ready[0]
	}
	return nil
}

// dequeue takes a lane that next has given out of its queue: its head is in flight now.
func (ls *lanes) dequeue(l *lane) {
	if len(ls.ready) > 0 && ls.ready[0] == l {
		ls.ready[0] = nil
		ls.ready = ls.ready[1:]
		return
	}
	ls.suspects = slices.DeleteFunc(ls.suspects, func(s *lane) bool { return s == l })
}

// again puts rows that were acknowledged before their decky's waiting ones, in their order. Nothing may be in flight.
func (ls *lanes) again(rows []messages.OutboxRow) {
	back := map[string][]*item{}
	for _, row := range rows {
		back[row.Name] = append(back[row.Name], &item{row: row, replay: true})
	}
	for _, row := range rows {
		items := back[row.Name]
		if items == nil {
			continue
		}
		delete(back, row.Name)
		l := ls.all[row.Name]
		if l == nil {
			l = &lane{name: row.Name}
			ls.all[row.Name] = l
		} else {
			ls.ready = slices.DeleteFunc(ls.ready, func(s *lane) bool { return s == l })
			ls.suspects = slices.DeleteFunc(ls.suspects, func(s *lane) bool { return s == l })
		}
		l.items = append(items, l.items...)
		ls.queue(l)
	}
}
